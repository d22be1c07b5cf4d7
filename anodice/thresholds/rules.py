"""Rules that turn validation scores into a threshold. Each has a `name` and `fit(...) -> Threshold`."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import genpareto

from anodice.errors import AnodiceError
from anodice.metrics.sweep import Sweep, scored, sweep
from anodice.thresholds.fitted import Threshold
from anodice.thresholds.tail import FITS, exceedances, p_value, pareto


class Rule(Protocol):
    """What all rules share: scores (N,) and labels (N,) of the split `fitted_on` go in, a Threshold comes out.

    `classes` (N,) names the class that the detector takes each image for; only `PerClass` looks at it.

    Only the oracle may be fitted on "test"; every other rule answers that with an AnodiceError.
    """

    name: ClassVar[str]

    def check(self, normals: int, anomalies: int) -> None:
        """Refuse, before any training, counts that the rule cannot be fitted to: an AnodiceError with the cures."""

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold: ...


@dataclass(frozen=True)
class F1Max:
    """The cut with the highest F1 among all cuts between distinct scores; of several, the highest.

    Exact: its verdicts reach the highest F1 that any threshold reaches on these scores.

    >>> F1Max().fit([1, 2, 3, 4], [0, 0, 1, 1], fitted_on="validation", split_digest="").value
    2.5
    """

    name: ClassVar[str] = "f1_max"

    def check(self, normals: int, anomalies: int) -> None:
        _need_both(self.name, normals, anomalies)

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        return _f1_max(self.name, scores, labels, fitted_on, split_digest)


@dataclass(frozen=True)
class FBeta:
    """The cut with the highest F-beta, which holds recall for `beta` times as important as precision (van Rijsbergen).

    Exact, as F1Max is, and of several cuts the highest; beta > 0, and 1 is F1 itself.

    >>> F1Max().fit([1, 2, 3, 4], [0, 1, 0, 1], fitted_on="validation", split_digest="").value
    1.5
    >>> FBeta(beta=0.5).fit([1, 2, 3, 4], [0, 1, 0, 1], fitted_on="validation", split_digest="").value
    3.5
    """

    beta: float = 2.0
    name: ClassVar[str] = "f_beta"

    def __post_init__(self) -> None:
        if not 0 < self.beta < math.inf:
            raise AnodiceError(
                f"expected a finite beta above 0, got {self.beta!r}; set threshold.beta=2 to hold a miss for worse "
                "than a false alarm, 0.5 for the reverse."
            )

    def check(self, normals: int, anomalies: int) -> None:
        _need_both(self.name, normals, anomalies)

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        swept = sweep(scores, labels)
        self.check(swept.normals, swept.anomalies)
        cut = swept.best_f_beta(self.beta)
        found = _at_cut(self.name, swept, cut, fitted_on, split_digest)
        reached = float(swept.f_beta(self.beta)[cut])
        return replace(found, detail={"beta": self.beta, "f_beta": reached, **found.detail})


@dataclass(frozen=True)
class Oracle:
    """The F1Max of the test images themselves: an upper bound in hindsight, never a result.

    Args:
        allowed: whether the user asked for it as the rule of a run; the row of each table needs no permission.
    """

    allowed: bool = False
    name: ClassVar[str] = "oracle"

    def check(self, normals: int, anomalies: int) -> None:
        """Refuse a run that nobody allowed; the counts are those of validation, which the oracle does not look at."""
        if not self.allowed:
            raise AnodiceError(
                "expected allow_oracle=true beside threshold=oracle, because its threshold is fitted on the test "
                "images themselves; set it if an upper bound is what you want, or use threshold=f1_max for a result."
            )

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        if fitted_on != "test":
            raise AnodiceError(
                f"expected the oracle to be fitted on test, got {fitted_on}; use threshold=f1_max on validation."
            )
        return _f1_max(self.name, scores, labels, fitted_on, split_digest)


@dataclass(frozen=True)
class RecallAt:
    """The highest cut between distinct scores that flags at least the share `target`, in (0, 1], of the anomalies.

    >>> RecallAt(1.0).fit([1, 2, 3, 4], [0, 1, 0, 1], fitted_on="validation", split_digest="").value
    1.5
    """

    target: float = 1.0
    name: ClassVar[str] = "recall_at"

    def __post_init__(self) -> None:
        if not 0 < self.target <= 1:
            raise AnodiceError(
                f"expected a recall in (0, 1], got {self.target!r}; set threshold.target=1.0 to miss no anomaly of "
                "validation."
            )

    def check(self, normals: int, anomalies: int) -> None:
        if anomalies == 0:
            raise _missing_class(self.name, normals, anomalies)

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        swept = sweep(scores, labels)
        self.check(swept.normals, swept.anomalies)
        found = _at_cut(self.name, swept, swept.at_recall(self.target), fitted_on, split_digest)
        return replace(found, detail={"target": self.target, **found.detail})


@dataclass(frozen=True)
class PrecisionAt:
    """The cut that finds the most anomalies with at least the share `target`, in (0, 1], of its alarms right.

    Of several, the highest. Where the highest score is a normal image's, a high target may be out of reach: then it is
    the cut with the highest precision that there is, and `detail["reachable"]` is false.

    >>> PrecisionAt(1.0).fit([1, 2, 3, 4], [0, 1, 0, 1], fitted_on="validation", split_digest="").value
    3.5
    >>> missed = PrecisionAt(1.0).fit([1, 2, 3, 4], [0, 1, 1, 0], fitted_on="validation", split_digest="")
    >>> missed.value, missed.detail["reachable"], round(missed.detail["precision"], 3)
    (1.5, False, 0.667)
    """

    target: float = 0.95
    name: ClassVar[str] = "precision_at"

    def __post_init__(self) -> None:
        if not 0 < self.target <= 1:
            raise AnodiceError(
                f"expected a precision in (0, 1], got {self.target!r}; set threshold.target=0.95 for one false alarm "
                "in 20 alarms on validation."
            )

    def check(self, normals: int, anomalies: int) -> None:
        _need_both(self.name, normals, anomalies)

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        swept = sweep(scores, labels)
        self.check(swept.normals, swept.anomalies)
        cut = swept.at_precision(self.target)
        found = _at_cut(self.name, swept, cut, fitted_on, split_digest)
        reached = float(swept.precision[cut])
        detail = {"target": self.target, "precision": reached, "reachable": reached >= self.target}
        return replace(found, detail={**detail, **found.detail})


@dataclass(frozen=True)
class Manual:
    """The value as it is given."""

    value: float
    name: ClassVar[str] = "manual"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise AnodiceError(
                f"expected a finite threshold, got {self.value!r}; set threshold.value to a number "
                "on the scale of scores.csv."
            )

    def check(self, normals: int, anomalies: int) -> None:
        """Any counts will do."""

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        return Threshold(float(self.value), self.name, 0, 0, "nothing", "")


@dataclass(frozen=True)
class FlagEverything:
    """The lowest finite float: the trivial baseline that every detector must beat."""

    name: ClassVar[str] = "flag_everything"

    def check(self, normals: int, anomalies: int) -> None:
        """Any counts will do."""

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        return Threshold(-sys.float_info.max, self.name, 0, 0, "nothing", "")


@dataclass(frozen=True)
class NormalsOnly:
    """The score at which a tail fitted to the normals' scores alone reaches `false_alarm_rate`, in (0, 1).

    Peaks over threshold: a generalised Pareto tail (Pickands 1975) on what the highest tenth of the normals' scores, at
    least 10 and at most 1000, exceed the rest by. Its shape comes from probability-weighted moments (Hosking & Wallis
    1987), held within [-1, 0.5] and drawn towards 0, the exponential tail, as if 10 more scores spoke for that. A rate
    above that of the tail's start is read off the scores themselves; scores all the same get the next float above them.

    `detail["p_value"]` tests the tail by the Anderson-Darling distance against 199 samples from it, each fitted anew;
    `detail["tail_fits"]` says whether it is at least 0.01.

    Realised for a rate of 0.005 on 200 drawn samples each of normal, lognormal, gamma and exponential scores: medians
    of 0.0049 to 0.0061 from 300 normals (the middle 80 %: 0.0016 to 0.0126), 0.0050 to 0.0053 from 3000 (0.0037 to
    0.0068). From 20 normals it is a guess: medians of 0.002 to 0.015 (0.0001 to 0.05).
    """

    false_alarm_rate: float = 0.005
    name: ClassVar[str] = "normals_only"

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 1:
            raise AnodiceError(
                f"expected a false-alarm rate in (0, 1), got {self.false_alarm_rate!r}; set "
                "threshold.false_alarm_rate=0.005 for one false alarm in 200 normal images."
            )

    def check(self, normals: int, anomalies: int) -> None:
        if normals < _FEWEST_NORMALS:
            raise AnodiceError(
                f"expected at least {_FEWEST_NORMALS} normal scores to fit a tail to, got {normals}; hold more normal "
                "images out for validation (data.validation_fraction), or set a value with threshold=manual."
            )

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        values, truth = scored(scores, labels)
        normals = np.sort(values[~truth])
        self.check(normals.size, values.size - normals.size)
        start, excess = exceedances(normals)
        rate = self.false_alarm_rate
        detail: dict[str, Any] = {"false_alarm_rate": rate, "exceedances": excess.size, "tail_fits": None}
        if rate * normals.size < excess.size:
            shape, scale = (part.item() for part in pareto(excess))
            value = start + genpareto.isf(rate * normals.size / excess.size, shape, scale=scale)
            p = p_value(excess)
            detail |= {"tail_start": start, "shape": shape, "scale": scale, "p_value": p, "tail_fits": p >= FITS}
        else:
            swept = sweep(normals, np.zeros(normals.size))
            value = swept.thresholds[swept.false_positive_rate <= rate][-1]
        found = Threshold(float(value), self.name, normals.size, 0, fitted_on, split_digest)
        return replace(found, detail=detail | {"normals_below": float(1 - found.flags(normals).mean())})


@dataclass(frozen=True)
class NormalQuantile:
    """The lowest cut between the normals' scores that lets the share `quantile`, in [0, 1], of them pass.

    >>> NormalQuantile(0.75).fit([1, 2, 3, 4], [0, 0, 0, 0], fitted_on="validation", split_digest="").value
    3.5
    """

    quantile: float = 1.0
    name: ClassVar[str] = "normal_quantile"

    def __post_init__(self) -> None:
        if not 0 <= self.quantile <= 1:
            raise AnodiceError(
                f"expected a quantile in [0, 1], got {self.quantile!r}; set threshold.quantile=0.99 to let 99 % of the "
                "normal images pass."
            )

    def check(self, normals: int, anomalies: int) -> None:
        if normals == 0:
            raise AnodiceError(
                "expected normal scores to take a quantile of, got none; hold normal images out for validation "
                "(data.validation_fraction)."
            )

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        _refuse_test(self.name, fitted_on)
        values, truth = scored(scores, labels)
        normals = values[~truth]
        self.check(normals.size, values.size - normals.size)
        swept = sweep(normals, np.zeros(normals.size))
        value = swept.thresholds[swept.fp <= math.floor((1 - self.quantile) * normals.size + 1e-9)][-1]
        found = Threshold(float(value), self.name, normals.size, 0, fitted_on, split_digest)
        below = float(1 - found.flags(normals).mean())
        return replace(found, detail={"quantile": self.quantile, "normals_below": below})


@dataclass(frozen=True)
class PerClass:
    """A value for each class that the detector tells apart, fitted by `rule` to the images it takes for that class.

    Classes to which the rule cannot be fitted get the value that it finds on all images together. Values of their own
    pay where the scores of the classes differ; they cost certainty, since each rests on fewer images.
    """

    rule: Rule
    name: ClassVar[str] = "per_class"

    def __post_init__(self) -> None:
        if self.rule.name in (Oracle.name, self.name):
            raise AnodiceError(
                f"expected a rule that is fitted on validation for each class, got {self.rule.name}; use f1_max, "
                "f_beta, recall_at, precision_at, normal_quantile or normals_only."
            )

    def check(self, normals: int, anomalies: int) -> None:
        self.rule.check(normals, anomalies)

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str,
        split_digest: str,
        classes: ArrayLike | None = None,
    ) -> Threshold:
        values, truth = scored(scores, labels)
        names = np.full(values.size, "") if classes is None else np.asarray(classes)
        if not np.all(names != ""):
            raise AnodiceError(
                "expected a detector that tells classes apart for a threshold per class; use model=ae_classifier or "
                "model=template, or threshold=f1_max."
            )
        provenance = {"fitted_on": fitted_on, "split_digest": split_digest}
        pooled = self.rule.fit(values, truth, **provenance)
        by_class, shared = {}, []
        for name in sorted(set(names.tolist())):
            own = names == name
            try:
                by_class[name] = self.rule.fit(values[own], truth[own], **provenance).value
            except AnodiceError:  # too few images, or of one kind only
                shared.append(name)
        detail = {"rule": self.rule.name, "with_the_pooled_value": shared}
        return replace(pooled, rule=self.name, detail=detail, by_class=by_class)


_FEWEST_NORMALS = 20


def _f1_max(rule: str, scores: ArrayLike, labels: ArrayLike, fitted_on: str, split_digest: str) -> Threshold:
    swept = sweep(scores, labels)
    _need_both(rule, swept.normals, swept.anomalies)
    return _at_cut(rule, swept, swept.best_f1(), fitted_on, split_digest)


def _at_cut(rule: str, swept: Sweep, cut: int, fitted_on: str, split_digest: str) -> Threshold:
    below = float(swept.tn[cut] / swept.normals) if swept.normals > 0 else None
    detail = {"f1": float(swept.f1[cut]), "recall": float(swept.recall[cut]), "normals_below": below}
    value = float(swept.thresholds[cut])
    return Threshold(value, rule, swept.normals, swept.anomalies, fitted_on, split_digest, detail)


def _need_both(rule: str, normals: int, anomalies: int) -> None:
    if anomalies == 0 or normals == 0:
        raise _missing_class(rule, normals, anomalies)


def _missing_class(rule: str, normals: int, anomalies: int) -> AnodiceError:
    cure = (
        "use threshold=normals_only, or put some anomalous photos into train_set/ano so that validation has them."
        if anomalies == 0
        else "hold normal images out for validation, or set a value with threshold=manual."
    )
    return AnodiceError(
        f"expected normal and anomalous images to fit {rule} on, got {normals} normal and {anomalies} anomalous; {cure}"
    )


def _refuse_test(rule: str, fitted_on: str) -> None:
    if fitted_on == "test":
        raise AnodiceError(
            f"expected validation to fit {rule} on, got test; the oracle is the only rule that may look at test, so "
            "fit on validation."
        )
