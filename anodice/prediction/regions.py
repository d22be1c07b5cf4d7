"""The parts of an anomaly map that raise the alarm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label, regionprops

from anodice.prediction.prediction import Region

MOST = 20
"""Regions that are told of a photo: a map that is strange all over has hundreds of specks."""


def regions(anomaly_map: NDArray[np.float32], threshold: float, size: tuple[int, int]) -> tuple[Region, ...]:
    """Connected parts (by edges and corners) of a map (H, W) at or above a threshold, the highest peak first.

    Args:
        size: width and height of the photo, in whose pixels the boxes and areas are.

    >>> found = regions(np.eye(4, dtype=np.float32), 0.5, size=(8, 8))
    >>> found[0].box, found[0].area, found[0].peak
    ((0, 0, 8, 8), 16, 1.0)
    """
    parts = regionprops(label(anomaly_map >= threshold, connectivity=2), intensity_image=anomaly_map)
    wide, high = size[0] / anomaly_map.shape[1], size[1] / anomaly_map.shape[0]
    found = []
    for part in parts:
        top, left, bottom, right = part.bbox
        box = (int(left * wide), int(top * high), int(np.ceil(right * wide)), int(np.ceil(bottom * high)))
        found.append(Region(box, max(1, round(part.area * wide * high)), float(part.intensity_max)))
    return tuple(sorted(found, key=lambda region: -region.peak)[:MOST])
