"""Structural similarity of images with templates: 1 for equal images, about 0 for unrelated ones, -1 at the least.

Images are float32 in [0, 1]. Only the multi-scale functions give gradients. torchmetrics' SSIM takes 40 times as long
on a CPU and compares pairs only, with plain covariances; its multi-scale SSIM refuses images below 161 pixels. Sources:
Wang et al. 2004 (SSIM), Wang, Simoncelli & Bovik 2003 (multi-scale).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError
from anodice.functional.windows import (
    TILE,
    Mirrored,
    gaussian_taps,
    one_by_one,
    plane_means,
    side_by_side,
    staggered,
    tiles,
    uniform_taps,
    window_matrix,
    window_means,
)

C1, C2 = 0.01**2, 0.03**2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, finest first."""

_GAUSSIAN, _SIGMA = 11, 1.5


@torch.no_grad()
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
    _check(images, window)
    if torch.compiler.is_exporting():
        return _matrix(images, templates, uniform_taps(window), _c2(window, sample))
    if len(images) < len(templates):  # the longer side is worked on side by side
        return ssim_matrix(templates, images, window=window, sample=sample).T
    size, starts = tiles(len(images), _tile(images))
    matrix = images.new_empty(len(images), len(templates))
    compare = _Compare(templates, size, uniform_taps(window), _c2(window, sample))
    for start in starts:
        matrix[start : start + size] = compare(images[start : start + size])
    return matrix


@torch.no_grad()
def ssim_map(images: Tensor, references: Tensor, *, window: int, sample: bool) -> Tensor:
    """SSIM around each pixel, (N, 1, H, W) each -> (N, 1, H, W); the border repeats the outermost whole window.

    The values away from the border average to those of `ssim_matrix`.
    """
    _check(images, window)
    before = (window - 1) // 2
    inner = _maps(images, references, uniform_taps(window), _c2(window, sample), margin=0)
    return F.pad(inner, (before, window - 1 - before) * 2, mode="replicate")


@torch.no_grad()
def gaussian_ssim_map(images: Tensor, references: Tensor, *, sigma: float) -> Tensor:
    """SSIM around each pixel in a Gaussian window of deviation `sigma`, cut off at 3.5 deviations: (N, C, H, W) each.

    Images are mirrored at their borders without a repetition of the outermost pixels, as in torchmetrics.

    Raises:
        AnodiceError: the window does not fit into the images.
    """
    radius = int(3.5 * sigma + 0.5)
    _check(images, radius + 1)
    return _maps(images, references, gaussian_taps(sigma, radius), C2, margin=radius).view(images.shape)


def ms_ssim(images: Tensor, references: Tensor) -> Tensor:
    """Multi-scale SSIM of pairs, (N, 1, H, W) each or one reference for all -> (N,).

    Follows sewar 0.4.4, with which a published threshold was found: Gaussian window of 11 pixels, deviation 1.5, wholly
    inside; five scales; each scale averages two pixels of the last one, the first pixel of a row with itself. The power
    of a negative mean is complex, and the real part of the product is taken. Where a scale is smaller than the window
    (the fifth one below 176 pixels), image and window change places: the image slides inside the window.
    """
    modulus, phase = images.new_ones(()), images.new_zeros(())
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


def _check(images: Tensor, window: int) -> None:
    height, width = images.shape[-2:]
    if min(height, width) < window:
        raise AnodiceError(f"expected images of at least {window} x {window} pixels for SSIM, got {height} x {width}.")


def _c2(window: int, sample: bool) -> float:
    """The constant beside plain covariances that stands for `C2` beside sample covariances."""
    return C2 * (window**2 - 1) / window**2 if sample else C2


def _tile(images: Tensor) -> int:
    return TILE if images.device.type == "cpu" else 1024


class _Compare:
    """Tiles of `size` images (size, 1, H, W) -> mean SSIM with each template (size, K)."""

    def __init__(self, templates: Tensor, size: int, taps: Tensor, c2: float) -> None:
        theirs = side_by_side(templates).sub_(0.5)
        mean, variance = _moments(theirs, taps, plus=c2)
        level = mean + 0.5
        # The constants of SSIM go to this side, and what a template needs is written over and over.
        sides = (2 * theirs, -2 * mean, 2 * level, level + C1, level.square() + C1, variance)
        self.templates = list(zip(*(_each(side) for side in sides), strict=True))
        self.taps, self.c2 = taps, c2
        self.products = theirs.new_empty(*theirs.shape[:2], size)
        self.numerator, self.denominator = (theirs.new_empty(*mean.shape[:2], size) for _ in range(2))

    def __call__(self, images: Tensor) -> Tensor:
        ours = side_by_side(images).sub_(0.5)
        mean, variance = _moments(ours, self.taps)
        square = (mean + 0.5).square_()
        numerator, denominator = self.numerator, self.denominator
        sums = []
        for theirs, minus_mean, level, level_c1, square_c1, their_variance in self.templates:
            torch.mul(ours, theirs, out=self.products)
            contrast = window_means(self.products, self.taps, plus=self.c2).addcmul_(mean, minus_mean)
            torch.mul(mean, level, out=numerator).add_(level_c1).mul_(contrast)
            torch.add(square, square_c1, out=denominator)
            denominator.mul_(torch.add(variance, their_variance, out=contrast))
            sums.append(numerator.div_(denominator).mean((0, 1)))
            del contrast
        return torch.stack(sums, 1)


