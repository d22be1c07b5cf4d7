"""The scores of a run's validation photos as a chart, with thresholds and new photos marked in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anodice.evaluation.score_table import ScoreTable
from anodice.thresholds.threshold import Threshold

NORMAL, ANOMALOUS = "normal", "anomalous"
PHOTO, IN_USE = "photo", "threshold in use"
_BINS = 40
_COLOURS = {IN_USE: "#d62728", PHOTO: "#9467bd"}
_MOST_PHOTOS = 200
"""Marked in the chart."""


def histogram(
    validation: ScoreTable, fitted: Mapping[str, Threshold], cut: float, photos: Sequence[float]
) -> dict[str, Any]:
    """A Vega-Lite chart: bars of the validation scores, a line for each threshold and one for each photo.

    Args:
        fitted: the run's thresholds, dashed.
        cut: the threshold in use, in full.
        photos: scores of new photos.
    """
    scores = [*validation.score.tolist(), cut, *photos, *(threshold.value for threshold in fitted.values())]
    lines = [{"score": score, "line": PHOTO} for score in photos[:_MOST_PHOTOS]]
    lines.append({"score": cut, "line": IN_USE})
    lines += [{"score": threshold.value, "line": name} for name, threshold in fitted.items()]
    return {
        "height": 340,
        "layer": [
            {"data": {"values": bars(validation, min(scores), max(scores))}, **_BARS},
            {"data": {"values": lines}, **_lines(list(fitted))},
        ],
        "resolve": {"scale": {"color": "independent"}},
    }


def bars(validation: ScoreTable, low: float, high: float) -> list[dict[str, Any]]:
    """How many validation photos, normal and anomalous, have a score in each of equal intervals of [low, high]."""
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    found = []
    for label, name in ((False, NORMAL), (True, ANOMALOUS)):
        counts, _ = np.histogram(validation.score[validation.label == label], edges)
        found += [
            {"from": float(edges[k]), "to": float(edges[k + 1]), "photos": int(count), "validation": name}
            for k, count in enumerate(counts)
            if count > 0
        ]
    return found


_BARS: dict[str, Any] = {
    "mark": {"type": "bar", "opacity": 0.7, "tooltip": True},
    "encoding": {
        "x": {"field": "from", "type": "quantitative", "title": "score, higher is stranger", "bin": {"binned": True}},
        "x2": {"field": "to"},
        "y": {"field": "photos", "type": "quantitative", "title": "validation photos", "stack": "zero"},
        "color": {
            "field": "validation",
            "type": "nominal",
            "scale": {"domain": [NORMAL, ANOMALOUS], "range": ["#4c9f70", "#e08e3c"]},
            "legend": {"orient": "top", "title": None},
        },
    },
}


def _lines(fitted: list[str]) -> dict[str, Any]:
    names = [*fitted, *_COLOURS]
    colours = ["#1f77b4", "#17becf", "#8c564b", "#7f7f7f"]
    shades = [*(colours[k % len(colours)] for k in range(len(fitted))), *_COLOURS.values()]
    dashes = [*([4, 3] for _ in fitted), [1, 0], [1, 0]]
    return {
        "mark": {"type": "rule", "size": 2, "tooltip": True},
        "encoding": {
            "x": {"field": "score", "type": "quantitative"},
            "color": {
                "field": "line",
                "type": "nominal",
                "scale": {"domain": names, "range": shades},
                "legend": {"orient": "bottom", "title": None, "columns": 2},
            },
            "strokeDash": {
                "field": "line",
                "type": "nominal",
                "scale": {"domain": names, "range": dashes},
                "legend": None,
            },
        },
    }
