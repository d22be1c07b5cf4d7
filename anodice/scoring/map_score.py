"""From anomaly maps to scores: smoothing, border, pooling, in this order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.functional.windows import gaussian_blur
from anodice.scoring.pooling import Pooling, TopMean


class MapScore(nn.Module):
    """Maps (N, 1, H, W), higher for stranger -> the maps as they are shown, and scores (N,) float64.

    Args:
        smoothing: deviation of the Gaussian that smooths the maps, in pixels; 0 for none.
        border_radius: pixels farther from the centre than this share of half the image are left out, as are the dark
            corners around a die; None to keep all.
        pooling: (N, P) pixel values -> (N,) scores; None for `TopMean()`.
        image_size: height and width of the maps.
    """

    inside: Tensor
    places: Tensor

    def __init__(
        self,
        *,
        smoothing: float = 1.0,
        border_radius: float | None = None,
        pooling: Pooling | None = None,
        image_size: int = 128,
    ) -> None:
        super().__init__()
        if smoothing < 0:
            raise AnodiceError(f"expected score.smoothing of at least 0 pixels, got {smoothing!r}.")
        if border_radius is not None and not border_radius > 0:
            raise AnodiceError(f"expected score.border_radius above 0, or null for no border, got {border_radius!r}.")
        self.smoothing, self.border_radius = smoothing, border_radius
        self.pooling, self.image_size = TopMean() if pooling is None else pooling, image_size
        self.register_buffer("inside", _disk(image_size, border_radius), persistent=False)
        self.register_buffer("places", self.inside.flatten().nonzero()[:, 0], persistent=False)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.border(self.smooth(maps))
        return maps, self.pool(maps)

    def smooth(self, maps: Tensor) -> Tensor:
        """The maps, smoothed."""
        if self.smoothing == 0:
            return maps
        return gaussian_blur(maps, sigma=self.smoothing)

    def border(self, maps: Tensor) -> Tensor:
        """The maps with their lowest value, one by one, in the border."""
        lowest = maps.flatten(1).amin(1)[:, None, None, None]
        return torch.where(self.inside, maps, lowest)

    def pool(self, maps: Tensor) -> Tensor:
        """Maps (N, 1, H, W) -> scores (N,) float64 of the pixels inside the border."""
        scores = self.pooling(maps.flatten(1).index_select(1, self.places))
        return (scores.cpu() if scores.device.type == "mps" else scores).double()  # Apple's GPUs have no float64


def _disk(image_size: int, radius: float | None) -> Tensor:
    """(H, W) bool: the pixels within `radius` half images of the centre."""
    if radius is None:
        return torch.ones(image_size, image_size, dtype=torch.bool)
    axis = (torch.arange(image_size) + 0.5) / image_size * 2 - 1
    return axis[:, None].square() + axis.square() <= radius**2
