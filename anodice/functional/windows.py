"""Weighted means over the windows around pixels, for many images at once.

The images lie in memory pixel by pixel: (H, W, P), the values that P images have at a pixel side by side. A processor
then works on as many images with one instruction as it has room for, in a convolution that takes each image by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError

TILE = 16
"""Images that are worked on at a time on a CPU: as many as its longest vectors hold; most stays in its cache."""

_STAGGER = 16  # values between images: where they lie a power of two apart, they push each other out of the cache


def uniform_taps(window: int) -> Tensor:
    """(window,) equal weights that sum to 1."""
    return torch.full((window,), 1 / window)


def gaussian_taps(sigma: float, radius: int) -> Tensor:
    """(2 radius + 1,) weights of a Gaussian of deviation `sigma`, which sum to 1.

    >>> [round(weight, 3) for weight in gaussian_taps(1.0, 1).tolist()]
    [0.274, 0.452, 0.274]
    """
    weights = torch.exp(-(torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma).square() / 2)
    return (weights / weights.sum()).float()


def window_matrix(size: int, taps: Tensor, *, like: Tensor) -> Tensor:
    """(P, size): a product with it is the weighted sum in each of the P windows that lie wholly inside `size` pixels.

    Where there are fewer pixels than taps, they change places: the pixels slide inside the window.

    >>> window_matrix(4, uniform_taps(2), like=torch.empty(0))
    tensor([[0.5000, 0.5000, 0.0000, 0.0000],
            [0.0000, 0.5000, 0.5000, 0.0000],
            [0.0000, 0.0000, 0.5000, 0.5000]])
    """
    count = len(taps)
    places = torch.arange(abs(size - count) + 1, device=like.device)
    taken = torch.arange(size, device=like.device) - places[:, None] + max(count - size, 0)
    return torch.where((taken >= 0) & (taken < count), taps.to(like)[taken.clamp(0, count - 1)], 0)


def staggered(count: int, size: Sequence[int], *, like: Tensor) -> Tensor:
    """Memory (count, H, W) for images of `size` (H, W), from which `.permute(1, 2, 0)` is copied in half the time."""
    height, width = size
    return like.new_empty(count, height * width + _STAGGER)[:, : height * width].unflatten(1, (height, width))


def side_by_side(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (H, W, N*C), a copy."""
    planes = images.flatten(0, 1)
    between = staggered(len(planes), images.shape[2:], like=images)
    return between.copy_(planes).permute(1, 2, 0).contiguous()


def one_by_one(values: Tensor, out: Tensor) -> None:
    """(H, W, P) -> (P, 1, H, W), written to `out`."""
    out[:, 0].copy_(values.permute(2, 0, 1))


class Mirrored:
    """Values (H, W, P) with a margin that mirrors them at the outermost pixels, which are not repeated.

    What is written to `inner` comes with its margin in `filled()`: a copy with a margin would take ten times as long.

    Args:
        like: (H, W, P), values like those to come.
        margin: pixels on each side, fewer than there are rows and columns.

    >>> mirrored = Mirrored(torch.empty(2, 3, 1), margin=1)
    >>> _ = mirrored.inner.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[..., None])
    >>> mirrored.filled()[:2, :, 0]
    tensor([[5., 4., 5., 6., 5.],
            [2., 1., 2., 3., 2.]])
    """

    def __init__(self, like: Tensor, *, margin: int) -> None:
        height, width, count = like.shape
        self.margin = margin
        self._all = like.new_empty(height + 2 * margin, width + 2 * margin, count)
        self.inner = self._all[margin : margin + height, margin : margin + width]

    def filled(self) -> Tensor:
        """(H + 2 margin, W + 2 margin, P), the same memory each time; it may be overwritten."""
        margin = self.margin
        for axis, length in enumerate(self.inner.shape[:2] if margin > 0 else ()):
            for to, of in ((0, margin + 1), (margin + length, length - 1)):
                self._all.narrow(axis, to, margin).copy_(self._all.narrow(axis, of, margin).flip(axis))
        return self._all


def window_means(values: Tensor, taps: Tensor, *, plus: float = 0.0) -> Tensor:
    """The weighted means over the windows that lie wholly inside: (H, W, P) -> (H - k + 1, W - k + 1, P), a new tensor.

    Those of an image do not depend on what lies beside it.

    Args:
        values: float, contiguous.
        taps: (k,) weights along each side of the window; those of a pixel are products of two.
        plus: is added to each mean.

    >>> window_means(torch.ones(5, 4, 2), uniform_taps(3), plus=1.0).mean((0, 1))
    tensor([2., 2.])
    """
    count = values.shape[2]
    if count == 1:  # goes with a copy of itself: another convolution would do for a single image, and round otherwise
        return window_means(values.repeat(1, 1, 2), taps, plus=plus)[..., :1].contiguous()
    along = taps.to(values).expand(count, 1, 1, -1).contiguous()
    with torch.autocast(values.device.type, enabled=False):
        rows = F.conv2d(_planes(values), along, groups=count)
        bias = values.new_full((count,), plus) if plus != 0 else None
        means = F.conv2d(rows, along.transpose(2, 3), bias, groups=count)
    return means.permute(0, 2, 3, 1)[0].contiguous()


