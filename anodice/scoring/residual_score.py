"""The usual score of a detector that reconstructs: residual, smoothing, calibration, border, pooling, in this order."""

from __future__ import annotations

import torch
from torch import Tensor

from anodice.scoring.map_score import MapScore
from anodice.scoring.pixel_statistics import PixelStatistics
from anodice.scoring.pooling import Pooling, TopMean
from anodice.scoring.residuals import Residual, TolerantL1
from anodice.scoring.score import Batches, Score, See, Seen, given

_TILE = 64
"""Images that are worked on at a time on a CPU: what lies between them and their maps stays in its cache."""


class ResidualScore(Score):
    """From images and reconstructions to anomaly maps and scores.

    Args:
        residual: images, reconstructions (N, C, H, W) -> residual maps (N, 1, H, W); None for `TolerantL1()`.
        smoothing: deviation of the Gaussian that smooths the residual maps, in pixels; 0 for none.
        normalise: turn each pixel into deviations from what held-out normals show there.
        border_radius: pixels farther from the centre than this share of half the image are left out, as are the dark
            corners around a die; None to keep all.
        pooling: (N, P) pixel values -> (N,) scores; None for `TopMean()`.
        image_size: height and width of the images.
    """

    def __init__(
        self,
        residual: Residual | None = None,
        *,
        smoothing: float = 1.0,
        normalise: bool = False,
        border_radius: float | None = None,
        pooling: Pooling | None = None,
        image_size: int = 128,
    ) -> None:
        super().__init__()
        self.residual = TolerantL1() if residual is None else residual
        self.pooling = TopMean() if pooling is None else pooling
        self.smoothing, self.normalise, self.border_radius = smoothing, normalise, border_radius
        self.image_size = image_size
        self.map_score = MapScore(
            smoothing=smoothing, border_radius=border_radius, pooling=self.pooling, image_size=image_size
        )
        self.statistics = PixelStatistics(image_size=image_size) if normalise else None

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        maps = self.anomaly_map(seen.images, given(seen.reconstructions))
        return maps, self.pool(maps)

    def fit(self, see: See, fitted: Batches, held_out: Batches) -> None:
        if self.statistics is None:
            return
        self.statistics.reset()
        for batch in held_out:
            seen = see(batch["image"])
            residuals = self.residual(seen.images, given(seen.reconstructions))
            self.statistics.update(self.map_score.smooth(residuals))

    @property
    def is_fitted(self) -> bool:
        return self.statistics is None or self.statistics.is_fitted

    def anomaly_map(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        """(N, 1, H, W), higher is stranger; the lowest value of each map fills its border."""
        if torch.compiler.is_exporting():  # a graph has no loops over batches
            return self._map(images, reconstructions)
        size = _TILE if images.device.type == "cpu" else len(images)
        maps = images.new_empty(len(images), 1, *images.shape[2:])
        for start in range(0, len(images), max(1, size)):
            part = slice(start, start + size)
            maps[part] = self._map(images[part], reconstructions[part])
        return maps

    def pool(self, maps: Tensor) -> Tensor:
        """Anomaly maps (N, 1, H, W) -> scores (N,) float64."""
        return self.map_score.pool(maps)

    def _map(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        smooth = self.map_score.smooth(self.residual(images, reconstructions))
        return self.map_score.border(smooth if self.statistics is None else self.statistics.normalise(smooth))
