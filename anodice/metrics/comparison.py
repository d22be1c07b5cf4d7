"""Two detectors on the same images: the differences of their figures, and the verdicts in which they differ."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from anodice.errors import AnodiceError
from anodice.metrics.bootstrap import Interval, Ranking, numbered
from anodice.metrics.sweep import Confusion, binary, scored, sweep


@dataclass(frozen=True)
class Difference:
    """A figure of the first detector minus that of the second, with its interval; None where it cannot be had."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """The first detector against the second.

    Attributes:
        f1: at each detector's own verdicts.
        only_first_right: how many images the first alone judges right.
        only_second_right: how many images the second alone judges right.
        p_value: how often two equally good detectors would differ at least so unevenly (McNemar 1947, exact); 1 where
            no verdict differs.
        differing: the indices of the images whose verdicts differ, rising.
    """

    images: int
    f1: Difference
    auroc: Difference
    average_precision: Difference
    only_first_right: int
    only_second_right: int
    p_value: float
    differing: tuple[int, ...]


def compare(
    scores: Sequence[ArrayLike],
    flags: Sequence[ArrayLike],
    labels: ArrayLike,
    groups: Iterable[Hashable] | None = None,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two detectors on the same images; differences above 0 speak for the first.

    The bootstrap is that of `bootstrap`, with the same weights for both detectors, so that what is hard for both does
    not widen the interval. For F1 each class has four more groups of weight Gamma(1/4): both right, both wrong, one
    right alone. Each detector by itself then has the two of Gamma(1/2) that `bootstrap` adds.

    AUROC and average precision take the percentiles of the differences. Where both part the classes perfectly, the
    images cannot tell the rankings apart and there is no interval.

    Args:
        scores: two of (N,), finite, higher = more anomalous.
        flags: two of (N,) 0/1, the verdicts of each detector's own threshold.
        labels: (N,) 0/1, 1 = anomalous.
        groups: (N,), as in `bootstrap`; None for each image by itself.

    >>> found = compare([[1, 2, 3, 4], [1, 3, 2, 4]], [[0, 0, 1, 1], [0, 1, 0, 1]], [0, 0, 1, 1], "abcd", seed=0)
    >>> found.f1.value, found.only_first_right, found.only_second_right, found.p_value, found.differing
    (0.5, 2, 0, 0.5, (1, 2))
    """
    values, (truth, *_) = zip(*(scored(s, labels) for s in scores), strict=True)
    verdicts = [binary(f, "verdicts") for f in flags]
    group = numbered(range(truth.size) if groups is None else groups)
    if len(values) != 2 or len(verdicts) != 2 or any(x.shape != truth.shape for x in (*verdicts, group)):
        raise AnodiceError(
            f"expected scores and verdicts of two detectors and one group for each of {truth.size} images, got "
            f"{len(values)} and {len(verdicts)} and {group.size} groups; pass all for the same images."
        )
    right = [flagged == truth for flagged in verdicts]
    only = [int((right[k] & ~right[1 - k]).sum()) for k in range(2)]
    tails = 100 * np.array([0.5 - level / 2, 0.5 + level / 2])
    rng = np.random.default_rng(seed)
    weights = rng.standard_exponential((resamples, group.max() + 1))
    swept = [sweep(v, truth) for v in values]
    f1 = [Confusion.from_flags(flagged, truth).f1 for flagged in verdicts]
    ranked = np.subtract(*(Ranking.of(v, truth, group).figures(weights, None)[:2] for v in values))
    parted = all(s.auroc == 1 for s in swept)
    ranked_ends = [None, None] if parted else np.percentile(ranked, tails, axis=1).T
    return Comparison(
        images=truth.size,
        f1=_difference(f1, np.percentile(_f1_draws(right, truth, group, weights, rng), tails)),
        auroc=_difference([s.auroc for s in swept], ranked_ends[0]),
        average_precision=_difference([s.average_precision for s in swept], ranked_ends[1]),
        only_first_right=only[0],
        only_second_right=only[1],
        p_value=float(binomtest(only[0], sum(only)).pvalue) if sum(only) > 0 else 1.0,
        differing=tuple(np.flatnonzero(verdicts[0] != verdicts[1]).tolist()),
    )


def _difference(figures: Sequence[float | None], ends: NDArray[np.float64] | None) -> Difference:
    first, second = figures
    if first is None or second is None:
        return Difference(None, None)
    value = first - second
    return Difference(value, None if ends is None else Interval(min(float(ends[0]), value), max(float(ends[1]), value)))


def _f1_draws(
    right: Sequence[NDArray[np.bool_]],
    truth: NDArray[np.bool_],
    group: NDArray[np.intp],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draws (B,) of the first's F1 minus the second's."""
    rates = []
    for own in (truth, ~truth):
        joint = np.stack(
            [own & (right[0] == a) & (right[1] == b) for a in (True, False) for b in (True, False)], axis=1
        )
        cells = np.stack([np.bincount(group, weights=cell) for cell in joint.T], axis=1)  # (G, 4)
        sizes = cells.sum(axis=1)
        added = rng.standard_gamma(0.25, (len(weights), 4)) * (sizes**2).sum() / max(sizes.sum(), 1)
        drawn = weights @ cells + added
        rates.append(drawn / np.maximum(drawn.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))
    (found, alarms), anomalies, normals = rates, truth.sum(), (~truth).sum()
    figures = []
    for alone in (1, 2):  # both right is cell 0; cell 1 is the first's alone, cell 2 the second's
        tp, fp = anomalies * (found[:, 0] + found[:, alone]), normals * (1 - alarms[:, 0] - alarms[:, alone])
        figures.append(2 * tp / (tp + fp + anomalies) if anomalies > 0 else np.zeros_like(tp))
    return figures[0] - figures[1]
