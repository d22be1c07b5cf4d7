"""From uint8 photos to what the network sees: one object for evaluation, another for training.

Evaluation, prediction and export use `EvaluationTransform` and nothing else. Augmentation exists only in training and
works on whole batches, each image with its own draw.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.v2.functional import gaussian_blur


class EvaluationTransform(nn.Module):
    """Photos (N, H, W, C) uint8 -> images (N, C, H, W) float32 in [0, 1].

    >>> EvaluationTransform()(torch.full((2, 8, 8, 1), 255, dtype=torch.uint8)).amax().item()
    1.0
    """

    def forward(self, photos: Tensor) -> Tensor:
        return photos.permute(0, 3, 1, 2).to(torch.float32) / 255


class Augmentation(nn.Module):
    """Changes of light, sharpness and pose that are no defect, drawn per image; (N, C, H, W) in [0, 1] to the same.

    Args:
        brightness: largest change of brightness, in grey levels of [0, 1].
        contrast: largest relative change of contrast.
        gamma: largest change of the logarithm of gamma.
        glare: largest brightness of a soft highlight, in grey levels; half of the images get one.
        blur: largest share of a blurred copy (Gaussian, deviation 1 pixel) that is mixed in, in [0, 1].
        noise: largest deviation of white noise, in grey levels.
        shift: largest shift along each axis, in pixels.
        rotation: largest rotation either way, in degrees.
    """

    def __init__(
        self,
        *,
        brightness: float,
        contrast: float,
        gamma: float,
        glare: float,
        blur: float,
        noise: float,
        shift: float,
        rotation: float,
    ) -> None:
        super().__init__()
        self.brightness, self.contrast, self.gamma, self.glare = brightness, contrast, gamma, glare
        self.blur, self.noise, self.shift, self.rotation = blur, noise, shift, rotation

    def forward(self, images: Tensor) -> Tensor:
        if self.shift > 0 or self.rotation > 0:
            images = self._move(images)
        if self.glare > 0:
            images = images + self._highlight(images)
        if self.gamma > 0:
            images = images.clamp(1e-6, 1) ** (self.gamma * _uniform(images)).exp()[:, None, None, None]
        if self.blur > 0:
            images = torch.lerp(images, _blurred(images), self.blur * _uniform(images).abs()[:, None, None, None])
        if self.brightness > 0 or self.contrast > 0:
            gain = 1 + self.contrast * _uniform(images)[:, None, None, None]
            offset = self.brightness * _uniform(images)[:, None, None, None]
            images = (images - 0.5) * gain + 0.5 + offset
        if self.noise > 0:
            images = images + self.noise * _uniform(images).abs()[:, None, None, None] * torch.randn_like(images)
        return images.clamp(0, 1)

    def augment(self, images: Tensor) -> dict[str, Tensor]:
        """What takes the place of `image` in a training batch."""
        return {"image": self(images)}

    def _move(self, images: Tensor) -> Tensor:
        angle = math.radians(self.rotation) * _uniform(images)
        cos, sin = angle.cos(), angle.sin()
        # affine_grid measures in half image widths: a shift of s pixels is 2 s / size.
        x = self.shift * 2 / images.shape[3] * _uniform(images)
        y = self.shift * 2 / images.shape[2] * _uniform(images)
        matrix = torch.stack([torch.stack([cos, -sin, x], 1), torch.stack([sin, cos, y], 1)], 1)  # (N, 2, 3)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _highlight(self, images: Tensor) -> Tensor:
        """A soft bright spot on half of the images: (N, 1, H, W)."""
        height, width = images.shape[2:]
        rows = torch.linspace(-1, 1, height, device=images.device)
        columns = torch.linspace(-1, 1, width, device=images.device)
        y, x = _uniform(images)[:, None], _uniform(images)[:, None]
        size = 0.3 + 0.15 * _uniform(images)[:, None]  # the deviation, in half images
        strength = self.glare * _uniform(images).clamp_min(0)[:, None]
        down = strength * torch.exp(-0.5 * ((rows - y) / size).square())
        across = torch.exp(-0.5 * ((columns - x) / size).square())
        return (down[:, :, None] * across[:, None, :])[:, None]


def _blurred(images: Tensor) -> Tensor:
    return gaussian_blur(images, kernel_size=5, sigma=1.0)


def _uniform(images: Tensor) -> Tensor:
    """One draw from [-1, 1] per image."""
    return torch.rand(len(images), device=images.device) * 2 - 1
