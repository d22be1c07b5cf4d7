"""Structural similarity of images with templates: 1 for equal images, about 0 for unrelated ones, -1 at the least.

Images are (N, 1, H, W) float32 in [0, 1]. torchmetrics' SSIM covers neither definition here: it has no sample
covariance, compares pairs only, and its multi-scale SSIM refuses images below 161 pixels. Sources: Wang et al. 2004
(SSIM), Wang, Simoncelli & Bovik 2003 (multi-scale).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError

C1, C2 = 0.01**2, 0.03**2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, finest first."""

_GAUSSIAN, _SIGMA = 11, 1.5


class _Windows(NamedTuple):
    """What windows need to know of one side of a pair; the last dimension runs through the image row by row."""

    centred: Tensor  # grey level - 0.5, so that float32 variances of flat places keep their digits
    mean: Tensor  # of `centred` in the window that starts at each pixel
    level: Tensor  # of the grey levels there
    square: Tensor  # of `level`
    variance: Tensor


def ssim_matrix(images: Tensor, templates: Tensor, *, window: int, sample: bool) -> Tensor:
    """Mean SSIM of each image with each template, in a uniform window that lies wholly inside: (N, 1, H, W) -> (N, K).

    `window=7, sample=True` is the default of scikit-image, `window=11, sample=False` that of sewar.

    Args:
        templates: (K, 1, H, W).
        window: side of the window, in pixels.
        sample: divide covariances by the number of pixels less one.

    Raises:
        AnodiceError: the images are smaller than the window.

    >>> images = torch.rand(2, 1, 16, 16)
    >>> ssim_matrix(images, images, window=7, sample=True).shape
    torch.Size([2, 2])
    """
    width = images.shape[3]
    ours = _windows(images[:, None], window, sample)
    theirs = _factors(_windows(templates, window, sample), window, sample)
    # A few images at a time: the pairs stay in the processor's cache.
    pairs = 2**18 if images.device.type == "cpu" else 2**26
    chunks = (values.split(max(1, pairs // templates.numel())) for values in ours)
    parts = (_similarity(_Windows(*part), theirs, width, window) for part in zip(*chunks, strict=True))
    return torch.cat([similarity.mean((2, 3)) for similarity in parts])


def ssim_map(images: Tensor, references: Tensor, *, window: int, sample: bool) -> Tensor:
    """SSIM around each pixel, (N, 1, H, W) each -> (N, 1, H, W); the border repeats the outermost whole window.

    The values away from the border average to those of `ssim_matrix`.
    """
    ours = _windows(images, window, sample)
    theirs = _factors(_windows(references, window, sample), window, sample)
    similarity = _similarity(ours, theirs, images.shape[3], window)
    before = (window - 1) // 2
    return F.pad(similarity[:, None], (before, window - 1 - before) * 2, mode="replicate")


def ms_ssim(images: Tensor, references: Tensor) -> Tensor:
    """Multi-scale SSIM of pairs, (N, 1, H, W) each or one reference for all -> (N,).

    Follows sewar 0.4.4, with which a published threshold was found: Gaussian window of 11 pixels, deviation 1.5, wholly
    inside; five scales; each scale averages two pixels of the last one, the first pixel of a row with itself. The power
    of a negative mean is complex, and the real part of the product is taken. Where a scale is smaller than the window
    (the fifth one below 176 pixels), image and window change places: the image slides inside the window.
    """
    modulus, phase = 1.0, 0.0
    for similarity, weight, _ in _scales(images, references):
        mean = similarity.mean((1, 2, 3))
        modulus = modulus * mean.abs() ** weight
        phase = phase + weight * math.pi * (mean < 0)
    return modulus * torch.cos(phase)


def ms_ssim_map(images: Tensor, references: Tensor) -> Tensor:
    """The product pixel by pixel, each scale stretched over the image: (N, 1, H, W) each -> (N, 1, H, W) in [0, 1].

    Negative similarities count as 0. A scale smaller than the window has no places and counts with its mean.
    """
    size = images.shape[2:]
    product = torch.ones_like(images)
    for similarity, weight, fits in _scales(images, references):
        if fits:
            similarity = F.pad(similarity, (_GAUSSIAN // 2,) * 4, mode="replicate")
            similarity = F.interpolate(similarity, size=size, mode="bilinear", align_corners=False)
        else:
            similarity = similarity.mean((2, 3), keepdim=True)
        product = product * similarity.clamp(0, 1) ** weight
    return product


def _windows(images: Tensor, window: int, sample: bool) -> _Windows:
    height, width = images.shape[-2:]
    if min(height, width) < window:
        raise AnodiceError(f"expected images of at least {window} x {window} pixels for SSIM, got {height} x {width}.")
    centred = images.flatten(-3) - 0.5
    mean = _window_sums(centred, width, window) / window**2
    squares = _window_sums(centred.square(), width, window) / window**2
    level = mean + 0.5
    return _Windows(centred, mean, level, level.square(), (squares - mean.square()) * _correction(window, sample))


def _factors(windows: _Windows, window: int, sample: bool) -> _Windows:
    """The side of the templates, with the constants of SSIM in it: each pass over all pairs counts."""
    twice = 2 * _correction(window, sample)
    centred, mean, level, square, variance = windows
    return _Windows(centred * (twice / window**2), -twice * mean, 2 * level, square + C1, variance + C2)


def _similarity(ours: _Windows, theirs: _Windows, width: int, window: int) -> Tensor:
    """SSIM in each window that lies wholly inside: (..., H - window + 1, W - window + 1)."""
    constants = ours.mean.new_tensor([C1, C2 / window**2])
    products = torch.addcmul(constants[1], ours.centred, theirs.centred)
    contrast = _window_sums(products, width, window).addcmul_(ours.mean, theirs.mean)
    similarity = torch.addcmul(constants[0], ours.level, theirs.level).mul_(contrast)
    similarity.div_((ours.square + theirs.square).mul_(ours.variance + theirs.variance))
    # What runs over the end of a row falls away here.
    return similarity.unfold(-1, width - window + 1, width)


def _correction(window: int, sample: bool) -> float:
    return window**2 / (window**2 - 1) if sample else 1.0


def _window_sums(values: Tensor, width: int, window: int) -> Tensor:
    """(..., H*W) -> sums over the window x window pixels to the right of and below each start."""
    return _run_sums(_run_sums(values, 1, window), width, window)


def _run_sums(values: Tensor, step: int, count: int) -> Tensor:
    """values[i] + values[i + step] + ... with `count` terms, in few passes."""
    if count == 1:
        return values
    if count % 2 == 1:
        fewer = _run_sums(values, step, count - 1)
        return fewer[..., :-step] + values[..., (count - 1) * step :]
    half = _run_sums(values, step, count // 2)
    offset = count // 2 * step
    return half[..., :-offset] + half[..., offset:]


def _scales(images: Tensor, references: Tensor) -> Iterator[tuple[Tensor, float, bool]]:
    """Similarity map, weight, and whether the window fits in, of each scale; only the last one minds the luminance."""
    for scale, weight in enumerate(WEIGHTS):
        luminance, contrast = _gaussian_ssim(images, references)
        last = scale == len(WEIGHTS) - 1
        yield contrast * luminance if last else contrast, weight, min(images.shape[2:]) >= _GAUSSIAN
        images, references = _halve(images), _halve(references)


def _gaussian_ssim(images: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure maps."""
    rows, columns = (_gaussian_matrix(size, images) for size in images.shape[2:])
    # As in `_Windows`; a window that is cut off does not sum to 1, so there the moments do depend on the offset.
    offset = 0.5 if min(images.shape[2:]) >= _GAUSSIAN else 0.0
    images, references = images - offset, references - offset

    def smooth(values: Tensor) -> Tensor:
        return rows @ values @ columns.T

    ours, theirs = smooth(images), smooth(references)
    variances = smooth(images.square()) - ours.square() + (smooth(references.square()) - theirs.square())
    covariance = smooth(images * references) - ours * theirs
    ours, theirs = ours + offset, theirs + offset
    luminance = (2 * ours * theirs + C1) / (ours.square() + theirs.square() + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _gaussian_matrix(size: int, like: Tensor) -> Tensor:
    """The Gaussian window over `size` pixels as a matrix, a row for each place where the shorter lies in the longer."""
    offsets = torch.arange(_GAUSSIAN, dtype=torch.float64) - _GAUSSIAN // 2
    kernel = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    kernel = (kernel / kernel.sum()).float().to(like)  # first float: Apple's GPUs have no float64
    places = torch.arange(abs(size - _GAUSSIAN) + 1, device=like.device)
    pixels = torch.arange(size, device=like.device)
    taps = pixels - places[:, None] + max(_GAUSSIAN - size, 0)
    return torch.where((taps >= 0) & (taps < _GAUSSIAN), kernel[taps.clamp(0, _GAUSSIAN - 1)], 0)


def _halve(images: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(images, (1, 0, 1, 0), mode="replicate"), 2)
