"""What the scores of a split look like, each with the thresholds of the run: histogram, curves, verdicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from anodice.metrics.sweep import Confusion, sweep
from anodice.thresholds.threshold import Threshold

NORMAL, ANOMALOUS = "#4878a8", "#c8503c"
_LINES = ("-", "--", ":", "-.")
_SIZE = (6.4, 3.6)


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
    figure, axis = _figure(title)
    low, high = float(scores.min()), float(scores.max())
    logarithmic = low > 0 and high > 10 * low
    bins = np.geomspace(low, high, 60) if logarithmic else np.linspace(low, high if high > low else low + 1, 60)
    for name, colour, chosen in (("normal", NORMAL, ~labels), ("anomalous", ANOMALOUS, labels)):
        axis.hist(scores[chosen], bins=bins, color=colour, alpha=0.7, label=f"{name} ({int(chosen.sum())})")
    _mark(axis, thresholds, low, high)
    if logarithmic:
        axis.set_xscale("log")
    score_axis(axis, logarithmic=logarithmic, low=low, high=high)
    axis.set_yscale("symlog", linthresh=5)
    most = axis.get_ylim()[1]
    axis.set_yticks([k for k in (0, 1, 2, 5, *(m * 10**e for e in range(1, 7) for m in (1, 2, 5))) if k <= most])
    axis.yaxis.set_major_formatter(FormatStrFormatter("%d"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.set_ylabel("images")
    figure.legend(fontsize=8, loc="outside right center")
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
    swept = sweep(scores, labels)
    figure, axis = _figure(f"{title}\naverage precision {swept.average_precision:.4f}")
    axis.step(swept.recall[1:], swept.precision[1:], where="pre", color=ANOMALOUS, linewidth=1.5)
    axis.axhline(labels.mean(), color="grey", linewidth=1, linestyle=":", label=f"flag everything {labels.mean():.3f}")
    for marker, name, counts in _points(scores, labels, thresholds, classes):
        if counts.precision is not None:
            axis.plot(counts.recall, counts.precision, marker, color="black", label=f"{name}: F1 {counts.f1:.3f}")
    axis.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    figure.legend(fontsize=8, loc="outside right center")
    return figure


def roc(
    scores: np.ndarray,
    labels: np.ndarray,
    thresholds: Mapping[str, Threshold],
    *,
    title: str,
    classes: np.ndarray | None = None,
) -> Figure:
    """Recall over the false-alarm rate at every cut, with the point of each threshold; needs both labels.

    Args:
        classes: what the detector takes each image for, for thresholds with a value for each class.
    """
    swept = sweep(scores, labels)
    figure, axis = _figure(f"{title}\nAUROC {swept.auroc:.4f}")
    axis.plot(swept.false_positive_rate, swept.recall, color=ANOMALOUS, linewidth=1.5)
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="flag at random")
    for marker, name, counts in _points(scores, labels, thresholds, classes):
        rate, recall = counts.false_positive_rate, counts.recall
        axis.plot(rate, recall, marker, color="black", label=f"{name}: {counts.fp} false alarms, {counts.fn} misses")
    axis.set(xlabel="false-alarm rate", ylabel="recall", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    figure.legend(fontsize=8, loc="outside right center")
    return figure


def over_threshold(
    scores: np.ndarray, labels: np.ndarray, thresholds: Mapping[str, Threshold], *, title: str
) -> Figure:
    """F1, precision and recall at every threshold, and where those of the run lie; needs both labels.

    Args:
        thresholds: those far outside the scores are left out, as are those with a value for each class.
    """
    swept = sweep(scores, labels)
    figure, axis = _figure(title)
    low, high = float(scores.min()), float(scores.max())
    for name, values, colour in (
        ("F1", swept.f1, "#2f7d4f"),
        ("precision", swept.precision, NORMAL),
        ("recall", swept.recall, ANOMALOUS),
    ):
        axis.step(swept.thresholds, values, where="pre", color=colour, linewidth=1.4, label=name)
    _mark(axis, thresholds, low, high)
    logarithmic = low > 0 and high > 10 * low
    if logarithmic:
        axis.set_xscale("log")
    score_axis(axis, logarithmic=logarithmic, low=low, high=high)
    axis.set(xlabel="threshold", ylim=(-0.02, 1.04))
    figure.legend(fontsize=8, loc="outside right center")
    return figure


def confusion_matrix(counts: Confusion, *, title: str) -> Figure:
    """The verdicts against the truth, with counts, shares of each row, and the accuracy."""
    figure = Figure(figsize=(5.6, 4), layout="constrained")
    axis = figure.subplots()
    table = np.array([[counts.tn, counts.fp], [counts.fn, counts.tp]])
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.3)
    for (row, column), count in np.ndenumerate(table):
        words = f"{count}\n{100 * shares[row, column]:.1f} %"
        axis.text(column, row, words, ha="center", va="center", fontsize=13)
    axis.set_xticks([0, 1], ["passed", "flagged"])
    axis.set_yticks([0, 1], ["normal", "anomalous"], rotation=90, va="center")
    _head(figure, f"{title}\naccuracy {counts.accuracy:.3f}")
    return figure


def by_group(
    scores: np.ndarray,
    labels: np.ndarray,
    flags: np.ndarray,
    groups: np.ndarray,
    *,
    threshold: Threshold,
    what: str,
    title: str,
) -> Figure:
    """The scores of each class or session, a row each, with its false alarms and misses.

    Args:
        flags: (N,) bool, the verdicts.
        groups: (N,) the name of the class or the session of each image.
        threshold: its line is left out where it has a value for each class.
        what: the groups are.
    """
    names = sorted(set(groups.tolist()))
    figure = Figure(figsize=(_SIZE[0], 1.5 + 0.26 * len(names)), layout="constrained")
    axis = figure.subplots()
    for row, name in enumerate(names):
        for label, colour in ((False, NORMAL), (True, ANOMALOUS)):
            shown = scores[(groups == name) & (labels == label)]
            axis.plot(shown, np.full(len(shown), row), "|", color=colour, markersize=11, alpha=0.6)
    low, high = float(scores.min()), float(scores.max())
    if threshold.by_class is None:
        _mark(axis, {threshold.rule: threshold}, low, high)
    logarithmic = low > 0 and high > 10 * low
    if logarithmic:
        axis.set_xscale("log")
    score_axis(axis, logarithmic=logarithmic, low=low, high=high)
    axis.set_yticks(
        range(len(names)), [_rates(name, labels, flags, groups == name) for name in names], fontsize=8, parse_math=False
    )
    axis.set(ylim=(len(names) - 0.4, -0.6), ylabel=what)
    _head(figure, f"{title}\nblue: normal, red: anomalous, line: threshold")
    return figure


def score_axis(axis: Axes, *, logarithmic: bool, low: float, high: float) -> None:
    """Ticks that do not overlap, in plain numbers."""
    if logarithmic:
        decades = np.log10(high / low)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,), numticks=12))
        axis.xaxis.set_minor_locator(NullLocator())
    else:
        axis.xaxis.set_major_locator(MaxNLocator(7))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_xlabel("score (higher = more anomalous)")


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axis = figure.subplots()
    _head(figure, title)
    return figure, axis


def _head(figure: Figure, title: str) -> None:
    """Over the whole figure: names of runs are longer than an axis is wide."""
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", parse_math=False)


def _mark(axis: Axes, thresholds: Mapping[str, Threshold], low: float, high: float) -> None:
    """A line for each threshold that is not far outside the scores."""
    margin = high - low
    single = {name: t.value for name, t in thresholds.items() if t.by_class is None}
    inside = {name: value for name, value in single.items() if low - margin <= value <= high + margin}
    for line, (name, value) in zip(_LINES * len(inside), inside.items(), strict=False):
        axis.axvline(value, color="black", linestyle=line, linewidth=1.2, label=f"{name} {value:.4g}")


def _points(
    scores: np.ndarray, labels: np.ndarray, thresholds: Mapping[str, Threshold], classes: np.ndarray | None
) -> list[tuple[str, str, Confusion]]:
    """A marker, the name and the counts of each threshold."""
    markers = "os^Dv" * len(thresholds)
    return [
        (marker, name, Confusion.from_flags(threshold.flags(scores, classes), labels))
        for marker, (name, threshold) in zip(markers, thresholds.items(), strict=False)
    ]


def _rates(name: str, labels: NDArray[np.bool_], flags: NDArray[np.bool_], here: NDArray[np.bool_]) -> str:
    """`03: 1 of 30 falsely flagged`, `ano: 2 of 52 missed`."""
    words = []
    if (here & ~labels).any():
        words.append(f"{int((here & flags & ~labels).sum())} of {int((here & ~labels).sum())} falsely flagged")
    if (here & labels).any():
        words.append(f"{int((here & ~flags & labels).sum())} of {int((here & labels).sum())} missed")
    return f"{name}: {', '.join(words)}"
