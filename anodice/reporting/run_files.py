"""The files of results in a run folder, for programs and for people: thresholds, scores, metrics, report, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from anodice.app.run_folder import write_json
from anodice.errors import AnodiceError
from anodice.evaluation.score_table import ScoreTable, write_scores
from anodice.reporting.markdown import details, summary
from anodice.reporting.plots.curves import precision_recall, score_histogram
from anodice.thresholds.fitted import FittedThresholds

THRESHOLDS, SCORES, METRICS, REPORT, FIGURES = "threshold.json", "scores.csv", "metrics.json", "report.md", "figures"


def write_results(folder: Path, metrics: dict[str, Any], table: ScoreTable, fitted: FittedThresholds) -> None:
    """Write thresholds, scores, metrics and the report of a run, or of its re-evaluation, into a folder."""
    write_json(folder / THRESHOLDS, fitted.as_dict())
    write_scores(folder / SCORES, table, fitted.chosen)
    write_json(folder / METRICS, metrics)
    (folder / REPORT).write_text(f"{summary(metrics, fitted)}\n\n{details(metrics)}\n")


def read_thresholds(run: Path) -> FittedThresholds:
    """The thresholds that a training or an evaluation left in the run folder.

    Raises:
        AnodiceError: there are none.
    """
    path = run / THRESHOLDS
    if not path.is_file():
        raise AnodiceError(f"expected {path}, which is missing; make it with python evaluate.py run={run}.")
    return FittedThresholds.from_dict(json.loads(path.read_text()))


def score_figures(table: ScoreTable, fitted: FittedThresholds) -> dict[str, Figure]:
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
