"""What a reconstruction costs: reconstructions and images, (N, C, H, W) both, to one number that is 0 or more.

Images lie in [0, 1]. Everything is computed in float32, also under autocast. Lower is better, so these are losses and
not scores; the maps that are pooled to scores are in `anodice.scoring.residuals`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError, unknown
from anodice.functional.windows import gaussian_taps, window_matrix

ReconstructionLoss = Callable[[Tensor, Tensor], Tensor]
"""Reconstructions (N, C, H, W) and images of the same shape -> a scalar."""

_WINDOW = 11
_SIGMA = 1.5


def reconstruction_loss(name: str) -> ReconstructionLoss:
    """The loss of that name: `l1`, `mse`, `l2`, `bce` or `ssim`.

    Raises:
        AnodiceError: there is no such loss; the nearest name is given.

    >>> reconstruction_loss("l1")(torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 0.25)).item()
    0.25
    """
    if name not in _LOSSES:
        raise unknown("reconstruction loss", name, _LOSSES)
    return _LOSSES[name]


def l1(reconstructions: Tensor, images: Tensor) -> Tensor:
    """The mean absolute difference, in grey levels of [0, 1]."""
    return F.l1_loss(reconstructions.float(), images.float())


def mse(reconstructions: Tensor, images: Tensor) -> Tensor:
    """The mean squared difference."""
    return F.mse_loss(reconstructions.float(), images.float())


def l2(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Half the sum of squared differences over the whole batch, so it grows with the batch and the image size."""
    return 0.5 * (reconstructions.float() - images.float()).square().sum()


def bce(reconstructions: Tensor, images: Tensor) -> Tensor:
    """The mean binary cross-entropy of pixels, in nats; reconstructions are clamped to [1e-7, 1 - 1e-7].

    Its least value is the entropy of the image, which is 0 for black and white alone.
    """
    # Written out, because torch refuses its own binary_cross_entropy under autocast on a GPU.
    probabilities, images = reconstructions.float().clamp(1e-7, 1 - 1e-7), images.float()
    return -(images * probabilities.log() + (1 - images) * (1 - probabilities).log()).mean()


def ssim(reconstructions: Tensor, images: Tensor) -> Tensor:
    """1 - the mean SSIM, in [0, 2]: Gaussian window of 11 pixels and deviation 1.5, where it lies wholly in the image.

    Raises:
        AnodiceError: images smaller than the window.

    Source: Wang et al. 2004; the same as TensorFlow's `tf.image.ssim` with `max_val=1`.

    >>> images = torch.rand(2, 1, 16, 16)
    >>> ssim(images, images).abs().item() < 1e-4
    True
    """
    height, width = images.shape[2:]
    if min(height, width) < _WINDOW:
        raise AnodiceError(
            f"expected images of at least {_WINDOW} x {_WINDOW} pixels for the loss ssim, got {height} x {width}; set "
            "a larger data.image_size, or model.loss=l1."
        )
    with torch.autocast(images.device.type, enabled=False):
        r, x = reconstructions.float(), images.float()
        taps = gaussian_taps(_SIGMA, _WINDOW // 2)
        rows, columns = window_matrix(height, taps, like=x), window_matrix(width, taps, like=x).T

        # As two products of matrices, because the same convolution of single channels is 20 times slower on a CPU.
        def local_mean(values: Tensor) -> Tensor:
            return rows @ values @ columns

        mean_r, mean_x = local_mean(r), local_mean(x)
        variances = local_mean(r * r) - mean_r.square() + local_mean(x * x) - mean_x.square()
        covariance = local_mean(r * x) - mean_r * mean_x
        c1, c2 = 0.01**2, 0.03**2
        luminance = (2 * mean_r * mean_x + c1) / (mean_r.square() + mean_x.square() + c1)
        return 1 - (luminance * (2 * covariance + c2) / (variances + c2)).mean()


_LOSSES: dict[str, ReconstructionLoss] = {"l1": l1, "mse": mse, "l2": l2, "bce": bce, "ssim": ssim}
