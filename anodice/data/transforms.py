"""From uint8 photos to what the network sees: one object for evaluation, another for training.

Evaluation, prediction and export use `EvaluationTransform` and nothing else. Augmentation exists only in training and
works on whole batches, each image with its own draw.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EvaluationTransform(nn.Module):
    """Photos (N, H, W, C) uint8 -> images (N, C, H, W) float32 in [0, 1].

    >>> EvaluationTransform()(torch.full((2, 8, 8, 1), 255, dtype=torch.uint8)).amax().item()
    1.0
    """

    def forward(self, photos: Tensor) -> Tensor:
        return photos.permute(0, 3, 1, 2).to(torch.float32) / 255


class Augmentation(nn.Module):
    """Small changes of light and pose that are no defect, drawn per image; (N, C, H, W) in [0, 1] to the same.

    Args:
        brightness: largest change of brightness, in grey levels of [0, 1].
        contrast: largest relative change of contrast.
        shift: largest shift along each axis, in pixels.
        rotation: largest rotation either way, in degrees.
    """

    def __init__(self, *, brightness: float, contrast: float, shift: float, rotation: float) -> None:
        super().__init__()
        self.brightness, self.contrast = brightness, contrast
        self.shift, self.rotation = shift, rotation

    def forward(self, images: Tensor) -> Tensor:
        if self.shift > 0 or self.rotation > 0:
            images = self._move(images)
        if self.brightness > 0 or self.contrast > 0:
            gain = 1 + self.contrast * _uniform(images)[:, None, None, None]
            offset = self.brightness * _uniform(images)[:, None, None, None]
            images = ((images - 0.5) * gain + 0.5 + offset).clamp(0, 1)
        return images

    def _move(self, images: Tensor) -> Tensor:
        angle = math.radians(self.rotation) * _uniform(images)
        cos, sin = angle.cos(), angle.sin()
        # affine_grid measures in half image widths: a shift of s pixels is 2 s / size.
        x = self.shift * 2 / images.shape[3] * _uniform(images)
        y = self.shift * 2 / images.shape[2] * _uniform(images)
        matrix = torch.stack([torch.stack([cos, -sin, x], 1), torch.stack([sin, cos, y], 1)], 1)  # (N, 2, 3)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _uniform(images: Tensor) -> Tensor:
    """One draw from [-1, 1] per image."""
    return torch.rand(len(images), device=images.device) * 2 - 1