def plane_means(planes: Tensor, taps: Tensor, *, margin: int = 0, plus: float = 0.0) -> Tensor:
    """As `window_means` with a margin that mirrors, of planes one by one: (..., H, W) -> (..., H', W').

    Two products with constant matrices, whatever the number of planes: what an exported graph can hold. They round
    otherwise than `window_means`.

    >>> plane_means(torch.ones(2, 5, 4), uniform_taps(3), margin=1).shape
    torch.Size([2, 5, 4])
    """
    rows, columns = (_mirroring_matrix(size, taps, margin, like=planes) for size in planes.shape[-2:])
    means = rows @ planes @ columns.T
    return means if plus == 0 else means + plus


def resized_by_mean(images: Tensor, side: int) -> Tensor:
    """(N, C, H, W) -> (N, C, side, side): the means over so many parts of the height and the width.

    That of torch but for exported graphs: ONNX has none for parts of unequal length.
    """
    if not torch.compiler.is_exporting():
        return F.adaptive_avg_pool2d(images, side)
    rows, columns = (_parts_matrix(size, side, like=images) for size in images.shape[2:])
    return rows @ images @ columns.T


def tiles(count: int, most: int) -> tuple[int, list[int]]:
    """The size and the starts of the fewest tiles of one size, at most `most`, that cover `count`; they may overlap.

    >>> tiles(7, 4)
    (4, [0, 3])
    """
    number = max(1, -(-count // most))
    size = -(-count // number)
    return size, [min(start, count - size) for start in range(0, number * size, max(1, size))]


@torch.no_grad()
def gaussian_blur(images: Tensor, *, sigma: float) -> Tensor:
    """(N, C, H, W) smoothed by a Gaussian of deviation `sigma`, cut off at 3 deviations; mirrored at the borders.

    The same as torchvision's, which takes a hundred times as long on a CPU. No gradients.

    Raises:
        AnodiceError: the images are not larger than 3 deviations.
    """
    radius = math.ceil(3 * sigma)
    if min(images.shape[2:]) <= radius:
        raise AnodiceError(
            f"expected images of more than {radius} pixels a side to smooth with a deviation of {sigma:g}, got "
            f"{images.shape[2]} x {images.shape[3]}; smooth less."
        )
    if torch.compiler.is_exporting():
        return plane_means(images, gaussian_taps(sigma, radius), margin=radius)
    taps, planes = gaussian_taps(sigma, radius), images.flatten(0, 1)[:, None]
    size, starts = tiles(len(planes), TILE if images.device.type == "cpu" else len(planes))
    blurred = torch.empty_like(planes, memory_format=torch.contiguous_format)
    between = staggered(size, images.shape[2:], like=images)
    mirrored = Mirrored(images.new_empty(*images.shape[2:], size), margin=radius)
    for start in starts:
        mirrored.inner.copy_(between.copy_(planes[start : start + size, 0]).permute(1, 2, 0))
        one_by_one(window_means(mirrored.filled(), taps), out=blurred[start : start + size])
    return blurred.view(images.shape)


def _mirroring_matrix(size: int, taps: Tensor, margin: int, *, like: Tensor) -> Tensor:
    """(P, size): that of `window_matrix` for `size` pixels with a margin that mirrors them."""
    places = torch.arange(-margin, size + margin, device=like.device).abs()
    mirrored = (size - 1) - ((size - 1) - places).abs()
    pixels = torch.arange(size, device=like.device)
    return window_matrix(size + 2 * margin, taps, like=like) @ (mirrored[:, None] == pixels).to(like)


def _parts_matrix(size: int, parts: int, *, like: Tensor) -> Tensor:
    """(parts, size): a product with it is the mean over each part, which may overlap by a pixel."""
    part, pixel = torch.arange(parts, device=like.device)[:, None], torch.arange(size, device=like.device)
    inside = ((pixel >= part * size // parts) & (pixel < -(-(part + 1) * size // parts))).to(like)
    return inside / inside.sum(1, keepdim=True)


def _planes(values: Tensor) -> Tensor:
    """(H, W, P) -> (1, P, H, W), in the memory format in which a convolution of single planes is fast and exact."""
    planes = values[None].permute(0, 3, 1, 2)
    # With this format a GPU would take its tensor cores, and ten bits of precision.
    return planes if values.device.type == "cpu" else planes.contiguous()
