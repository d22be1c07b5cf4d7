"""What a training and an evaluation leave behind: the files of results, the words and the figures for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from omegaconf import DictConfig

from anodice.app import run_folder
from anodice.errors import AnodiceError
from anodice.evaluation.run_metrics import Fitted
from anodice.evaluation.score_table import ScoreTable, write_scores
from anodice.reporting import markdown
from anodice.reporting.plots.curves import precision_recall, score_histogram

if TYPE_CHECKING:  # evaluations from saved scores do not wait for torch
    from anodice.models.detector import Detector

MEASURED = (
    "fit_seconds",
    "fit_images_per_second",
    "seconds_to_first_step",
    "peak_memory_megabytes",
    "peak_gpu_memory_megabytes",
    "score_milliseconds",
)
"""The figures of `metrics.json` that only the training itself measures, each None where it cannot be had.

`seconds_to_first_step` counts from the start of the command (of a later job of a multirun: of the job) to the end of
the first training step: imports, reading of the photos, everything; a resumed training keeps it. The peaks are in 10^6
bytes, up to the end of the training: what the process held at most, in a multirun with its earlier jobs, and what torch
held at most on the GPU. `score_milliseconds` is per image, in the run's batches.
"""


def about(config: DictConfig, detector: Detector) -> dict[str, Any]:
    """What `metrics.json` starts with: what was trained, on what, and its size."""
    return {
        "model": config.name.model,
        "data": config.name.data,
        "split": config.name.get("split", "published"),
        "seed": config.seed,
        "parameters": sum(p.numel() for p in detector.parameters()),
    }


def write_results(folder: Path, metrics: dict[str, Any], table: ScoreTable, fitted: Fitted) -> None:
    """Write thresholds, scores, metrics and the report of a run, or of its re-evaluation, into a folder."""
    run_folder.write_json(folder / run_folder.THRESHOLDS, fitted.as_dict())
    write_scores(folder / run_folder.SCORES, table, fitted.chosen)
    run_folder.write_json(folder / run_folder.METRICS, metrics)
    (folder / run_folder.REPORT).write_text(f"{summary(metrics, fitted)}\n\n{markdown.details(metrics)}\n")


def read_thresholds(run: Path) -> Fitted:
    """The thresholds that a training or an evaluation left in the run folder.

    Raises:
        AnodiceError: there are none.
    """
    path = run / run_folder.THRESHOLDS
    if not path.is_file():
        raise AnodiceError(f"expected {path}, which is missing; make it with python evaluate.py run={run}.")
    return Fitted.from_dict(json.loads(path.read_text()))


def summary(metrics: dict[str, Any], fitted: Fitted) -> str:
    """What a training or an evaluation tells people: what was trained and tested, the result, warnings, the tables."""
    seconds, speed = metrics["fit_seconds"], metrics["fit_images_per_second"]
    trained = "not timed" if seconds is None else f"{seconds:.0f} s of training"
    trained += "" if speed is None else f" at {speed:.0f} images/s"
    oracle = ", ORACLE threshold" if metrics["threshold"] == "oracle" else ""
    opening = [
        f"- Trained: {metrics['model']} with {metrics['parameters']:,} parameters on {metrics['data']}, seed "
        f"{metrics['seed']}, {trained}.",
        f"- Tested: {markdown.about_test(metrics)}",
        f"- Result: **{markdown.headline(metrics)}**",
        f"- Threshold: {fitted.chosen.sentence()}.",
        *(f"- **WARNING**: {warning}" for warning in metrics["warnings"]),
    ]
    return "\n\n".join(
        [
            f"# {metrics['model']} on {metrics['data']}{oracle}",
            "\n".join(opening),
            markdown.table(metrics),
            f"## How to read this\n\n{markdown.legend(metrics)}",
        ]
    )


def score_figures(table: ScoreTable, fitted: Fitted) -> dict[str, Figure]:
    """Histogram and precision-recall curve of the validation and the test scores, those that can be had, by name."""
    figures = {}
    for name, part in (("validation", table.validation), ("test", table.published)):
        if len(part) > 0:
            figures[f"{name}_scores"] = score_histogram(part.score, part.label, fitted.by_rule, title=f"{name} scores")
        if part.label.any() and not part.label.all():
            figures[f"{name}_precision_recall"] = precision_recall(
                part.score, part.label, fitted.by_rule, title=name, classes=part.predicted
            )
    return figures


def save_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Save each figure as a PNG of its name."""
    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
