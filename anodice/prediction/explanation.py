"""What a verdict rests on, for one photo: reconstruction, template, losses, distances to the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anodice.prediction.prediction import Prediction
from anodice.prediction.settings import Settings
from anodice.scoring.grounds import Grounds
from anodice.thresholds.threshold import Threshold


class ClassDistance(NamedTuple):
    """How far a photo is from a class.

    Attributes:
        class_name: of the class.
        distance: higher = less alike.
        unit: of the distances to this class; a score is a distance in units.
    """

    class_name: str
    distance: float
    unit: float

    def limit(self, threshold: Threshold) -> float:
        """The distance from which on a photo taken for this class is anomalous."""
        return self.unit * float(threshold.values([0.0], [self.class_name])[0])


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a verdict rests on; None for what the detector does not look at.

    Attributes:
        prediction: of the photo.
        reconstruction: (H, W, C) uint8, what the detector made of the photo.
        template: (H, W, C) uint8, what it expects of the class that it takes the photo for.
        losses: 1 - SSIM to the reconstruction and to the template, where the score is minus their ratio.
        distances: to each class that has a template.
    """

    prediction: Prediction
    reconstruction: NDArray[np.uint8] | None = None
    template: NDArray[np.uint8] | None = None
    losses: tuple[float, float] | None = None
    distances: tuple[ClassDistance, ...] | None = None

    @property
    def ratio(self) -> float | None:
        """The first loss divided by the second."""
        return None if self.losses is None else self.losses[0] / max(self.losses[1], 1e-6)


def explanation(prediction: Prediction, grounds: Grounds[NDArray] | None, settings: Settings) -> Explanation:
    """What `grounds` of one photo say, for people; nothing where a network has none."""
    if grounds is None:
        return Explanation(prediction)
    losses = None if grounds.losses is None else (float(grounds.losses[0, 0]), float(grounds.losses[0, 1]))
    return Explanation(
        prediction,
        reconstruction=_picture(grounds.reconstructions),
        template=_picture(grounds.templates),
        losses=losses,
        distances=_distances(grounds, settings.classes),
    )


def _picture(images: NDArray[np.float32] | None) -> NDArray[np.uint8] | None:
    """The first of images (N, C, H, W) in [0, 1] as (H, W, C) grey levels."""
    return None if images is None else np.rint(255 * images[0].clip(0, 1)).astype(np.uint8).transpose(1, 2, 0)


def _distances(grounds: Grounds[NDArray], classes: tuple[str, ...]) -> tuple[ClassDistance, ...] | None:
    if grounds.distances is None or grounds.units is None:
        return None
    rows = zip(classes, grounds.distances[0].tolist(), grounds.units.tolist(), strict=True)
    return tuple(ClassDistance(*row) for row in rows if np.isfinite(row[1]))
