"""The files of results in a run folder, for programs and for people: thresholds, scores, metrics, report, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from anodice.app.console import counted
from anodice.app.files import forget_checksums, note_checksums, write_json, write_text
from anodice.errors import unknown
from anodice.evaluation.run_results import METRICS, SCORES, THRESHOLDS
from anodice.evaluation.score_table import ScoreTable, write_scores
from anodice.metrics.sweep import Confusion
from anodice.reporting.markdown import details, summary
from anodice.reporting.plots.curves import (
    by_group,
    confusion_matrix,
    over_threshold,
    precision_recall,
    roc,
    score_histogram,
)
from anodice.thresholds.fitted import FittedThresholds

REPORT, FIGURES = "report.md", "figures"
FORMATS = ("png", "svg")
"""Those that pictures are saved in."""

_MOST_ROWS = 40
"""Classes or sessions that a picture has room for."""


def write_results(folder: Path, metrics: dict[str, Any], table: ScoreTable, fitted: FittedThresholds) -> None:
    """Write thresholds, scores, metrics and the report of a run, or of its re-evaluation, into a folder."""
    forget_checksums(folder, SCORES, THRESHOLDS, METRICS)
    write_scores(folder / SCORES, table, fitted.chosen)
    write_json(folder / THRESHOLDS, fitted.as_dict())
    write_json(folder / METRICS, metrics)
    note_checksums(folder, SCORES, THRESHOLDS, METRICS)
    write_text(folder / REPORT, f"{summary(metrics, fitted)}\n\n{details(metrics)}\n")


def title_of(metrics: Mapping[str, Any], run: Path) -> str:
    """What figures of a run are headed with."""
    return f"{metrics['model']} on {metrics['data']}, seed {metrics['seed']}: {run.absolute().name}"


def score_figures(table: ScoreTable, fitted: FittedThresholds, *, title: str) -> dict[str, Figure]:
    """Pictures of the scores of validation and of the clean test, those that can be had, by name.

    Args:
        title: of the run.
    """
    figures = {}
    for name, part, words in (("validation", table.validation, "validation"), ("test", table.clean, table.clean_words)):
        about = f"{title}\n{words}: {int((~part.label).sum())} normal, {int(part.label.sum())} anomalous images"
        given = part.score, part.label, fitted.by_rule
        if len(part) > 0:
            figures[f"{name}_scores"] = score_histogram(*given, title=about)
        if part.label.any() and not part.label.all():
            figures[f"{name}_precision_recall"] = precision_recall(*given, title=about, classes=part.predicted)
            figures[f"{name}_roc"] = roc(*given, title=about, classes=part.predicted)
            figures[f"{name}_over_threshold"] = over_threshold(*given, title=about)
    return figures | _verdict_figures(table, fitted, title=title)


def _verdict_figures(table: ScoreTable, fitted: FittedThresholds, *, title: str) -> dict[str, Figure]:
    """The verdicts of the run's own threshold on the clean test: all of them, by class and by session."""
    test, chosen = table.clean, fitted.chosen
    if len(test) == 0:
        return {}
    flags, about = chosen.flags(test.score, test.predicted), f"{title}\n{table.clean_words} at {chosen.rule}"
    figures = {"test_confusion": confusion_matrix(Confusion.from_flags(flags, test.label), title=about)}
    for what, groups in (("class", test.class_name), ("session", test.session)):
        if 1 < len(set(groups.tolist())) <= _MOST_ROWS:
            given = test.score, test.label, flags, groups
            figures[f"test_by_{what}"] = by_group(*given, threshold=chosen, what=what, title=about)
    return figures


def check_formats(formats: Sequence[str]) -> None:
    """Raise for a format that pictures are not saved in."""
    for name in formats:
        if name not in FORMATS:
            raise unknown("format in figure_formats", name, FORMATS)


def save_figures(folder: Path, figures: Mapping[str, Figure], *, formats: Sequence[str] = ("png",)) -> None:
    """Save each figure under its name, in each of the formats `png` (150 dots per inch) and `svg`."""
    folder.mkdir(exist_ok=True)
    for name, figure in counted(figures.items(), len(figures), f"saving {len(figures)} figures"):
        for suffix in formats:
            figure.savefig(folder / f"{name}.{suffix}", dpi=150)
