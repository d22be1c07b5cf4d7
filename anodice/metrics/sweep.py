"""Every cut between distinct scores, counted from one sort; and the counts of one set of verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anodice.errors import AnodiceError


def finite_scores(scores: ArrayLike) -> NDArray[np.float64]:
    """The scores as float64, whatever their shape; a NaN or an infinity is an AnodiceError.

    A NaN would otherwise pass as normal in silence, because every comparison with it is false.

    >>> finite_scores([3, 1, 2])
    array([3., 1., 2.])
    >>> finite_scores([0.5, float("nan")])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    anodice.errors.AnodiceError: expected finite scores, got 1 of 2 NaN or infinite, the first at index 1; look at ...
    """
    values = np.asarray(scores, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size > 0:
        raise AnodiceError(
            f"expected finite scores, got {bad.size} of {values.size} NaN or infinite, the first at index {bad[0]}; "
            "look at that image and at the model's loss, a diverged training gives such scores."
        )
    return values


def binary(values: ArrayLike, what: str) -> NDArray[np.bool_]:
    """The values as booleans; anything but 0/1 or False/True is an AnodiceError that calls them `what`.

    >>> binary([0, 1.0, True], "labels")
    array([False,  True,  True])
    """
    array = np.asarray(values)
    # Strings are refused by kind: numpy holds "0" to be true.
    bad = np.flatnonzero((array != 0) & (array != 1)) if array.dtype.kind in "biuf" else np.arange(array.size)
    if bad.size > 0:
        raise AnodiceError(
            f"expected {what} of 0 or 1, got {array.flat[bad[0]]!r} at index {bad[0]} and {bad.size} such in all; "
            "give 1 for anomalous and 0 for normal."
        )
    return array.astype(bool)


def scored(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores as (N,) float64 and labels as (N,) bool, N >= 1, checked.

    Raises:
        AnodiceError: no image at all, more than one dimension, lengths that differ, a score that is not finite, a
            label that is not 0 or 1.
    """
    values, truth = finite_scores(scores), binary(labels, "labels")
    if values.ndim != 1 or values.shape != truth.shape or values.size == 0:
        raise AnodiceError(
            f"expected one score and one label for each of at least one image, got scores of shape {values.shape} and "
            f"labels of shape {truth.shape}; pass two arrays of one dimension and the same length."
        )
    return values, truth


