"""How well a finished run holds when light, lens and pose change: its fixed thresholds on perturbed test photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from anodice.app import run_folder
from anodice.augmentation.perturbations import PERTURBATIONS
from anodice.data.datamodule import Batch, DiceDataModule
from anodice.evaluation.inference import load_run, score_records
from anodice.metrics.sweep import Confusion, sweep
from anodice.models.detector import Detector
from anodice.reporting.markdown import markdown_table, number
from anodice.reporting.run_files import read_thresholds, save_figures
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)

FOLDER = "robustness"

_COMPARED = 3


def robustness(
    run: Path, *, root: str | None, names: Sequence[str], severities: Sequence[int], seed: int
) -> dict[str, Any]:
    """Measure a finished run; tables, figures and a picture are written to `robustness/` in its folder.

    Args:
        root: where the photos are now; None where the run found them.
        names, severities, seed: see `measure`.

    Returns:
        what `measure` returns.

    Raises:
        AnodiceError: the photos are not those of the run, or it has no thresholds.
    """
    thresholds = fixed_thresholds(run)
    measured = measure(*load_run(run, root), thresholds, names=names, severities=severities, seed=seed)
    config = run_folder.read_config(run)
    title = f"{config.name.model} on {config.name.data}, seed {config.seed}"
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    run_folder.write_json(folder / f"{FOLDER}.json", measured)
    (folder / f"{FOLDER}.md").write_text(f"# {title}\n\n{tables(measured)}\n")
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


def measure(
    detector: Detector,
    data: DiceDataModule,
    thresholds: Mapping[str, Threshold],
    *,
    names: Iterable[str],
    severities: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """The figures of the clean test photos (without copies of training photos) as they are, and under each change.

    Args:
        names: of `PERTURBATIONS`.
        severities: 1 to 5.
        seed: of the perturbations.

    Returns:
        `images`: normals and anomalies; `thresholds`: rule -> its sentence; `unchanged`: AUROC and, by rule, F1 and
        counts; `perturbed`: name -> severity -> the same; `mean`: severity -> means over the perturbations. Figures
        that cannot be had, for want of normal or anomalous photos, are None.
    """
    split = data.photos.split
    indices = [i for i in split.test if i not in split.leaked]
    labels = np.array([data.photos.records[i].anomalous for i in indices], dtype=bool)

    def figures(change: Callable[[Batch], Tensor] | None) -> dict[str, Any]:
        return _figures(*score_records(detector, data, indices, change=change), labels, thresholds)

    def perturbation(name: str, severity: int) -> Callable[[Batch], Tensor]:
        perturb = PERTURBATIONS[name]
        return lambda batch: perturb(batch["image"], severity=severity, indices=batch["index"], seed=seed)

    unchanged, perturbed = figures(None), {}
    log.info("unchanged: AUROC %s", number(unchanged["auroc"], 4))
    for name in names:
        perturbed[name] = {str(s): figures(perturbation(name, s)) for s in severities}
        log.info("%s: AUROC %s", name, ", ".join(number(row["auroc"], 4) for row in perturbed[name].values()))
    return {
        "images": {"normals": int((~labels).sum()), "anomalies": int(labels.sum())},
        "seed": seed,
        "thresholds": {name: threshold.sentence() for name, threshold in thresholds.items()},
        "unchanged": unchanged,
        "perturbed": perturbed,
        "mean": {str(s): _mean([rows[str(s)] for rows in perturbed.values()]) for s in severities},
    }


def _figures(
    scores: np.ndarray, classes: np.ndarray, labels: np.ndarray, thresholds: Mapping[str, Threshold]
) -> dict[str, Any]:
    at = {}
    for name, threshold in thresholds.items():
        counts = Confusion.from_flags(threshold.flags(scores, classes), labels)
        at[name] = {"f1": counts.f1, "tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn}
    return {"auroc": sweep(scores, labels).auroc, "at": at}


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """AUROC and F1 averaged over rows of figures; None where any is."""

    def mean(values: list[float | None]) -> float | None:
        return None if None in values else float(np.mean(values))

    rules = rows[0]["at"]
    f1 = {rule: {"f1": mean([row["at"][rule]["f1"] for row in rows])} for rule in rules}
    return {"auroc": mean([row["auroc"] for row in rows]), "at": f1}


def tables(measured: Mapping[str, Any]) -> str:
    """What `measure` returned, as Markdown: a table of the AUROC, and one of the F1 at each threshold."""
    images, severities = measured["images"], list(measured["mean"])
    head = (
        f"{images['normals']} normal and {images['anomalies']} anomalous test photos, without copies of training "
        f"photos, perturbed at severity {', '.join(severities)} (seed {measured['seed']})."
    )
    parts = [head, "AUROC:", _table(measured, lambda row: number(row["auroc"], 4))]
    for rule, sentence in measured["thresholds"].items():
        parts.append(f"F1 (false alarms + misses) at {sentence}:")
        parts.append(_table(measured, lambda row, rule=rule: _verdicts(row["at"][rule])))
    units = [
        f"- {name}: {', '.join(f'{a:g}' for a in PERTURBATIONS[name].amounts)} ({PERTURBATIONS[name].unit})"
        for name in measured["perturbed"]
    ]
    return "\n\n".join([*parts, "Severity 1 to 5 of each:", "\n".join(units)])


def _table(measured: Mapping[str, Any], cell: Callable[[Mapping[str, Any]], str]) -> str:
    rows = [["perturbation", *measured["mean"]], ["none", *[cell(measured["unchanged"])] * len(measured["mean"])]]
    rows += [[name, *map(cell, found.values())] for name, found in measured["perturbed"].items()]
    return markdown_table([*rows, ["mean", *map(cell, measured["mean"].values())]])


def _verdicts(at: Mapping[str, Any]) -> str:
    """`0.987 (1 + 0)`; a mean has no counts."""
    return f"{number(at['f1'])} ({at['fp']} + {at['fn']})" if "fp" in at else number(at["f1"])


def compare(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Several runs, one row each, as Markdown: their AUROC at severity 3, or the highest measured, and the mean F1.

    Args:
        measured: name of the run -> what `measure` returned, all with the same perturbations and severities.
    """
    first = next(iter(measured.values()))
    severity = str(_COMPARED) if str(_COMPARED) in first["mean"] else max(first["mean"])
    heads = ["run", "unchanged", *first["perturbed"], "mean AUROC", "mean F1, own rule", "mean F1, normals_only"]
    rows = [heads]
    for name, found in measured.items():
        mean = found["mean"][severity]
        aurocs = [found["unchanged"], *(by[severity] for by in found["perturbed"].values()), mean]
        own = next(iter(found["thresholds"]))
        f1 = [mean["at"].get(rule, {"f1": None})["f1"] for rule in (own, "normals_only")]
        rows.append([name, *(number(row["auroc"], 4) for row in aurocs), *map(number, f1)])
    return f"AUROC at severity {severity}:\n\n{markdown_table(rows)}"


def curves(measured: Mapping[str, Any], *, title: str) -> Figure:
    """AUROC and the F1 at each threshold over the severity, 0 for the unchanged photos; a line per perturbation."""
    rules = list(measured["thresholds"])
    figure = Figure(figsize=(4.2 * (1 + len(rules)) + 1.4, 3.8), layout="constrained")
    axes = figure.subplots(1, 1 + len(rules), squeeze=False)[0]
    severities = [0, *map(int, measured["mean"])]
    for k, (name, found) in enumerate(measured["perturbed"].items()):
        rows = [measured["unchanged"], *found.values()]
        style = {"marker": "osD^vPX*<"[k % 9], "markersize": 4, "linewidth": 1.2, "label": name}
        lines = [[row["auroc"] for row in rows], *([row["at"][rule]["f1"] for row in rows] for rule in rules)]
        for axis, line in zip(axes, lines, strict=True):
            axis.plot(severities, [np.nan if value is None else value for value in line], **style)
    for axis, what in zip(axes, ["AUROC", *(f"F1 at {rule}" for rule in rules)], strict=True):
        axis.set(xlabel="severity", xticks=severities, title=what)
        axis.grid(alpha=0.3)
    figure.suptitle(title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure
