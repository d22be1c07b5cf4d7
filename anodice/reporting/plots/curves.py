"""Score histogram and precision-recall curve, each with the thresholds of the run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from anodice.metrics.sweep import Confusion, sweep
from anodice.thresholds.threshold import Threshold

_NORMAL, _ANOMALOUS = "#4878a8", "#c8503c"
_LINES = ("-", "--", ":", "-.")


def score_histogram(
    scores: np.ndarray, labels: np.ndarray, thresholds: Mapping[str, Threshold], *, title: str
) -> Figure:
    """How the scores of normal and anomalous images spread, and where the thresholds lie.

    The axis is logarithmic where all scores are positive and span more than a factor of ten.

    Args:
        scores: (N,).
        labels: (N,) bool, true for anomalous.
        thresholds: those far outside the scores are left out, as are those with a value for each class.
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axis = figure.subplots()
    low, high = float(scores.min()), float(scores.max())
    logarithmic = low > 0 and high > 10 * low
    bins = np.geomspace(low, high, 60) if logarithmic else np.linspace(low, high if high > low else low + 1, 60)
    for name, colour, chosen in (("normal", _NORMAL, ~labels), ("anomalous", _ANOMALOUS, labels)):
        axis.hist(scores[chosen], bins=bins, color=colour, alpha=0.7, label=f"{name} ({int(chosen.sum())})")
    margin = high - low
    single = {name: t.value for name, t in thresholds.items() if t.by_class is None}
    inside = {name: value for name, value in single.items() if low - margin <= value <= high + margin}
    for line, (name, value) in zip(_LINES * len(inside), inside.items(), strict=False):
        axis.axvline(value, color="black", linestyle=line, linewidth=1.2, label=f"{name} {value:.4g}")
    if logarithmic:
        axis.set_xscale("log")
    axis.set_yscale("symlog", linthresh=5)
    axis.set(xlabel="score (higher = more anomalous)", ylabel="images", title=title)
    axis.legend(fontsize=8)
    return figure


def precision_recall(
    scores: np.ndarray,
    labels: np.ndarray,
    thresholds: Mapping[str, Threshold],
    *,
    title: str,
    classes: np.ndarray | None = None,
) -> Figure:
    """Precision over recall at every cut, with the point of each threshold; needs both labels.

    Args:
        classes: what the detector takes each image for, for thresholds with a value for each class.
    """
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axis = figure.subplots()
    swept = sweep(scores, labels)
    axis.step(swept.recall[1:], swept.precision[1:], where="pre", color=_ANOMALOUS, linewidth=1.5)
    axis.axhline(labels.mean(), color="grey", linewidth=1, linestyle=":", label=f"flag everything {labels.mean():.3f}")
    for marker, (name, threshold) in zip("os^Dv" * len(thresholds), thresholds.items(), strict=False):
        counts = Confusion.from_flags(threshold.flags(scores, classes), labels)
        if counts.precision is not None:
            axis.plot(counts.recall, counts.precision, marker, color="black", label=f"{name}: F1 {counts.f1:.3f}")
    axis.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axis.set_title(f"{title}, AP {swept.average_precision:.4f}")
    axis.legend(fontsize=8, loc="lower left")
    return figure