def _each(values: Tensor) -> Tensor:
    """(H, W, K) -> (K, H, W, 1), each by itself in memory: a line of it is read at every step."""
    return values.permute(2, 0, 1).contiguous()[..., None]


def _matrix(images: Tensor, templates: Tensor, taps: Tensor, c2: float) -> Tensor:
    """What `_Compare` computes of (N, 1, H, W) and (K, 1, H, W), for graphs: (N, K)."""
    ours, theirs = images - 0.5, templates[:, 0] - 0.5
    (mean, variance), (their_mean, their_variance) = (_plane_moments(side, taps) for side in (ours, theirs))
    contrast = 2 * plane_means(ours * theirs, taps) - 2 * mean * their_mean + c2
    mean, their_mean = mean + 0.5, their_mean + 0.5
    luminance = (2 * mean * their_mean + C1) / (mean.square() + their_mean.square() + C1)
    return (luminance * contrast / (variance + their_variance + c2)).mean((2, 3))


def _plane_moments(centred: Tensor, taps: Tensor) -> tuple[Tensor, Tensor]:
    mean = plane_means(centred, taps)
    return mean, plane_means(centred.square(), taps) - mean.square()


def _moments(centred: Tensor, taps: Tensor, *, plus: float = 0.0) -> tuple[Tensor, Tensor]:
    """Means and variances of grey levels - 0.5, (H, W, P); `plus` is added to the variances."""
    mean = window_means(centred, taps)
    return mean, window_means(centred.square(), taps, plus=plus).addcmul_(mean, mean, value=-1)


def _maps(images: Tensor, references: Tensor, taps: Tensor, c2: float, *, margin: int) -> Tensor:
    """SSIM of pairs (N, C, H, W) in each window of the images with a mirrored margin: (N*C, 1, H', W')."""
    images, references = images.flatten(0, 1), references.flatten(0, 1)
    if torch.compiler.is_exporting():
        means = partial(plane_means, taps=taps, margin=margin)
        return _pair_maps(images + references - 1, images - references, means, c2)[:, None]
    size, starts = tiles(len(images), _tile(images))
    shape, means = images.shape[1:], partial(window_means, taps=taps)
    maps = images.new_empty(len(images), 1, *(length + 2 * margin - len(taps) + 1 for length in shape))
    between = staggered(size, shape, like=images)
    total, difference = (Mirrored(images.new_empty(*shape, size), margin=margin) for _ in range(2))
    for start in starts:
        x, y = (side[start : start + size] for side in (images, references))
        torch.sub(torch.add(x, y, out=between).permute(1, 2, 0), 1, out=total.inner)
        difference.inner.copy_(torch.sub(x, y, out=between).permute(1, 2, 0))
        pairs = _pair_maps(total.filled(), difference.filled(), means, c2)
        one_by_one(pairs, out=maps[start : start + size])
    return maps


def _pair_maps(total: Tensor, difference: Tensor, means: Callable[..., Tensor], c2: float) -> Tensor:
    """From x + y - 1 and x - y, (H, W, P) each and both overwritten, to SSIM (H', W', P), with the window's `means`.

    In sum and difference SSIM is (a - 2 md²) (b - 2 vd) / (a b) with a = ms² + md² + 2 C1 and b = vs + vd + 2 C2, of
    their means m and variances v: where the images are alike, rounding errors are multiplied by the little that they
    differ.
    """
    mean = means(total)
    square = means(difference).square_()
    variance = means(total.square_(), plus=2 * c2).addcmul_(mean, mean, value=-1)
    spread = means(difference.square_()).sub_(square)
    contrast = variance.add_(spread)
    level = mean.add_(1)
    luminance = torch.addcmul(square, level, level, out=level).add_(2 * C1)
    numerator = torch.sub(luminance, square, alpha=2, out=square)
    numerator.mul_(torch.sub(contrast, spread, alpha=2, out=spread))
    return numerator.div_(luminance.mul_(contrast))


def _scales(images: Tensor, references: Tensor) -> Iterator[tuple[Tensor, float, bool]]:
    """Similarity map, weight, and whether the window fits in, of each scale; only the last one minds the luminance."""
    for scale, weight in enumerate(WEIGHTS):
        luminance, contrast = _gaussian_ssim(images, references)
        last = scale == len(WEIGHTS) - 1
        yield contrast * luminance if last else contrast, weight, min(images.shape[2:]) >= _GAUSSIAN
        images, references = _halve(images), _halve(references)


def _gaussian_ssim(images: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure maps."""
    taps = gaussian_taps(_SIGMA, _GAUSSIAN // 2)
    rows, columns = (window_matrix(size, taps, like=images) for size in images.shape[2:])
    # Around mid-grey rounding errors are small; a window that is cut off does not sum to 1, so there an offset counts.
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


def _halve(images: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(images, (1, 0, 1, 0), mode="replicate"), 2)
