"""The changes that a project on photos of dishes trained with."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DishAugmentation(nn.Module):
    """Each image mirrored half the time, turned and dimmed by chance; (N, C, H, W) in [0, 1] to the same.

    What a turn brings in from outside is the nearest pixel of the image, as in Keras' generators.

    Args:
        rotation: largest rotation either way, in degrees.
        dimmest: images are multiplied by a factor between this and 1.
    """

    def __init__(self, *, rotation: float = 20.0, dimmest: float = 0.5) -> None:
        super().__init__()
        self.rotation, self.dimmest = rotation, dimmest

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        drawn = torch.rand(3, len(images), device=images.device)
        angle = math.radians(self.rotation) * (2 * drawn[0] - 1)
        mirrored = 1 - 2 * (drawn[1] < 0.5).to(images.dtype)
        cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
        places = torch.stack([cos * mirrored, -sin, none, sin * mirrored, cos, none], 1).view(-1, 2, 3)
        grid = F.affine_grid(places, list(images.shape), align_corners=False)
        turned = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return turned * (self.dimmest + (1 - self.dimmest) * drawn[2])[:, None, None, None]

    def augment(self, images: Tensor) -> dict[str, Tensor]:
        """What takes the place of `image` in a training batch."""
        return {"image": self(images)}
