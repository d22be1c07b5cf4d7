"""Threshold rules that look at normal images alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.stats import genpareto

from anodice.errors import AnodiceError
from anodice.metrics.sweep import sweep
from anodice.thresholds.extreme_values import FITS, exceedances, p_value, pareto
from anodice.thresholds.rule import Labels, Rule, Scores


@dataclass(frozen=True)
class NormalsOnly(Rule):
    """The score at which a tail fitted to the normals' scores alone reaches `false_alarm_rate`, in (0, 1).

    Peaks over threshold: a generalised Pareto tail (Pickands 1975) on what the highest tenth of the normals' scores, at
    least 10 and at most 1000, exceed the rest by. Its shape comes from probability-weighted moments (Hosking & Wallis
    1987), held within [-1, 0.5] and drawn towards 0, the exponential tail, as if 10 more scores spoke for that. A rate
    above that of the tail's start is read off the scores themselves; scores all the same get the next float above them.
    N normals say nothing of rarer alarms than one in 2 N: a lower rate is raised to that.

    `detail["p_value"]` tests the tail by the Anderson-Darling distance against 199 samples from it, each fitted anew;
    `detail["tail_fits"]` says whether it is at least 0.01.

    Realised for a rate of 0.001 on 100 drawn samples each of normal, lognormal, gamma and exponential scores: medians
    of 0.0010 to 0.0012 from 3000 normals (the middle 80 %: 0.0005 to 0.0021); of 0.0017 to 0.0027 from 300 (0.0003 to
    0.0079), where the rate is raised to 0.0017; of 0.014 to 0.033 from 25 (0.004 to 0.10), where it is raised to 0.02.
    """

    false_alarm_rate: float = 0.001
    name: ClassVar[str] = "normals_only"
    normals_alone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 1:
            raise AnodiceError(
                f"expected a false-alarm rate in (0, 1), got {self.false_alarm_rate!r}; set "
                "threshold.false_alarm_rate=0.001 for one false alarm in 1000 normal images."
            )

    def check(self, normals: int, anomalies: int) -> None:
        if normals < _FEWEST_NORMALS:
            raise AnodiceError(
                f"expected at least {_FEWEST_NORMALS} normal scores to fit a tail to, got {normals}; hold more normal "
                "images out for validation (split.validation_fraction), or set a value with threshold=manual."
            )

    def find(self, scores: Scores, labels: Labels) -> tuple[float, dict[str, Any]]:
        normals = np.sort(scores[~labels])
        start, excess = exceedances(normals)
        rate = max(self.false_alarm_rate, 0.5 / normals.size)
        detail: dict[str, Any] = {"false_alarm_rate": rate, "exceedances": excess.size, "tail_fits": None}
        if rate * normals.size < excess.size:
            shape, scale = (part.item() for part in pareto(excess))
            value = start + genpareto.isf(rate * normals.size / excess.size, shape, scale=scale)
            p = p_value(excess)
            detail |= {"tail_start": start, "shape": shape, "scale": scale, "p_value": p, "tail_fits": p >= FITS}
        else:
            swept = sweep(normals, np.zeros(normals.size))
            value = swept.thresholds[swept.false_positive_rate <= rate][-1]
        return value, detail


@dataclass(frozen=True)
class NormalQuantile(Rule):
    """The lowest cut between the normals' scores that lets the share `quantile`, in [0, 1], of them pass.

    >>> NormalQuantile(0.75).fit([1, 2, 3, 4], [0, 0, 0, 0]).value
    3.5
    """

    quantile: float = 0.99
    name: ClassVar[str] = "normal_quantile"
    normals_alone: ClassVar[bool] = True

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
                "(split.validation_fraction)."
            )

    def find(self, scores: Scores, labels: Labels) -> tuple[float, dict[str, Any]]:
        normals = scores[~labels]
        swept = sweep(normals, np.zeros(normals.size))
        value = swept.thresholds[swept.fp <= math.floor((1 - self.quantile) * normals.size + 1e-9)][-1]
        return value, {"quantile": self.quantile}


@dataclass(frozen=True)
class MeanPlusStd(Rule):
    """The mean of the normals' scores plus `k` of their standard deviations, those of a population (ddof 0).

    With k = 1 the rule of an earlier project; of normally distributed scores it flags 16 % at k = 1, 0.13 % at k = 3.

    >>> MeanPlusStd(2).fit([1, 3, 1, 3], [0, 0, 0, 0]).value
    4.0
    """

    k: float = 3.0
    name: ClassVar[str] = "mean_plus_std"
    normals_alone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.k < math.inf:
            raise AnodiceError(
                f"expected a finite number of standard deviations of at least 0, got {self.k!r}; set threshold.k=3 "
                "for three above the mean."
            )

    def check(self, normals: int, anomalies: int) -> None:
        if normals < 2:
            raise AnodiceError(
                f"expected at least 2 normal scores to take a standard deviation of, got {normals}; hold more normal "
                "images out for validation (split.validation_fraction)."
            )

    def find(self, scores: Scores, labels: Labels) -> tuple[float, dict[str, Any]]:
        normals = scores[~labels]
        mean, deviation = float(normals.mean()), float(normals.std())
        return mean + self.k * deviation, {"k": self.k, "mean": mean, "standard_deviation": deviation}


_FEWEST_NORMALS = 10
