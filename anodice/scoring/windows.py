"""Weighted means over the windows around pixels, for many images at once.

The images lie in memory pixel by pixel: (H, W, P), the values that P images have at a pixel side by side. A processor
then works on as many images with one instruction as it has room for, in a convolution that takes each image by itself.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError

TILE = 32
"""Images that are worked on at a time on a CPU: few enough for its cache, enough for its vector instructions."""


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


def side_by_side(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (H, W, N*C), a copy."""
    planes = images.flatten(0, 1)
    return planes.flatten(1).T.clone(memory_format=torch.contiguous_format).unflatten(0, planes.shape[1:])


def one_by_one(values: Tensor, out: Tensor) -> None:
    """(H, W, P) -> (P, 1, H, W), written to `out`."""
    height, width, count = values.shape
    out.view(count, height * width).copy_(values.reshape(height * width, count).T)


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


class WindowMeans:
    """The weighted means over the windows of one shape of values: (H, W, P) -> (W - k + 1, H - k + 1, P).

    Windows lie wholly inside; rows and columns change places. What lies in between has its memory here, because new
    memory costs more time than the arithmetic.

    Args:
        taps: (k,) weights along each side of the window; those of a pixel are products of two.
        like: (H, W, P) float, values like those to come.

    >>> values = torch.ones(5, 4, 2)
    >>> WindowMeans(uniform_taps(3), values)(values, plus=1.0).mean((1, 2))
    tensor([2., 2.])
    """

    def __init__(self, taps: Tensor, like: Tensor) -> None:
        height, width, count = like.shape
        # A single image goes with a copy of itself: another convolution would do for it, and round otherwise.
        count = max(count, 2)
        self._weights = taps.to(like).expand(count, 1, 1, -1).contiguous()
        self._turned = like.new_empty(width - len(taps) + 1, height, count)

    def __call__(self, values: Tensor, *, plus: float = 0.0) -> Tensor:
        """A new tensor; `plus` is added to each mean. Those of an image do not depend on what lies beside it."""
        if values.shape[2] == 1:
            return self(values.repeat(1, 1, 2), plus=plus)[..., :1].contiguous()
        count = len(self._weights)
        with torch.autocast(values.device.type, enabled=False):
            along_rows = _values(F.conv2d(_planes(values), self._weights, groups=count))
            # Turned, the columns are rows: the convolution along them is three times as fast as that across.
            self._turned.copy_(along_rows.transpose(0, 1))
            del along_rows
            bias = values.new_full((count,), plus)
            return _values(F.conv2d(_planes(self._turned), self._weights, bias, groups=count))


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
    taps, planes = gaussian_taps(sigma, radius), images.flatten(0, 1)[:, None]
    size, starts = tiles(len(planes), TILE if images.device.type == "cpu" else len(planes))
    blurred = torch.empty_like(planes, memory_format=torch.contiguous_format)
    mirrored = Mirrored(images.new_empty(*images.shape[2:], size), margin=radius)
    means = WindowMeans(taps, mirrored.filled())
    for start in starts:
        mirrored.inner.copy_(side_by_side(planes[start : start + size]))
        one_by_one(means(mirrored.filled()).transpose(0, 1), out=blurred[start : start + size])
    return blurred.view(images.shape)


def _planes(values: Tensor) -> Tensor:
    """(H, W, P) -> (1, P, H, W), in the memory format in which a convolution of single planes is fast and exact."""
    planes = values[None].permute(0, 3, 1, 2)
    # With this format a GPU would take its tensor cores, and ten bits of precision.
    return planes if values.device.type == "cpu" else planes.contiguous()


def _values(planes: Tensor) -> Tensor:
    """(1, P, H, W) -> (H, W, P), contiguous."""
    return planes.permute(0, 2, 3, 1)[0].contiguous()
