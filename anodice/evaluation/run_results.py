"""What a training or an evaluation left of its results in a folder, read with a check of what it must hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anodice.app.files import check, checked, damaged, read_json
from anodice.errors import first_line
from anodice.evaluation.score_files import read_scores_csv
from anodice.evaluation.score_table import ScoreTable
from anodice.thresholds.fitted import FittedThresholds

THRESHOLDS, SCORES, METRICS = "threshold.json", "scores.csv", "metrics.json"

_NUMBER = (int, float)
_METRICS = {
    "model": str,
    "data": str,
    "seed": int,
    "threshold": str,
    "warnings": list,
    "leaked": int,
    "validation": dict,
    **{f"test.{part}": dict for part in ("published", "clean")},
    "validation.normals": int,
    "validation.anomalies": int,
}
_PART: dict[str, type | tuple[type, ...]] = {
    "normals": int,
    "anomalies": int,
    "at": dict,
    "auroc": (*_NUMBER, type(None)),
    "faces": dict,
    "sessions": dict,
}


def with_interruption(metrics: dict[str, Any], words: str | None) -> dict[str, Any]:
    """The figures, with a sentence on how the training was ended early, before all else that a reader must know."""
    return {**metrics, "interrupted": words, "warnings": [*([] if words is None else [words]), *metrics["warnings"]]}


def read_metrics(folder: Path) -> dict[str, Any]:
    """The figures.

    Raises:
        AnodiceError: they are missing, damaged or something else.
    """
    found = read_json(folder, METRICS, _METRICS)
    path = folder / METRICS
    for name, part in found["test"].items():
        checked(part, path, _PART)
        if not all(isinstance(row, dict) for row in part["at"].values()):
            raise damaged(path, f"test.{name}.at holds no figures")
        if found["threshold"] not in part["at"]:
            raise damaged(path, f"test.{name}.at has no {found['threshold']}")
    return found


def read_thresholds(folder: Path) -> FittedThresholds:
    """The thresholds.

    Raises:
        AnodiceError: they are missing, damaged or something else.
    """
    return thresholds_of(read_json(folder, THRESHOLDS), folder / THRESHOLDS)


def thresholds_of(found: Mapping[str, Any], path: Path) -> FittedThresholds:
    """The thresholds that an object holds, which was read from a file."""
    try:
        return FittedThresholds.from_dict(found)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise damaged(path, first_line(error)) from error


def read_scores(folder: Path) -> ScoreTable:
    """The scores, as many as the figures beside them count.

    Raises:
        AnodiceError: they are missing, damaged or something else.
    """
    path = check(folder, SCORES)
    table = read_scores_csv(path)
    if (folder / METRICS).is_file():
        told = read_metrics(folder)
        for part, of in (("validation", told["validation"]), ("published", told["test"]["published"])):
            label = getattr(table, part).label
            counts, expected = (int((~label).sum()), int(label.sum())), (of["normals"], of["anomalies"])
            if counts != expected:
                words = ("{} normal and {} anomalous".format(*pair) for pair in (counts, expected))
                raise damaged(path, "it holds {0} rows of {2}, where {3} says {1}".format(*words, part, METRICS))
    return table
