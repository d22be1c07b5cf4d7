"""The thresholds that the page judges by: those of the run, and any other value; what each reaches on validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anodice.evaluation.score_table import ScoreTable
from anodice.metrics.sweep import Confusion
from anodice.thresholds.fitted import FittedThresholds
from anodice.thresholds.rules import FlagEverything, Manual
from anodice.thresholds.threshold import Threshold

_STEPS = 1000


def offered(thresholds: FittedThresholds) -> dict[str, Threshold]:
    """The run's thresholds by rule, its own first; `flag_everything` lies below all scores and is left out."""
    own = thresholds.chosen
    others = {name: t for name, t in thresholds.by_rule.items() if name not in (own.rule, FlagEverything.name)}
    return {own.rule: own, **others}


def at_value(value: float, fitted: dict[str, Threshold]) -> Threshold:
    """The fitted threshold that has this value, or one that was set by hand: the same for all classes."""
    same = (threshold for threshold in fitted.values() if threshold.value == value)
    by_hand = Manual(value)
    return next(same, None) or by_hand.fit([], [], fitted_on="nothing", split_digest="")


def span(scores: Sequence[float], fitted: dict[str, Threshold]) -> tuple[float, float, float]:
    """The lowest and the highest value of a slider over scores and thresholds, and its step."""
    values = [*scores, *(threshold.value for threshold in fitted.values())]
    low, high = float(min(values)), float(max(values))
    margin = max((high - low) / 50, abs(high) * 1e-6, 1e-12)
    return low - margin, high + margin, (high - low + 2 * margin) / _STEPS


def reached(threshold: Threshold, validation: ScoreTable) -> Confusion:
    """The verdicts of a threshold on the validation photos of a run."""
    return Confusion.from_flags(threshold.flags(validation.score, validation.predicted), validation.label)


def figures(found: Confusion) -> dict[str, str]:
    """F1, precision and recall as people read them, n/a where there is none."""
    values = {"F1": found.f1, "Precision": found.precision, "Recall": found.recall}
    return {name: "n/a" if value is None else f"{value:.3f}" for name, value in values.items()}


def figures_sentence(threshold: Threshold, validation: ScoreTable) -> str:
    """What the figures count, in words."""
    found = reached(threshold, validation)
    normals, anomalies = int(np.sum(~validation.label)), int(np.sum(validation.label))
    flattered = " The threshold was fitted on these photos, so they flatter it."
    own = flattered if threshold.fitted_on == "validation" else ""
    return (
        f"On the run's validation photos, {anomalies} anomalous and {normals} normal: {found.tp} found, {found.fn} "
        f"missed, {found.fp} false alarms.{own}"
    )
