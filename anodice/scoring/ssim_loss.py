"""1 - the mean SSIM of an image and its reconstruction, as earlier projects scored their auto-encoders."""

from __future__ import annotations

from torch import Tensor

from anodice.functional.ssim import gaussian_ssim_map
from anodice.scoring.score import Score, Seen, given

_RADIUS = 5
"""Of the Gaussian window of 11 pixels and deviation 1.5."""


class SSIMLoss(Score):
    """1 - mean SSIM in [0, 2], over the places where the window of 11 pixels lies wholly in the image.

    The same as 1 - `tf.image.ssim` with `max_val=1`, and as the loss `ssim`. The map goes on to the border, where the
    image is mirrored.
    """

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        scores, maps = ssim_loss(seen.images, given(seen.reconstructions))
        return maps, scores


def ssim_loss(images: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """1 - SSIM of images (N, C, H, W) in [0, 1]: the mean where the window fits, (N,) float64, and a map (N, 1, H, W).

    >>> import torch
    >>> images = torch.rand(2, 1, 16, 16)
    >>> ssim_loss(images, images)[0].abs().amax().item() < 1e-6
    True
    """
    maps = 1 - gaussian_ssim_map(images, others, sigma=1.5).mean(1, keepdim=True)
    inside = slice(_RADIUS, -_RADIUS)
    return maps[..., inside, inside].double().mean((1, 2, 3)), maps
