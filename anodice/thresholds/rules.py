"""Threshold rules that look at normal and anomalous images, and those that look at none."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from anodice.errors import AnodiceError
from anodice.metrics.sweep import sweep
from anodice.thresholds.f1 import F1MaxPlain
from anodice.thresholds.images import Images
from anodice.thresholds.rule import Rule, at_cut, missing_class, need_both
from anodice.thresholds.threshold import Threshold


@dataclass(frozen=True)
class RecallAt(Rule):
    """The highest cut between distinct scores that flags at least the share `target`, in (0, 1], of the anomalies.

    >>> RecallAt(1.0).fit([1, 2, 3, 4], [0, 1, 0, 1]).value
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
            raise missing_class(self.name, normals, anomalies)

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        swept = sweep(images.score, images.label)
        value, reached = at_cut(swept, swept.at_recall(self.target))
        return value, {"target": self.target, **reached}


@dataclass(frozen=True)
class PrecisionAt(Rule):
    """The cut that finds the most anomalies with at least the share `target`, in (0, 1], of its alarms right.

    Of several, the highest. Where the highest score is a normal image's, a high target may be out of reach: then it is
    the cut with the highest precision that there is, and `detail["reachable"]` is false.

    >>> PrecisionAt(1.0).fit([1, 2, 3, 4], [0, 1, 0, 1]).value
    3.5
    >>> missed = PrecisionAt(1.0).fit([1, 2, 3, 4], [0, 1, 1, 0])
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
        need_both(self.name, normals, anomalies)

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        swept = sweep(images.score, images.label)
        cut = swept.at_precision(self.target)
        value, reached = at_cut(swept, cut)
        precision = float(swept.precision[cut])
        return value, {"target": self.target, "precision": precision, "reachable": precision >= self.target, **reached}


@dataclass(frozen=True)
class Manual(Rule):
    """The value as it is given.

    Args:
        slight: images from the value up to this are anomalous, but called slightly so; None for no such band.

    >>> threshold = Manual(0.06, slight=0.16).fit([], [], fitted_on="nothing", split_digest="")
    >>> threshold.flags([0.05, 0.1, 0.2]).tolist(), threshold.slight([0.05, 0.1, 0.2]).tolist()
    ([False, True, True], [False, True, False])
    """

    value: float
    slight: float | None = None
    name: ClassVar[str] = "manual"
    looks: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise AnodiceError(
                f"expected a finite threshold, got {self.value!r}; set threshold.value to a number "
                "on the scale of scores.csv."
            )
        if self.slight is not None and not self.slight > self.value:
            raise AnodiceError(
                f"expected threshold.slight above threshold.value ({self.value:g}), or null for no slight anomalies, "
                f"got {self.slight!r}."
            )

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        return float(self.value), {} if self.slight is None else {"slight": float(self.slight)}


@dataclass(frozen=True)
class Learned(Rule):
    """The highest normal score of each class, as the detector learned it from its training photos.

    Some earlier projects took the least similar of the photos that they learned from for the limit of its class. No
    validation image is looked at. A score must exceed its limit by a millionth: a copy of that photo is normal.

    Args:
        values: class -> its highest normal score; None until a detector has told it.
    """

    values: Mapping[str, float] | None = None
    name: ClassVar[str] = "learned"
    looks: ClassVar[bool] = False

    @property
    def label(self) -> str:
        return self.name

    def threshold(self, images: Images, *, fitted_on: str, split_digest: str) -> Threshold:
        if not self.values:
            raise AnodiceError(
                "expected the limits that a detector learned, got none; train with threshold=learned, and evaluate "
                "that run without a threshold."
            )
        above = {name: value + 1e-6 * abs(value) for name, value in self.values.items()}
        return Threshold(max(above.values()), self.name, 0, 0, "training", "", by_class=above)


@dataclass(frozen=True)
class FlagEverything(Rule):
    """The lowest finite float: the trivial baseline that every detector must beat."""

    name: ClassVar[str] = "flag_everything"
    looks: ClassVar[bool] = False

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        return -sys.float_info.max, {}


@dataclass(frozen=True)
class Oracle(F1MaxPlain):
    """The F1MaxPlain of the test images themselves: an upper bound in hindsight, never a result.

    Args:
        allowed: that whoever asks for it knows what it is; the row of each table says so itself.
    """

    allowed: bool = False
    name: ClassVar[str] = "oracle"
    may_look_at: ClassVar[str] = "test"

    @property
    def label(self) -> str:
        return self.name

    def check(self, normals: int, anomalies: int) -> None:
        """Refuse a run that nobody allowed; the counts are those of validation, which the oracle does not look at."""
        if not self.allowed:
            raise AnodiceError(
                "expected allow_oracle=true beside threshold=oracle, because its threshold is fitted on the test "
                "images themselves; set it if an upper bound is what you want, or use threshold=f1_max for a result."
            )

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        need_both(self.name, int((~images.label).sum()), int(images.label.sum()))
        return super().find(images)


@dataclass(frozen=True)
class PerClass(Rule):
    """A value for each class that the detector tells apart, fitted by `rule` to the images it takes for that class.

    Classes to which the rule cannot be fitted get the value that it finds on all images together. Values of their own
    pay where the scores of the classes differ; they cost certainty, since each rests on fewer images.
    """

    rule: Rule
    name: ClassVar[str] = "per_class"

    def __post_init__(self) -> None:
        if self.rule.name in (Oracle.name, Learned.name, self.name):
            raise AnodiceError(
                f"expected a rule that is fitted on validation for each class, got {self.rule.name}; use "
                "another rule, such as f1_max, recall_at or normals_only."
            )

    def check(self, normals: int, anomalies: int) -> None:
        self.rule.check(normals, anomalies)

    def threshold(self, images: Images, *, fitted_on: str, split_digest: str) -> Threshold:
        if not np.all(images.predicted != ""):
            raise AnodiceError(
                "expected a detector that tells classes apart for a threshold per class; use model=ae_classifier or "
                "model=template, or threshold=f1_max."
            )
        provenance = {"fitted_on": fitted_on, "split_digest": split_digest}
        pooled = self.rule.threshold(images, **provenance)
        by_class, shared = {}, []
        for name in np.unique(images.predicted).tolist():
            own = images.where(images.predicted == name)
            try:
                self.rule.check(int((~own.label).sum()), int(own.label.sum()))
                by_class[name] = self.rule.threshold(own, **provenance).value
            except AnodiceError:  # too few images, or of one kind only
                shared.append(name)
        detail = {"rule": self.rule.name, "with_the_pooled_value": shared}
        return replace(pooled, rule=self.name, detail=detail, by_class=by_class)
