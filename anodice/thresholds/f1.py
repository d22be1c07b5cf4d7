"""Threshold rules that maximise F1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from anodice.errors import AnodiceError
from anodice.metrics.sweep import Confusion, sweep
from anodice.thresholds.expected_f1 import expected_f1_max
from anodice.thresholds.extreme_values import FEWEST
from anodice.thresholds.images import Images
from anodice.thresholds.rule import Rule, at_cut, need_both


@dataclass(frozen=True)
class F1MaxPlain(Rule):
    """The cut with the highest F1 among all cuts between distinct scores; of several, the highest.

    Exact: its verdicts reach the highest F1 that any threshold reaches on these scores. On the next ones it does not:
    of many cuts that are as good it takes the one that chance favoured. See `F1Max`.

    >>> F1MaxPlain().fit([1, 2, 3, 4], [0, 0, 1, 1]).value
    2.5
    """

    name: ClassVar[str] = "f1_max_plain"

    def check(self, normals: int, anomalies: int) -> None:
        need_both(self.name, normals, anomalies)

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        swept = sweep(images.score, images.label)
        return at_cut(swept, swept.best_f1())


@dataclass(frozen=True)
class F1Max(F1MaxPlain):
    """Of the thresholds whose F1 cannot be told from the highest, the one with the highest F1 to expect on new images.

    `expected_f1_max` says how. With fewer than 10 normal or anomalous images it is the value of `F1MaxPlain`, whose F1
    and value are in `detail` as `highest_f1` and `plain_value` in any case.

    >>> scores, labels = [*range(30), *range(60, 150, 3)], [0] * 30 + [1] * 30
    >>> round(F1Max().fit(scores, labels).value, 1), F1MaxPlain().fit(scores, labels).value
    (43.4, 44.5)
    """

    name: ClassVar[str] = "f1_max"

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        plain, highest = super().find(images)
        enough = min(int((~images.label).sum()), int(images.label.sum())) >= FEWEST
        value = expected_f1_max(images) if enough else plain
        reached = Confusion.from_flags(flags=images.score >= value, labels=images.label)
        found = {"f1": reached.f1, "recall": reached.recall}
        return value, {**found, "highest_f1": highest["f1"], "plain_value": plain}


@dataclass(frozen=True)
class FBeta(Rule):
    """The cut with the highest F-beta, which holds recall for `beta` times as important as precision (van Rijsbergen).

    Exact, as F1MaxPlain is, and of several cuts the highest; beta > 0, and 1 is F1 itself.

    >>> F1MaxPlain().fit([1, 2, 3, 4], [0, 1, 0, 1]).value
    1.5
    >>> FBeta(beta=0.5).fit([1, 2, 3, 4], [0, 1, 0, 1]).value
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
        need_both(self.name, normals, anomalies)

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        swept = sweep(images.score, images.label)
        cut = swept.best_f_beta(self.beta)
        value, reached = at_cut(swept, cut)
        return value, {"beta": self.beta, "f_beta": float(swept.f_beta(self.beta)[cut]), **reached}
