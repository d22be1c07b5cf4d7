"""What predicting needs to know of a run besides its network, from the run folder or from an exported model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anodice.app.recipe import make
from anodice.data.frame import Fit, Frame
from anodice.data.image_format import ImageFormat
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.map_scale import MapScale
from anodice.prediction.network import Outputs
from anodice.thresholds.fitted import FittedThresholds
from anodice.thresholds.rules import Manual
from anodice.thresholds.threshold import Threshold


@dataclass(frozen=True)
class Settings:
    """What predicting needs to know of a run.

    Attributes:
        run: the name of its folder.
        model, data: what was trained, and on what.
        image_size, in_channels: of the images that the network looks at.
        shape_to_square, tile: what each photo is brought to besides, see `ImageFormat`.
        orientation: recipe of what turns photos upright before that; None for nothing.
        classes: what the detector tells apart; empty where it tells nothing apart.
        faces: class -> the face of a die that it shows, where that is known.
        scale: of the anomaly maps.
        thresholds: all that the run has.
        threshold: the one that gives the verdicts.
    """

    run: str
    model: str
    data: str
    image_size: int
    in_channels: int
    orientation: dict[str, Any] | None
    classes: tuple[str, ...]
    faces: dict[str, int]
    scale: MapScale
    thresholds: FittedThresholds
    threshold: Threshold
    shape_to_square: Fit = "squash"
    tile: tuple[int, int] | None = None

    @property
    def frame(self) -> Frame:
        """The pixels that each photo is brought to."""
        tile = None if self.tile is None else (self.tile[0], self.tile[1])
        return ImageFormat(self.image_size, self.in_channels, None, self.shape_to_square, tile).frame

    def with_threshold(self, wanted: str | float | Threshold | None, more: Mapping[str, Threshold]) -> Settings:
        """The same with another threshold: the name of a rule, or a value; None for the run's own.

        Args:
            more: thresholds by name beside those that the run has.

        Raises:
            AnodiceError: there is no threshold of that name, or it could not be fitted.
        """
        if wanted is None or isinstance(wanted, Threshold):
            return self if wanted is None else replace(self, threshold=wanted)
        if not isinstance(wanted, str):
            return replace(self, threshold=Manual(float(wanted)).fit([], [], fitted_on="nothing", split_digest=""))
        if wanted in self.thresholds.refused:
            raise AnodiceError(f"the run has no threshold {wanted}: {self.thresholds.refused[wanted]}")
        known = {**self.thresholds.by_rule, **more}
        if wanted not in known:
            raise unknown("threshold of the run", wanted, known)
        return replace(self, threshold=known[wanted])

    def turner(self) -> Callable[[Any], Any] | None:
        """What turns grey photos (N, S, S) uint8 upright; None for nothing."""
        return None if self.orientation is None else make(self.orientation)

    def names(self, found: Outputs) -> NDArray[np.str_]:
        """The class that each photo is taken for (N,); empty where the detector tells no classes apart."""
        if found.classes is None or not self.classes:
            return np.full(len(found.scores), "")
        return np.array(self.classes)[found.classes]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {name: getattr(self, name) for name in (*_PLAIN, *_LATER)}
        return {
            **plain,
            "classes": list(self.classes),
            "scale": self.scale.as_dict(),
            "thresholds": self.thresholds.as_dict(),
            "threshold": self.threshold.as_dict(),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Settings:
        """The inverse of `as_dict`.

        Raises:
            AnodiceError: keys that are missing.
        """
        missing = sorted({*_PLAIN, "classes", "scale", "thresholds", "threshold"} - set(found))
        if missing:
            raise AnodiceError(f"expected what a run tells of itself, but {', '.join(missing)} is missing.")
        return cls(
            **{name: found[name] for name in _PLAIN},
            **{name: found[name] for name in _LATER if name in found},
            classes=tuple(found["classes"]),
            scale=MapScale.from_dict(found["scale"]),
            thresholds=FittedThresholds.from_dict(found["thresholds"]),
            threshold=Threshold.from_dict(found["threshold"]),
        )


_PLAIN = ("run", "model", "data", "image_size", "in_channels", "orientation", "faces")
_LATER = ("shape_to_square", "tile")
"""What exports of earlier versions do not tell."""
