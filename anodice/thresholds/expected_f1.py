"""The threshold with the highest F1 to expect on new images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anodice.metrics.sweep import sweep
from anodice.thresholds.extreme_values import Tail
from anodice.thresholds.images import Images
from anodice.thresholds.resampling import RESAMPLES, resamples

LEVEL = 0.95
"""A threshold is told from the best one where its F1 is lower in more than this share of the resamples."""


def expected_f1_max(images: Images) -> float:
    """Of the thresholds that cannot be told from the one with the highest F1, the one with the highest expected F1.

    A threshold cannot be told from the best one if, in at least one in twenty bootstrap resamples over groups, its F1
    is as high. The F1 to expect is the mean, over resamples of the normals and of the anomalies, of the F1 by tails
    fitted to them (see `Tail`; that of the anomalies is their lower one), with the share of anomalies that the images
    have. Around the highest, thresholds whose expected F1 is lower by less than one anomaly are as good: the value is
    the middle of these, the farthest from both classes. Needs at least 10 images of each class.

    A shift of all scores, as of another session, was tried on top and left out: on real photos of sessions that were
    left out it lost more where the classes overlap than it won.
    """
    grid = _good_ones(images)
    grid = grid[_like_the_best(images, grid)]
    f1 = _expected_f1(images, grid)
    lower = np.flatnonzero(f1 < f1.max() - 0.5 / images.label.sum())
    best = int(np.argmax(f1))
    first = lower[lower < best].max(initial=-1) + 1
    last = lower[lower > best].min(initial=grid.size) - 1
    return float((grid[first] + grid[last]) / 2)


def _good_ones(images: Images) -> NDArray[np.float64]:
    """Some hundreds of rising thresholds, the plain maximum among them, where F1 is at most 0.1 below the highest."""
    swept = sweep(images.score, images.label)
    f1, best = swept.f1, swept.best_f1()
    good = np.flatnonzero(f1 >= f1[best] - 0.1)
    distinct = np.unique(images.score)
    first, last = swept.thresholds[good[-1]], swept.thresholds[good[0]]
    low = distinct[max(np.searchsorted(distinct, first) - 1, 0)]
    high = distinct[min(np.searchsorted(distinct, last), distinct.size - 1)]
    inside = np.linspace(low, high, _GRID + 1)[1:]  # the gaps between scores are wide where it matters
    cuts = swept.thresholds[good[:: max(1, good.size // _GRID)]]
    return np.unique(np.concatenate([inside, cuts[cuts > low], [swept.thresholds[best]]]))


def _like_the_best(images: Images, grid: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which thresholds (M,) cannot be told from the one with the highest F1."""
    order = np.argsort(images.score, kind="stable")
    first = np.searchsorted(images.score[order], grid)  # the lowest image that each threshold flags
    label, group = images.label[order], images.group[order]
    rng, groups = np.random.default_rng(0), int(images.group.max()) + 1
    best = int(np.argmax(_f1(np.ones(label.size), label, first)))
    as_high = np.zeros(grid.size)
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(0, groups, groups), minlength=groups)[group]
        f1 = _f1(weights, label, first)
        as_high += f1 >= f1[best]
    return as_high >= (1 - LEVEL) * RESAMPLES


def _f1(weights: NDArray, label: NDArray[np.bool_], first: NDArray[np.intp]) -> NDArray[np.float64]:
    """F1 (M,) where all from index `first` (M,) on are flagged, of weighted (N,) images by rising score."""
    flagged, found = (np.append(np.cumsum(w[::-1])[::-1], 0.0)[first] for w in (weights, weights * label))
    total = flagged + (weights * label).sum()
    return np.divide(2 * found, total, out=np.zeros(first.size), where=total > 0)


def _expected_f1(images: Images, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The F1 (M,) to expect of thresholds (M,) on new images."""
    normals, anomalies = images.normals, images.anomalies
    mirrored = Images(-anomalies.score, anomalies.label, anomalies.group, anomalies.session, anomalies.predicted)
    total, drawn = np.zeros(grid.size), 0
    for above, below in zip(resamples(normals, 1), resamples(mirrored, 2), strict=False):
        false_alarms = normals.score.size * Tail.of(above).above(grid)
        found = anomalies.score.size * (1 - Tail.of(below).above(-grid))
        total += 2 * found / (found + false_alarms + anomalies.score.size)
        drawn += 1
    return total / drawn


_GRID = 300
