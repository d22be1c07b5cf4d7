"""Threshold rules that look at normal images alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from anodice.errors import AnodiceError
from anodice.metrics.sweep import sweep
from anodice.thresholds.extreme_values import FEWEST, FITS, Tail, p_value
from anodice.thresholds.images import Images
from anodice.thresholds.resampling import resamples
from anodice.thresholds.rule import Rule
from anodice.thresholds.sessions import BetweenSessions


@dataclass(frozen=True)
class NormalsOnly(Rule):
    """The score above which, with the chosen confidence, at most `false_alarm_rate` of new normal images lie.

    Three parts, from the scores of the normals alone:

    1. The score at which a tail fitted to them reaches `false_alarm_rate`, in (0, 1). Peaks over threshold: a
       generalised Pareto tail (Pickands 1975) on what the highest tenth of the scores, at least 10 and at most 1000,
       exceed the rest by. Its shape comes from probability-weighted moments (Hosking & Wallis 1987), held within
       [-1, 0.5] and drawn towards 0, the exponential tail, as if 10 more scores spoke for that. A rate above that of
       the tail's start is read off the scores themselves; scores all the same get the next float above them. N normals
       say nothing of rarer alarms than one in 2 N: a lower rate is raised to that.
    2. A margin for what chance gave: a basic bootstrap bound of that score's distance from the median, on the log
       scale, with the `confidence` in [0.5, 1), from 200 resamples of the groups of images.
    3. A margin for a shooting session that nobody has seen, where two sessions or more are known to hold 10 normals:
       the `confidence` quantile of how far one more session lies above the mean of the known ones; see
       `BetweenSessions`.

    The two margins are independent of one another: the root of the sum of their squares is added to the first part.

    Held on 60 drawn samples each of normal, lognormal, gamma and exponential scores, for a rate of 0.001 and a
    confidence of 0.9: from 3000 normals in 82 to 87 % of them, from 585 in 73 to 87 %, from 300 (the rate is raised to
    0.0017) in 72 to 85 %; the bare estimate holds in about half. On a session that nobody has seen, of normals that
    differ between sessions by half their deviation, for a rate of 0.005 and two, four or eight known sessions: in 77 to
    95 %, where the bare estimate holds in 33 to 63 %.

    `detail` holds the parts, in the unit of the scores. `detail["p_value"]` tests the tail by the Anderson-Darling
    distance against 199 samples from it, each fitted anew; `detail["tail_fits"]` says whether it is at least 0.01.
    """

    false_alarm_rate: float = 0.001
    confidence: float = 0.9
    name: ClassVar[str] = "normals_only"
    normals_alone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 1:
            raise AnodiceError(
                f"expected a false-alarm rate in (0, 1), got {self.false_alarm_rate!r}; set "
                "threshold.false_alarm_rate=0.001 for one false alarm in 1000 normal images."
            )
        if not 0.5 <= self.confidence < 1:
            raise AnodiceError(
                f"expected a confidence in [0.5, 1), got {self.confidence!r}; set threshold.confidence=0.9 to hold the "
                "false-alarm rate in nine of ten cases, 0.5 for the bare estimate."
            )

    def check(self, normals: int, anomalies: int) -> None:
        if normals < FEWEST:
            raise AnodiceError(
                f"expected at least {FEWEST} normal scores to fit a tail to, got {normals}; hold more normal "
                "images out for validation (split.validation_fraction), or set a value with threshold=manual."
            )

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        normals = images.normals
        tail = Tail.of(np.sort(normals.score))
        rate = max(self.false_alarm_rate, 0.5 / normals.score.size)
        estimate, sessions = tail.value(rate), BetweenSessions.of(normals)
        chance = sessions_margin = 0.0
        if self.confidence > 0.5:
            chance = _margin_for_chance(normals, rate, estimate, self.confidence)
            sessions_margin = sessions.margin(self.confidence)
        detail: dict[str, Any] = {
            "false_alarm_rate": rate,
            "confidence": self.confidence,
            "estimate": estimate,
            "margin_for_chance": chance,
            "margin_for_another_session": sessions_margin,
            "sessions": sessions.sessions,
            "exceedances": tail.excess.size,
            "tail_fits": None,
        }
        if tail.reaches(rate):
            p = p_value(tail.excess)
            fitted = {"tail_start": tail.start, "shape": tail.shape, "scale": tail.scale}
            detail |= {**fitted, "p_value": p, "tail_fits": p >= FITS}
        return estimate + math.hypot(chance, sessions_margin), detail


def _margin_for_chance(normals: Images, rate: float, estimate: float, confidence: float) -> float:
    """How far above the estimate the value of `rate` lies at most, as far as these normals tell."""
    middle = float(np.median(normals.score))
    drawn = [Tail.of(scores).value(rate) for scores in resamples(normals, 0)]
    low = float(np.quantile(drawn, 1 - confidence))
    if not middle < low < estimate:
        return max(0.0, estimate - low)
    # As far above the estimate as an unlucky resample lies below it, by ratio: the estimates are skewed.
    return (estimate - middle) * ((estimate - middle) / (low - middle) - 1)


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

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        normals = images.normals.score
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

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        normals = images.normals.score
        mean, deviation = float(normals.mean()), float(normals.std())
        return mean + self.k * deviation, {"k": self.k, "mean": mean, "standard_deviation": deviation}
