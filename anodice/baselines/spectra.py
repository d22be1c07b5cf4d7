"""The Fourier distance: how far the spectra of an image's rows lie from those of the normal photos of its class.

A spectrum is the magnitude of the discrete Fourier transform along each row of the middle of the image; a template is
the mean spectrum of a class. Images are (N, 1, H, W) float32 in [0, 1]. Sizes in pixels are those for 128 x 128 and
grow with the image; frequencies are in cycles per row and do not.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError

LOW, HIGH = 3, 16
"""How many frequencies count: the lowest, from 0 up, and the last of the row, which mirror 1 to 16."""

_CROP, _SIDE = (15, 113), 128
_ROWS, _CROPPED = (15, 83), 98


def preprocess(images: Tensor) -> Tensor:
    """Gamma 1.1, then log2(1 + x), each with gain 1.001 as in scikit-image, then the middle: -> (N, h, w).

    Raises:
        AnodiceError: the image is too small to hold the frequencies.

    >>> preprocess(torch.rand(2, 1, 128, 128)).shape
    torch.Size([2, 98, 98])
    """
    height, width = images.shape[2:]
    (top, bottom), (left, right) = (_scaled(_CROP, size, _SIDE) for size in (height, width))
    if right - left < LOW + HIGH:
        raise AnodiceError(f"expected images at least 25 pixels wide for the Fourier distance, got {width}.")
    images = images[:, 0, top:bottom, left:right]
    return 1.001 * torch.log2(1 + 1.001 * images**1.1)


def row_spectrum(images: Tensor) -> Tensor:
    """|FFT| along each row, not normalised: images (N, 1, H, W) -> spectra (N, h, w) of their middles."""
    rows = preprocess(images)
    if torch.compiler.is_exporting():
        return _by_products(rows)
    return torch.fft.fft(rows, dim=2).abs()


def fourier_distances(spectra: Tensor, templates: Tensor) -> Tensor:
    """The norm of the difference at low frequencies plus that at high ones, at least 0; higher = less alike.

    Args:
        spectra: (N, h, w).
        templates: (K, h, w).

    Returns:
        (N, K).
    """
    if torch.compiler.is_exporting():  # ONNX has no cdist
        return sum(
            (ours[:, None] - theirs).square().sum((2, 3)).sqrt()
            for ours, theirs in zip(_bands(spectra), _bands(templates), strict=True)
        )
    # By products, cdist would lose the digits of small distances.
    return sum(
        torch.cdist(ours.flatten(1), theirs.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
        for ours, theirs in zip(_bands(spectra), _bands(templates), strict=True)
    )


def fourier_map(spectra: Tensor, templates: Tensor, *, image_size: tuple[int, int]) -> Tensor:
    """What each row adds to the distance, spread over its pixels: (N, 1, H, W), 0 around the middle.

    The distance has no place along a row. A map sums to the distance of its image.

    Args:
        spectra: (N, h, w).
        templates: (N, h, w), one per spectrum.
        image_size: H and W.
    """
    first, last = _scaled(_ROWS, spectra.shape[1], _CROPPED)
    squares = [(ours - theirs).square().sum(2) for ours, theirs in zip(_bands(spectra), _bands(templates), strict=True)]
    rows = sum(band / band.sum(1, keepdim=True).sqrt().clamp_min(1e-12) for band in squares)
    rows = F.pad(rows, (first, spectra.shape[1] - last))
    middle = (rows / spectra.shape[2])[:, None, :, None].expand(-1, -1, -1, spectra.shape[2])
    (top, bottom), (left, right) = (_scaled(_CROP, size, _SIDE) for size in image_size)
    return F.pad(middle, (left, image_size[1] - right, top, image_size[0] - bottom))


def _by_products(rows: Tensor) -> Tensor:
    """The magnitudes of the transform by products with cosines and sines, for graphs: few runtimes have an FFT."""
    places = torch.arange(rows.shape[2], dtype=torch.float64, device=rows.device)
    angles = (2 * math.pi / rows.shape[2]) * (places[:, None] * places % rows.shape[2])
    cosines, sines = (rows @ wave.to(rows) for wave in (angles.cos(), angles.sin()))
    return (cosines.square() + sines.square()).sqrt()


def _bands(spectra: Tensor) -> tuple[Tensor, Tensor]:
    first, last = _scaled(_ROWS, spectra.shape[1], _CROPPED)
    rows = spectra[:, first:last]
    return rows[:, :, :LOW], rows[:, :, -HIGH:]


def _scaled(span: tuple[int, int], size: int, standard: int) -> tuple[int, int]:
    return round(span[0] * size / standard), round(span[1] * size / standard)