@dataclass(frozen=True)
class Confusion:
    """The counts of one set of verdicts; a ratio whose denominator is zero is None, never 0.

    >>> c = Confusion.from_flags(flags=[1, 1, 0, 0], labels=[1, 0, 0, 0])
    >>> (c.precision, c.recall, round(c.f1, 3), round(c.false_positive_rate, 3))
    (0.5, 1.0, 0.667, 0.333)
    >>> nothing_flagged = Confusion.from_flags(flags=[0, 0], labels=[1, 0])
    >>> (nothing_flagged.precision, nothing_flagged.recall, nothing_flagged.f1)
    (None, 0.0, 0.0)
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def from_flags(cls, flags: ArrayLike, labels: ArrayLike) -> Confusion:
        """Counts verdicts (N,) against labels (N,), both 0/1 with 1 = anomalous; N may be 0."""
        flagged, truth = binary(flags, "verdicts"), binary(labels, "labels")
        if flagged.shape != truth.shape:
            raise AnodiceError(
                f"expected one verdict per label, got shapes {flagged.shape} and {truth.shape}; pass both for the "
                "same images."
            )
        tp, fp = int((flagged & truth).sum()), int((flagged & ~truth).sum())
        return cls(tp=tp, fp=fp, fn=int(truth.sum()) - tp, tn=int((~truth).sum()) - fp)

    @property
    def precision(self) -> float | None:
        """The share of the flagged that are anomalous; None where nothing is flagged."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """The share of the anomalous that are flagged; None without anomalies."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """2 tp / (2 tp + fp + fn); None without anomalies, 0 where no anomaly is flagged."""
        return None if self.tp + self.fn == 0 else 2 * self.tp / (2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float | None:
        """The share of all that are judged right; None without images.

        >>> Confusion(tp=1, fp=1, fn=0, tn=2).accuracy
        0.75
        """
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def false_positive_rate(self) -> float | None:
        """The share of the normal that are flagged; None without normals."""
        return _ratio(self.fp, self.fp + self.tn)


def _ratio(part: int, whole: int) -> float | None:
    return None if whole == 0 else part / whole


@dataclass(frozen=True, eq=False)
class Sweep:
    """Counts at every cut, from "nothing flagged" (index 0) down to "everything flagged" (the last index).

    For D distinct scores there are C = D + 1 cuts. `thresholds` (C,) float64 falls strictly; `tp` and `fp` (C,) int64
    never fall. At every cut `score >= threshold` gives exactly the counted verdicts. A threshold lies midway between
    neighbouring distinct scores; the first and the last lie as far outside, so that the rounding of a score that is
    computed again turns no verdict. A single distinct score is its own last threshold, the next float above the first.
    """

    thresholds: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    anomalies: int
    normals: int

    @property
    def fn(self) -> NDArray[np.int64]:
        return self.anomalies - self.tp

    @property
    def tn(self) -> NDArray[np.int64]:
        return self.normals - self.fp

    @property
    def precision(self) -> NDArray[np.float64]:
        """(C,); NaN at index 0, where nothing is flagged (scikit-learn puts 1 there)."""
        return _ratios(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> NDArray[np.float64]:
        """(C,); NaN throughout without anomalies."""
        return _ratios(self.tp, self.anomalies)

    @property
    def false_positive_rate(self) -> NDArray[np.float64]:
        """(C,); NaN throughout without normals."""
        return _ratios(self.fp, self.normals)

    @property
    def f1(self) -> NDArray[np.float64]:
        """(C,); NaN throughout without anomalies."""
        return self.f_beta(1)

    def f_beta(self, beta: float) -> NDArray[np.float64]:
        """(1 + beta²) tp / (tp + fp + beta² (tp + fn)), (C,), for beta > 0; NaN throughout without anomalies."""
        flagged_and_anomalous = self.tp + self.fp + beta**2 * self.anomalies
        return _ratios((1 + beta**2) * self.tp, flagged_and_anomalous if self.anomalies > 0 else 0)

    @property
    def auroc(self) -> float | None:
        """P(an anomaly scores higher than a normal) + P(tie) / 2, in [0, 1]; None where a class is missing.

        The area by trapezoids is exact here: it is a sum of integers, divided once (Hanley & McNeil 1982).
        """
        if self.anomalies == 0 or self.normals == 0:
            return None
        twice = int((np.diff(self.fp) * (self.tp[1:] + self.tp[:-1])).sum())
        return twice / (2 * self.anomalies * self.normals)

    @property
    def average_precision(self) -> float | None:
        """Σ (R_i - R_{i-1}) P_i over the cuts, without interpolation, in [0, 1]; None where a class is missing."""
        if self.anomalies == 0 or self.normals == 0:
            return None
        return float((np.diff(self.tp) * self.precision[1:]).sum() / self.anomalies)

    def best_f1(self) -> int:
        """The index of the highest F1; of several, the one with the highest threshold, which flags the fewest."""
        return self.best_f_beta(1)

    def best_f_beta(self, beta: float) -> int:
        """As `best_f1`, for F-beta."""
        if self.anomalies == 0:
            raise AnodiceError(
                f"expected anomalous images to choose an F1 by, got {self.normals} normal and 0 anomalous; add "
                "anomalous ones, or use a rule that needs normals only."
            )
        return int(self.f_beta(beta).argmax())

    def at_recall(self, target: float) -> int:
        """The index of the highest threshold whose recall is at least `target`, in (0, 1]; needs anomalies."""
        if self.anomalies == 0 or not 0 < target <= 1:
            raise AnodiceError(
                f"expected anomalous images and a recall in (0, 1], got {self.anomalies} anomalous and {target!r}; "
                "add anomalous images or mend the recall."
            )
        return int((self.recall >= target).argmax())

    def at_precision(self, target: float) -> int:
        """The index of the cut that finds the most anomalies with a precision of at least `target`, in (0, 1].

        Where no cut has that precision, the one with the highest; of several, the one that finds the most, and of those
        the one with the highest threshold. Needs both classes.

        >>> s = sweep([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1])
        >>> s.at_precision(1.0), s.at_precision(0.6)
        (1, 3)
        """
        if self.anomalies == 0 or self.normals == 0 or not 0 < target <= 1:
            raise AnodiceError(
                f"expected both classes and a precision in (0, 1], got {self.normals} normal, {self.anomalies} "
                f"anomalous and {target!r}; add the missing images or mend the precision."
            )
        precision = self.precision
        enough = precision >= min(target, precision[1:].max())
        return int(np.where(enough, self.tp, -1).argmax())

    def false_positive_rate_at(self, recall: float) -> float | None:
        """The lowest false-positive rate at which at least `recall` of the anomalies are flagged; None without normals.

        >>> sweep([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1]).false_positive_rate_at(1.0)
        0.5
        """
        cut = self.at_recall(recall)
        return _ratio(int(self.fp[cut]), self.normals)


def _ratios(part: NDArray[np.number], whole: NDArray[np.number] | int) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = part / whole
    return np.where(np.isfinite(ratios), ratios, np.nan)


def sweep(scores: ArrayLike, labels: ArrayLike) -> Sweep:
    """Counts the verdicts at every cut between distinct scores, from one sort in float64.

    Args:
        scores: (N,), any real dtype and range, higher = more anomalous, finite.
        labels: (N,), 0/1 or bool, 1 = anomalous.

    >>> s = sweep([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1])
    >>> s.thresholds.round(2).tolist(), s.tp.tolist(), s.fp.tolist()
    ([1.15, 0.65, 0.25, -0.05], [0, 1, 2, 2], [0, 0, 1, 2])
    >>> s.auroc, round(s.average_precision, 3), s.best_f1()
    (0.875, 0.833, 2)
    """
    values, truth = scored(scores, labels)
    order = np.argsort(values)[::-1]
    values, truth = values[order], truth[order]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), values.size - 1)  # the last of each run of ties
    tp = np.append(0, truth.cumsum()[ends])
    fp = np.append(0, ends + 1) - tp
    return Sweep(_cuts(values[ends]), tp=tp, fp=fp, anomalies=int(tp[-1]), normals=int(fp[-1]))


def _cuts(falling: NDArray[np.float64]) -> NDArray[np.float64]:
    """One threshold above the strictly falling scores (D,), one in every gap, and one that all reach: (D + 1,)."""
    upper, lower = falling[:-1], falling[1:]
    middle = 0.5 * upper + 0.5 * lower  # halved before the sum, which could overflow
    # Between neighbouring floats the midpoint rounds onto one of them; the upper one still parts the two with `>=`.
    middle = np.where((middle > lower) & (middle <= upper), middle, upper)
    with np.errstate(over="ignore"):  # above the greatest float lies infinity only
        above, below = np.nextafter(falling[:1], np.inf), falling[-1:]
        if middle.size > 0:
            above = np.maximum(above, falling[0] + (falling[0] - middle[:1]))
            below = np.maximum(below - (middle[-1:] - below), np.finfo(np.float64).min)
    return np.concatenate([above, middle, below])
