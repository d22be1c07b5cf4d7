"""Residual maps: how far a reconstruction lies from its image, pixel by pixel. Higher is stranger.

Each takes images and reconstructions (N, C, H, W) float in [0, 1] and returns (N, 1, H, W), the mean over the channels.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from anodice.errors import AnodiceError
from anodice.functional.morphology import highest_nearby, lowest_nearby
from anodice.functional.ssim import gaussian_ssim_map


class Residual(Protocol):
    def __call__(self, images: Tensor, reconstructions: Tensor) -> Tensor: ...


class L1:
    """|x - r|, in grey levels of [0, 1]."""

    def __call__(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        return _over_channels((images - reconstructions).abs())


class L2:
    """(x - r)², in squared grey levels."""

    def __call__(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        return _over_channels((images - reconstructions).square())


class TolerantL1:
    """The distance of each pixel from the range of grey levels that the reconstruction has within `radius` pixels.

    An edge that the reconstruction draws a pixel beside its place costs nothing, a mark that it does not draw costs as
    much as in `L1`, to which this reduces for radius 0.

    >>> step = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4, 4)
    >>> TolerantL1(radius=1)(step, step.roll(1, dims=3))[..., 2].max().item()
    0.0
    """

    def __init__(self, *, radius: int = 2) -> None:
        if not isinstance(radius, int) or radius < 0:
            raise AnodiceError(f"expected score.residual.radius to be a whole number of at least 0, got {radius!r}.")
        self.radius = radius

    def __call__(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        highest = highest_nearby(reconstructions, self.radius)
        lowest = lowest_nearby(reconstructions, self.radius)
        outside = torch.maximum(images - highest, lowest - images).clamp_min(0)
        return _over_channels(outside)


class SSIM:
    """1 - SSIM, in [0, 2], with a Gaussian window of deviation `sigma` pixels (Wang et al. 2004)."""

    def __init__(self, *, sigma: float = 1.5) -> None:
        if not sigma > 0:
            raise AnodiceError(f"expected score.residual.sigma above 0 pixels, got {sigma!r}; 1.5 is usual.")
        self.sigma = sigma

    def __call__(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        return _over_channels(gaussian_ssim_map(images, reconstructions, sigma=self.sigma)).neg_().add_(1)


def _over_channels(values: Tensor) -> Tensor:
    """The mean over the channels, (N, 1, H, W); of a single one, the values themselves."""
    return values if values.shape[1] == 1 else values.mean(1, keepdim=True)
