"""How well a finished run holds when light, lens and pose change: what `scripts/robustness.py` runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anodice.app import run_folder
from anodice.app.files import write_json, write_text
from anodice.evaluation.robustness import measure_robustness
from anodice.evaluation.run_results import read_thresholds
from anodice.programs.loading import load_run
from anodice.reporting.plots.severity import curves
from anodice.reporting.robustness import tables
from anodice.reporting.run_files import save_figures
from anodice.thresholds.threshold import Threshold

FOLDER = "robustness"


def robustness(
    run: Path, *, root: str | None, names: Sequence[str], severities: Sequence[int], seed: int
) -> dict[str, Any]:
    """Measure a finished run; tables, figures and a picture are written to `robustness/` in its folder.

    Args:
        root: where the photos are now; None where the run found them.
        names, severities, seed: see `measure_robustness`.

    Returns:
        what `measure_robustness` returns.

    Raises:
        AnodiceError: the photos are not those of the run, or it has no thresholds.
    """
    thresholds = fixed_thresholds(run)
    measured = measure_robustness(*load_run(run, root), thresholds, names=names, severities=severities, seed=seed)
    config = run_folder.read_config(run)
    title = f"{config.name.model} on {config.name.data}, seed {config.seed}"
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    write_json(folder / f"{FOLDER}.json", measured)
    write_text(folder / f"{FOLDER}.md", f"# {title}\n\n{tables(measured)}\n")
    save_figures(folder, {FOLDER: curves(measured, title=title)})
    return measured


def fixed_thresholds(run: Path) -> dict[str, Threshold]:
    """Rule name -> threshold, from `threshold.json`: the one that gives the run's verdicts, then normals_only.

    Without normals_only where that could not be fitted.

    Raises:
        AnodiceError: the run has no thresholds.
    """
    fitted = read_thresholds(run)
    return {name: fitted.by_rule[name] for name in (fitted.chosen.rule, "normals_only") if name in fitted.by_rule}
