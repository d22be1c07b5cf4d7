"""What a detector says of one photo."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anodice.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

    from anodice.evaluation.map_scale import MapScale


@dataclass(frozen=True)
class Region:
    """A connected part of an anomaly map that lies above the run's pixel threshold.

    Attributes:
        box: left, top, right and bottom in pixels of the photo as it was given, right and bottom outside of it; of a
            photo that was turned upright, in pixels of the turned one at the size it was given in.
        area: pixels of the photo.
        peak: the highest value of the map in it.
    """

    box: tuple[int, int, int, int]
    area: int
    peak: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a detector says of one photo.

    Attributes:
        name: the path of the photo, or its place among those that were given.
        score: float64, higher is more anomalous.
        threshold: with its provenance; `threshold.sentence()` tells it.
        cut: the value of the threshold that holds for this photo: that of its class, where classes have their own.
        anomalous: the verdict, score >= cut.
        class_name: the class that the photo is taken for; None where the detector tells no classes apart.
        face: the face of a die, 1..6, that the class shows; None where that is not known.
        map: (H, W) float32, how strange each pixel is.
        regions: those that raised the alarm, the highest peak first.
        photo: (H, W, C) uint8, what the detector saw.
        size: width and height of the photo as it was given.
        scale: what the maps of the run are shown and judged by.
    """

    name: str
    score: float
    threshold: Threshold
    cut: float
    anomalous: bool
    class_name: str | None
    face: int | None
    map: NDArray[np.float32]
    regions: tuple[Region, ...]
    photo: NDArray[np.uint8]
    size: tuple[int, int]
    scale: MapScale

    @property
    def verdict(self) -> str:
        """`anomalous` or `normal`."""
        return "anomalous" if self.anomalous else "normal"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: all but the pictures."""
        return {
            "path": self.name,
            "score": self.score,
            "threshold": self.cut,
            "verdict": self.verdict,
            "rule": self.threshold.rule,
            "class": self.class_name,
            "face": self.face,
            "width": self.size[0],
            "height": self.size[1],
            "regions": [{"box": list(r.box), "area": r.area, "peak": r.peak} for r in self.regions],
        }

    def overlay(self) -> Image.Image:
        """The map over the photo in the colours of the run, a box around each region; RGB, at least 256 pixels."""
        from anodice.reporting.plots.overlay import overlay

        return overlay(self.photo, self.map, [region.box for region in self.regions], self.size, scale=self.scale)

    def figure(self) -> Figure:
        """Photo, map and overlay side by side under the verdict."""
        from anodice.reporting.plots.overlay import side_by_side

        return side_by_side(self.photo, self.map, self.overlay(), self.sentence(), scale=self.scale)

    def show(self) -> None:
        """Display `figure()` in a notebook, whether it has begun to draw with pyplot or not."""
        from IPython.display import Image, display

        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=80)
        display(Image(file.getvalue()))

    def sentence(self) -> str:
        """The verdict with its reason, in words."""
        relation = ">=" if self.anomalous else "<"
        taken = "" if self.class_name is None else f", taken for {self.class_name}"
        return f"{self.verdict}: score {self.score:.4g} {relation} threshold {self.cut:.4g}{taken}"

    def __repr__(self) -> str:
        return f"<Prediction of {self.name}, {self.sentence()}, {len(self.regions)} regions>"


@dataclass(frozen=True)
class Unreadable:
    """A file that is no photo, and why."""

    name: str
    reason: str
