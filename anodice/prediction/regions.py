"""The parts of an anomaly map that raise the alarm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label, regionprops

from anodice.data.frame import Fit, Frame
from anodice.prediction.prediction import Region

MOST = 20
"""Regions that are told of a photo: a map that is strange all over has hundreds of specks."""


def regions(
    anomaly_map: NDArray[np.float32], threshold: float, size: tuple[int, int], *, fit: Fit = "squash"
) -> tuple[Region, ...]:
    """Connected parts (by edges and corners) of a map (H, W) at or above a threshold, the highest peak first.

    Args:
        size: width and height of the photo, in whose pixels the boxes and areas are.
        fit: how it was brought to the shape of the map; parts outside of the photo are left out.

    >>> found = regions(np.eye(4, dtype=np.float32), 0.5, size=(8, 8))
    >>> found[0].box, found[0].area, found[0].peak
    ((0, 0, 8, 8), 16, 1.0)
    """
    parts = regionprops(label(anomaly_map >= threshold, connectivity=2), intensity_image=anomaly_map)
    frame = Frame(*anomaly_map.shape, fit)
    left, top, right, bottom = frame.place(size)
    pixel = size[0] / (right - left) * size[1] / (bottom - top)
    found = []
    for part in parts:
        y0, x0, y1, x1 = part.bbox
        if x1 <= left or x0 >= right or y1 <= top or y0 >= bottom:
            continue  # in the border that was added
        box = frame.to_photo((x0, y0, x1, y1), size)
        found.append(Region(box, max(1, round(part.area * pixel)), float(part.intensity_max)))
    return tuple(sorted(found, key=lambda region: -region.peak)[:MOST])
