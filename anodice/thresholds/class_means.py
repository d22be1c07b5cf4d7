"""Threshold rules that look at the mean scores of the normal and of the anomalous images, as earlier projects had them.

Neither is the best cut of anything: they are here so that those projects can be measured with their own rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from anodice.thresholds.images import Images
from anodice.thresholds.rule import Rule, need_both


@dataclass(frozen=True)
class Midpoint(Rule):
    """Midway between the mean score of the normal images and that of the anomalous ones.

    >>> Midpoint().fit([1, 3, 5, 9], [0, 0, 1, 1]).value
    4.5
    """

    name: ClassVar[str] = "midpoint"

    def check(self, normals: int, anomalies: int) -> None:
        need_both(self.name, normals, anomalies)

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        normal, anomalous = float(images.normals.score.mean()), float(images.anomalies.score.mean())
        return (normal + anomalous) / 2, {"normal_mean": normal, "anomalous_mean": anomalous}


@dataclass(frozen=True)
class T12(Rule):
    """The mean score of the normal images, plus a twelfth of the sum of the two means.

    It was meant for losses, which are at least 0: a constant added to all scores changes its verdicts.

    Args:
        without_anomalies: the mean that stands for that of the anomalous images where there are none, 0.25 in the
            original; None to need some.

    >>> T12().fit([1, 3, 5, 9], [0, 0, 1, 1]).value
    2.75
    """

    without_anomalies: float | None = None
    name: ClassVar[str] = "t12"

    def check(self, normals: int, anomalies: int) -> None:
        need_both(self.name, normals, anomalies if self.without_anomalies is None else max(1, anomalies))

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        normal = float(images.normals.score.mean())
        anomalous = float(images.anomalies.score.mean()) if images.label.any() else self.without_anomalies
        assert anomalous is not None  # `check` refuses normal images alone where nothing stands for the others
        return normal + (normal + anomalous) / 12, {"normal_mean": normal, "anomalous_mean": anomalous}
