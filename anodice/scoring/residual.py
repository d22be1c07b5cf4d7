"""The usual score of a detector that reconstructs: residual, smoothing, calibration, border, pooling, in this order."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from anodice.errors import AnodiceError
from anodice.scoring.calibrate import PixelStatistics
from anodice.scoring.maps import Residual
from anodice.scoring.pooling import Pooling
from anodice.scoring.score import Batches, Score


class ResidualScore(Score):
    """From images and reconstructions to anomaly maps and scores.

    Args:
        residual: images, reconstructions (N, C, H, W) -> residual maps (N, 1, H, W).
        smoothing: deviation of the Gaussian that smooths the residual maps, in pixels; 0 for none.
        normalise: turn each pixel into deviations from what held-out normals show there.
        border_radius: pixels farther from the centre than this share of half the image are left out, as are the dark
            corners around a die; None to keep all.
        pooling: (N, P) pixel values -> (N,) scores.
        image_size: height and width of the images.
    """

    def __init__(
        self,
        *,
        residual: Residual,
        smoothing: float,
        normalise: bool,
        border_radius: float | None,
        pooling: Pooling,
        image_size: int,
    ) -> None:
        super().__init__()
        if smoothing < 0:
            raise AnodiceError(f"expected score.smoothing of at least 0 pixels, got {smoothing!r}.")
        if border_radius is not None and not border_radius > 0:
            raise AnodiceError(f"expected score.border_radius above 0, or null for no border, got {border_radius!r}.")
        self.residual, self.smoothing, self.normalise, self.pooling = residual, smoothing, normalise, pooling
        self.statistics = PixelStatistics(image_size=image_size) if normalise else None
        self.register_buffer("inside", _disk(image_size, border_radius), persistent=False)

    def forward(self, detector: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.anomaly_map(images, detector.reconstruct(images))
        return maps, self.pool(maps)

    def fit(self, detector: Any, fitted: Batches, held_out: Batches) -> None:
        if self.statistics is None:
            return
        self.statistics.reset()
        for batch in held_out:
            self.calibrate(batch["image"], detector.reconstruct(batch["image"]))

    def calibrate(self, images: Tensor, reconstructions: Tensor) -> None:
        """Take the residuals of more held-out normals into the calibration; nothing to do without `normalise`."""
        if self.statistics is not None:
            self.statistics.update(self._smooth_residual(images, reconstructions))

    def anomaly_map(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        """(N, 1, H, W), higher is stranger; the lowest value of each map fills its border."""
        maps = self._smooth_residual(images, reconstructions)
        if self.statistics is not None:
            maps = self.statistics.normalise(maps)
        lowest = maps.flatten(1).amin(1)[:, None, None, None]
        return torch.where(self.inside, maps, lowest)

    def pool(self, maps: Tensor) -> Tensor:
        """Anomaly maps (N, 1, H, W) -> scores (N,) float64."""
        scores = self.pooling(maps.flatten(1)[:, self.inside.flatten()])
        return (scores.cpu() if scores.device.type == "mps" else scores).double()  # Apple's GPUs have no float64

    def _smooth_residual(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        maps = self.residual(images, reconstructions)
        if self.smoothing == 0:
            return maps
        return gaussian_blur(maps, kernel_size=2 * math.ceil(3 * self.smoothing) + 1, sigma=self.smoothing)


def _disk(image_size: int, radius: float | None) -> Tensor:
    """(H, W) bool: the pixels within `radius` half images of the centre."""
    if radius is None:
        return torch.ones(image_size, image_size, dtype=torch.bool)
    axis = (torch.arange(image_size) + 0.5) / image_size * 2 - 1
    return axis[:, None].square() + axis.square() <= radius**2
