"""The dark marks of a die face: where the pips or the logo are, their distances, and how to find them in a photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anodice.dice.drawing.shapes import SIDE, Array, grid, stub

# The logo's plan in 1/128 of the side, along its two arms (at right angles) from the outer corner.
ARM_WIDTH = 19.8
ARM_LENGTH = 76.4
GAP = 6.5
TAB_LENGTH = 26.8
# The outer corner as seen from the logo's centre, when the logo points to the left.
APEX_X, APEX_Y = -38.5, 1.4

# What a logo that points to the left measures, in 1/128 of the side: the area and the centroid of its arms, and the
# direction in which its tab lies.
_ARMS_AREA = 2565.0
_ARMS_X, _ARMS_Y = -2.4, 1.2
_TAB_ANGLE = math.radians(-8.0)
# Cosine and sine of the 45 degrees between the axis of the logo and its arms.
_DIAGONAL = math.sqrt(0.5)


@dataclass(frozen=True)
class Pip:
    """A round pip: its centre (`x` to the right, `y` down) and `radius`, in pixels from the upper left corner."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Logo:
    """The logo: its centre in pixels, its `angle` in radians (0 points left, growing clockwise) and its `scale`.

    `scale` is pixels per unit of the logo's plan, about `size / 128`.
    """

    x: float
    y: float
    angle: float
    scale: float

    def plan(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Pixel positions in the logo's plan: the distances along its two arms from the outer corner."""
        cos, sin = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        across = (x - self.x) * cos + (y - self.y) * sin - APEX_X
        down = (y - self.y) * cos - (x - self.x) * sin - APEX_Y
        return (across - down) * _DIAGONAL, (across + down) * _DIAGONAL

    def at(self, first: float, second: float) -> tuple[float, float]:
        """The pixel position (x, y) of a place in the plan; the inverse of `plan`.

        >>> logo = Logo(x=64, y=64, angle=0.0, scale=1.0)
        >>> [round(v, 1) for v in logo.at(0.0, 0.0)]
        [25.5, 65.4]
        """
        across = (first + second) * _DIAGONAL + APEX_X
        down = (second - first) * _DIAGONAL + APEX_Y
        cos, sin = math.cos(self.angle) * self.scale, math.sin(self.angle) * self.scale
        return self.x + across * cos - down * sin, self.y + across * sin + down * cos


@dataclass(frozen=True)
class Marks:
    """All marks of one face: its pips, or its logo."""

    pips: tuple[Pip, ...] = ()
    logo: Logo | None = None


def pixels(size: int) -> tuple[Array, Array]:
    """The x and y of every pixel centre in pixels, from the upper left corner of the picture."""
    x, y = grid(size)
    scale = np.float32(size / SIDE)
    return (x + SIDE / 2) * scale, (y + SIDE / 2) * scale


def arms_distance(first: Array, second: Array) -> Array:
    """Signed distance to the logo's two arms, in its plan."""
    one = stub(first, second, start=0.0, length=ARM_LENGTH, offset=0.0, width=ARM_WIDTH)
    other = stub(second, first, start=0.0, length=ARM_LENGTH, offset=0.0, width=ARM_WIDTH)
    return np.minimum(one, other)


def tab_distance(first: Array, second: Array) -> Array:
    """Signed distance to the logo's tab, in its plan."""
    start = ARM_WIDTH + GAP
    return stub(first, second, start=start, length=TAB_LENGTH, offset=start, width=ARM_WIDTH)


def logo_distance(logo: Logo, x: Array, y: Array) -> Array:
    """Signed distance to the logo in pixels, at the pixel positions `x` and `y`."""
    first, second = logo.plan(x, y)
    return np.minimum(arms_distance(first, second), tab_distance(first, second)) * logo.scale


def find_marks(image: NDArray[np.uint8]) -> Marks:
    """The pips or the logo of a die in a photo (H, W), from its dark connected regions.

    Regions that are neither round nor the logo are left out, so a photo of something else gives no marks.
    """
    height, width = image.shape
    scale = min(height, width) / SIDE
    y, x = np.ogrid[:height, :width]
    face = np.hypot(x + 0.5 - width / 2, y + 0.5 - height / 2) < 60 * scale
    dark = face & (image < 0.45 * np.percentile(image, 75))
    labels, _ = ndimage.label(dark)
    regions = [_region(labels, number, box) for number, box in enumerate(ndimage.find_objects(labels), 1)]
    regions = [region for region in regions if region[2] > 100 * scale**2]
    return Marks(pips=_pips(regions, scale), logo=_logo(regions, scale))


def _region(labels: NDArray[np.int32], number: int, box: tuple[slice, slice]) -> tuple[float, float, float, float]:
    """Centroid x and y in pixels, area, and the ratio of width to height of one labelled region."""
    rows, columns = np.nonzero(labels[box] == number)
    x, y = columns.mean() + box[1].start + 0.5, rows.mean() + box[0].start + 0.5
    return float(x), float(y), float(len(rows)), (np.ptp(columns) + 1) / (np.ptp(rows) + 1)


def _pips(regions: list[tuple[float, float, float, float]], scale: float) -> tuple[Pip, ...]:
    """The regions of a pip's size that are as wide as high; the logo's tab is smaller."""
    pips = []
    for x, y, area, ratio in regions:
        radius = math.sqrt(area / math.pi)
        if 11.0 < radius / scale < 17.0 and 0.85 < ratio < 1.18 and not _has_logo_area(regions, scale):
            pips.append(Pip(x, y, radius))
    return tuple(pips)


def _has_logo_area(regions: list[tuple[float, float, float, float]], scale: float) -> bool:
    """Whether one region is about as large as the logo's arms."""
    return any(0.75 < area / (_ARMS_AREA * scale**2) < 1.25 for _, _, area, _ in regions)


def _logo(regions: list[tuple[float, float, float, float]], scale: float) -> Logo | None:
    """The logo, if there is one region like its arms and one like its tab."""
    if not _has_logo_area(regions, scale):
        return None
    arms = max(regions, key=lambda region: region[2])
    tabs = [region for region in regions if 300 < region[2] / scale**2 < 650]
    if len(tabs) != 1:
        return None
    angle = math.atan2(tabs[0][1] - arms[1], tabs[0][0] - arms[0]) - _TAB_ANGLE
    size = math.sqrt(arms[2] / _ARMS_AREA)
    cos, sin = math.cos(angle) * size, math.sin(angle) * size
    return Logo(
        x=arms[0] - _ARMS_X * cos + _ARMS_Y * sin,
        y=arms[1] - _ARMS_X * sin - _ARMS_Y * cos,
        angle=angle,
        scale=size,
    )
