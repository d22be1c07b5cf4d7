"""The mean photo of a class as an earlier project made it: a running mean in 8 bits, stored as JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 95
"""Of the JPEG file, OpenCV's default."""


def running_mean(photos: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The running mean of grey photos (H, W), each step rounded to 8 bits as OpenCV's `addWeighted` rounds it.

    Photo i, counted from 1, comes in with the weight 1 / i. From some hundred photos on no step moves a pixel by half a
    level, so the first photos decide, and their order matters.

    Raises:
        ValueError: there is no photo.

    >>> levels = [np.full((1, 1), level, dtype=np.uint8) for level in (1, 2, 3, 4)]
    >>> running_mean(levels).item(), np.mean(levels)
    (2, np.float64(2.5))
    """
    mean: NDArray[np.uint8] | None = None
    for number, photo in enumerate(photos, start=1):
        mean = photo if mean is None else _blend(photo, mean, 1 / number)
    if mean is None:
        raise ValueError("expected at least one photo, got none.")
    return mean


def through_jpeg(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey photo (H, W) as it comes back from a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=QUALITY)
    with Image.open(file) as image:
        return np.asarray(image)


def _blend(photo: NDArray[np.uint8], mean: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """`share` of the photo and the rest of the mean, in float32 with one rounding of the sum, half to even."""
    rest = (mean.astype(np.float32) * np.float32(1 - share)).astype(np.float64)
    total = photo.astype(np.float64) * float(np.float32(share)) + rest
    return np.rint(total.astype(np.float32)).astype(np.uint8)
