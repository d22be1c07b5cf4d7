"""Boxes around what differs between a photo and its template, as earlier projects drew them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops
from skimage.metrics import structural_similarity

from anodice.errors import AnodiceError


class Difference(NamedTuple):
    """What differs between two pictures.

    Attributes:
        similarity: (H, W) uint8, their SSIM at each pixel, negative ones as 0.
        cut: pixels of at most this similarity differ; None where all pixels are alike.
        boxes: left, top, right and bottom of the connected parts that differ, right and bottom outside of them, the
            largest part first.
    """

    similarity: NDArray[np.uint8]
    cut: int | None
    boxes: tuple[tuple[int, int, int, int], ...]


def difference_boxes(photo: NDArray[np.uint8], template: NDArray[np.uint8], *, least_area: int = 40) -> Difference:
    """Where two grey pictures (H, W) differ, at least 7 pixels high and wide.

    Their SSIM in windows of 7 x 7 pixels is brought to 8 bits and cut by Otsu's method (1979); parts connected by edges
    or corners, holes filled, get a box where they have more than `least_area` pixels. The originals measured the area
    inside of the outline, which is smaller. Otsu's cut halves whatever it gets: normal photos have boxes as well.

    Raises:
        AnodiceError: pictures of other shapes or types.

    >>> template = np.full((32, 32), 200, dtype=np.uint8)
    >>> photo = template.copy()
    >>> photo[10:20, 4:12] = 0
    >>> difference_boxes(photo, template).boxes
    ((1, 7, 15, 23),)
    """
    if photo.shape != template.shape or photo.ndim != 2 or min(photo.shape) < 7 or photo.dtype != template.dtype:
        raise AnodiceError(
            f"expected two grey pictures of one shape, at least 7 x 7 pixels, got {photo.shape} {photo.dtype} and "
            f"{template.shape} {template.dtype}; bring the photo to the size of the template."
        )
    _, whole = structural_similarity(photo, template, full=True, data_range=255)
    similarity = (255 * whole.clip(0, 1)).astype(np.uint8)
    if similarity.min() == similarity.max():
        return Difference(similarity, None, ())
    cut = int(threshold_otsu(similarity))
    parts = [part for part in regionprops(label(similarity <= cut, connectivity=2)) if part.area_filled > least_area]
    found = sorted(parts, key=lambda part: -part.area_filled)
    boxes = tuple((left, top, right, bottom) for top, left, bottom, right in (map(int, part.bbox) for part in found))
    return Difference(similarity, cut, boxes)
