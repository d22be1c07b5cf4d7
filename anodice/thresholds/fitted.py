"""The thresholds of a run: that of the rule which the user picked, and those that every table shows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from anodice.errors import AnodiceError
from anodice.thresholds.f1 import F1Max
from anodice.thresholds.images import Labels, Scores
from anodice.thresholds.normals import NormalsOnly
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import FlagEverything, Oracle
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)


class ScoredImages(Protocol):
    """Columns of N scored images, as `Rule.fit` takes them; `known_session` is empty where it is not known."""

    @property
    def score(self) -> Scores: ...
    @property
    def label(self) -> Labels: ...
    @property
    def predicted(self) -> NDArray: ...
    @property
    def group(self) -> NDArray: ...
    @property
    def known_session(self) -> NDArray: ...


@dataclass(frozen=True)
class FittedThresholds:
    """The thresholds of a run.

    Attributes:
        chosen: that of the rule which the user picked; it gives the verdicts.
        by_rule: rule name -> threshold, the chosen one among them.
        refused: rule name -> why it could not be fitted.
    """

    chosen: Threshold
    by_rule: dict[str, Threshold]
    refused: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For `threshold.json`: rule name -> its threshold, or the reason why there is none."""
        chosen = self.chosen.rule
        fitted = {
            name: {**t.as_dict(), "chosen": name == chosen, "sentence": t.sentence()}
            for name, t in self.by_rule.items()
        }
        return fitted | {name: {"value": None, "rule": name, "reason": why} for name, why in self.refused.items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, Mapping[str, Any]]) -> FittedThresholds:
        """The inverse of `as_dict`."""
        refused = {name: entry["reason"] for name, entry in found.items() if entry["value"] is None}
        fitted = {name: entry for name, entry in found.items() if name not in refused}
        told = ("chosen", "sentence")
        by_rule = {
            name: Threshold.from_dict({key: value for key, value in entry.items() if key not in told})
            for name, entry in fitted.items()
        }
        chosen = next(name for name, entry in fitted.items() if entry["chosen"])
        return cls(by_rule[chosen], by_rule, refused)

    def warnings(self) -> list[str]:
        """What a reader must know of the thresholds, in sentences, the chosen one first."""
        found = []
        if self.chosen.rule == Oracle.name:
            found.append(
                "ORACLE: the run's threshold was fitted on the test images themselves. Its verdicts are an upper bound "
                "in hindsight, never a result; evaluate again with threshold=f1_max for one."
            )
        for name, threshold in self.by_rule.items():
            detail = threshold.detail or {}
            if detail.get("tail_fits") is False:
                found.append(
                    f"{name}: the tail fitted to the highest normal validation scores does not fit them (p-value "
                    f"{detail['p_value']:.3f}), so the false-alarm rate of {detail['false_alarm_rate']:g} that it aims "
                    "at cannot be relied on; use threshold=normal_quantile, which assumes no tail, or look for a few "
                    "odd photos among the normal ones of validation."
                )
            if detail.get("reachable") is False:
                found.append(
                    f"{name}: no threshold reaches a precision of {detail['target']:g} on validation; the run uses the "
                    f"one with the highest, {detail['precision']:.3f}."
                )
        return found


def fit_thresholds(rule: Rule, validation: ScoredImages, test: ScoredImages, *, split_digest: str) -> FittedThresholds:
    """Fit the chosen rule, and those that every table shows, on the validation images.

    An oracle is fitted on all test images instead.

    Raises:
        AnodiceError: the chosen rule cannot be fitted; the other rules may fail, with their reason kept.
    """

    def fit(one: Rule) -> Threshold:
        return one.fit(
            validation.score,
            validation.label,
            fitted_on="validation",
            split_digest=split_digest,
            classes=validation.predicted,
            groups=validation.group,
            sessions=validation.known_session,
        )

    if isinstance(rule, Oracle):
        chosen = rule.fit(test.score, test.label, fitted_on="test", split_digest=split_digest)
    else:
        chosen = fit(rule)
    by_rule, refused = {}, {}
    for shown in (F1Max(), NormalsOnly(), FlagEverything()):
        if shown.name == rule.name:
            by_rule[shown.name] = chosen
            continue
        try:
            by_rule[shown.name] = fit(shown)
        except AnodiceError as error:
            refused[shown.name] = str(error)
    by_rule.setdefault(rule.name, chosen)
    fitted = FittedThresholds(chosen, by_rule, refused)
    for warning in fitted.warnings():
        log.warning(warning)
    return fitted
