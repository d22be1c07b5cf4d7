"""The highest and the lowest value around each pixel, many times as fast on a CPU as pooling with a stride of 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def highest_nearby(images: Tensor, radius: int) -> Tensor:
    """(N, C, H, W) -> the same shape: the highest value within `radius` rows and columns of each pixel.

    >>> highest_nearby(torch.tensor([[[[1.0, 5.0, 2.0, 0.0, 3.0]]]]), 1).flatten().tolist()
    [5.0, 5.0, 5.0, 3.0, 3.0]
    """
    return _nearby(images, radius, torch.maximum)


def lowest_nearby(images: Tensor, radius: int) -> Tensor:
    """The lowest value, likewise."""
    return _nearby(images, radius, torch.minimum)


def _nearby(images: Tensor, radius: int, extreme: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    # Repeated border pixels are within reach in any case.
    found, window = F.pad(images, (radius,) * 4, mode="replicate"), 2 * radius + 1
    for axis in (2, 3):
        reach = 1
        while reach < window:  # of two windows side by side, or overlapping, is made one
            step = min(reach, window - reach)
            length = found.shape[axis] - step
            found = extreme(found.narrow(axis, 0, length), found.narrow(axis, step, length))
            reach += step
    return found
