"""Verdicts as the page tells them: by another threshold, in words, in a table, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anodice.prediction.explanation import Explanation
from anodice.prediction.prediction import Prediction
from anodice.prediction.prediction_files import for_spreadsheets
from anodice.prediction.regions import regions
from anodice.thresholds.threshold import Threshold

RATIO = 0.70
"""Photos with at most this ratio of losses were anomalous in the project that `TemplateRatio` comes from."""


def judged(prediction: Prediction, threshold: Threshold) -> Prediction:
    """The same photo by another threshold; its score and its map stay."""
    names = [prediction.class_name or ""]
    anomalous = bool(threshold.flags([prediction.score], names)[0])
    return replace(
        prediction,
        threshold=threshold,
        cut=float(threshold.values([prediction.score], names)[0]),
        anomalous=anomalous,
        regions=regions(prediction.map, prediction.scale.pixel_threshold, prediction.size) if anomalous else (),
    )


def ratio_sentence(explanation: Explanation) -> str:
    """What the rule of 0.70 says of both losses; for explanations that have them."""
    assert explanation.losses is not None
    assert explanation.ratio is not None
    verdict, relation = ("anomalous", "at most") if explanation.ratio <= RATIO else ("normal", "above")
    return (
        f"1 - SSIM is {explanation.losses[0]:.3f} to the reconstruction and {explanation.losses[1]:.3f} to the "
        f"template: the ratio {explanation.ratio:.3f} is {relation} {RATIO:.2f}, {verdict} by the earlier project's "
        "rule."
    )


def distance_rows(explanation: Explanation, threshold: Threshold) -> list[dict[str, Any]]:
    """The distance to each class beside its threshold, the nearest first."""
    found = sorted(explanation.distances or (), key=lambda one: one.distance / one.unit)
    return [
        {
            "class": one.class_name,
            "distance": one.distance,
            "threshold": one.limit(threshold),
            "taken for": "*" if one.class_name == explanation.prediction.class_name else "",
        }
        for one in found
    ]


def region_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """A row for each region, the highest peak first."""
    sides = ("left", "top", "right", "bottom")
    return [
        {**dict(zip(sides, r.box, strict=True)), "area in pixels": r.area, "peak": r.peak} for r in prediction.regions
    ]


def worst_first(predictions: Sequence[Prediction]) -> list[int]:
    """The places of the predictions in the order of their rows: farthest above the threshold first."""
    return sorted(range(len(predictions)), key=lambda k: predictions[k].cut - predictions[k].score)


def rows(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """A row for each photo, the strangest first; names that a spreadsheet would compute stand behind an apostrophe."""
    return [
        {
            "photo": for_spreadsheets(one.name),
            "verdict": one.verdict,
            "score": one.score,
            "threshold": one.cut,
            "class": one.class_name or "",
            "face": "" if one.face is None else str(one.face),
            "regions": len(one.regions),
        }
        for one in (predictions[k] for k in worst_first(predictions))
    ]


def as_csv(predictions: Sequence[Prediction]) -> str:
    """The same as CSV."""
    table = rows(predictions)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(table[0]) if table else ["photo"])
    writer.writeheader()
    writer.writerows(table)
    return file.getvalue()
