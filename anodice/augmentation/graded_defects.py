"""Marks of exact size and contrast on the bare parts of photos: to measure how small a defect a detector finds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FINE = 8
"""Pixels are divided into so many parts along each side to tell how much of them is covered."""
_CANDIDATES = 200
_REACH = 0.85
"""Marks lie within this share of half the image: a die fills the photo up to there."""


@dataclass(frozen=True)
class GradedDefect:
    """One kind of defect.

    Attributes:
        what: in words.
        dimension: what its size measures.
        sign: -1 darkens, 1 brightens.
        width: of a line, in pixels of a photo 128 wide; None for a disc, whose diameter is its size.
        sizes: in pixels of a photo 128 wide.
        contrasts: in grey levels of 0..255.
    """

    what: str
    dimension: str
    sign: int
    width: float | None
    sizes: tuple[float, ...]
    contrasts: tuple[float, ...]


_DARK, _BRIGHT = (10.0, 20.0, 40.0, 80.0, 160.0), (5.0, 10.0, 20.0, 30.0)  # a white face leaves little room above it
_DIAMETERS, _LENGTHS = (
    (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0),
    (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0),
)
GRADED_DEFECTS = {
    "dark_blot": GradedDefect("round dark blot", "diameter", -1, None, _DIAMETERS, _DARK),
    "bright_blot": GradedDefect("round bright blot", "diameter", 1, None, _DIAMETERS, _BRIGHT),
    "stroke": GradedDefect("dark stroke, 3 pixels wide", "length", -1, 3.0, _LENGTHS, _DARK),
    "scratch": GradedDefect("dark scratch, 1 pixel wide", "length", -1, 1.0, _LENGTHS, _DARK),
}


@dataclass(frozen=True)
class Place:
    """Where a defect is painted: its middle `x` and `y` in pixels from the upper left corner, its `angle` in radians,
    and the grey `level` of what it is painted on."""

    x: float
    y: float
    angle: float
    level: float


def coverage(place: Place, size: float, width: float | None, side: int) -> NDArray[np.float32]:
    """The share of each pixel (side, side) that a defect covers, 0..1; summed up it is the defect's area.

    Args:
        size: diameter of a disc, or length of a bar, in pixels.
        width: of the bar, None for a disc.

    >>> round(float(coverage(Place(32, 32, 0.3, 200), 6, None, 64).sum())), round(math.pi * 9)
    (28, 28)
    """
    half = math.hypot(size, width or 0) / 2 + 1
    rows, columns = (slice(max(0, int(v - half)), min(side, int(v + half) + 1)) for v in (place.y, place.x))
    y = np.arange(rows.start, rows.stop, 1 / _FINE) + 0.5 / _FINE - place.y
    x = np.arange(columns.start, columns.stop, 1 / _FINE) + 0.5 / _FINE - place.x
    along = x * math.cos(place.angle) + y[:, None] * math.sin(place.angle)
    across = y[:, None] * math.cos(place.angle) - x * math.sin(place.angle)
    if width is None:
        inside = np.hypot(along, across) <= size / 2
    else:
        inside = (np.abs(along) <= size / 2) & (np.abs(across) <= width / 2)
    covered = np.zeros((side, side), dtype=np.float32)
    shape = (rows.stop - rows.start, _FINE, columns.stop - columns.start, _FINE)
    covered[rows, columns] = inside.reshape(shape).mean(axis=(1, 3))
    return covered


def paint(photo: NDArray[np.uint8], covered: NDArray[np.float32], change: float) -> NDArray[np.uint8]:
    """A copy of the photo (H, W, C), `change` grey levels brighter where it is covered (H, W); grain stays as it is."""
    return np.clip(np.rint(photo + change * covered[..., None]), 0, 255).astype(np.uint8)


def find_place(photo: NDArray[np.uint8], length: float, generator: np.random.Generator) -> Place:
    """The barest of many random places for defects up to this length (pixels), inside the disk that a die fills.

    Bare is what is near the commonest grey level of the photo, as the face of a die is away from its marks.
    """
    grey = photo.mean(axis=2)
    side = len(grey)
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    inside = np.hypot(x, y) < _REACH * side / 2
    counts, edges = np.histogram(grey[inside], bins=32, range=(0, 256))
    departure = np.minimum(np.abs(grey - edges[counts.argmax()] - 4), 60)
    angles = generator.uniform(0, 2 * np.pi, _CANDIDATES)
    away = np.sqrt(generator.random(_CANDIDATES)) * max(_REACH * side / 2 - length / 2, 0)
    around = generator.uniform(0, 2 * np.pi, _CANDIDATES)
    middles = side / 2 + away * np.array([np.cos(around), np.sin(around)])  # (2, candidates)
    # Probed along a cross, so that lines and discs alike have bare face around them.
    steps = np.linspace(-length / 2, length / 2, 33)
    directions = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
    probes = middles[None, :, :, None] + directions[..., None] * steps * np.array([1, 0.3])[:, None, None, None]
    columns, rows = np.clip(probes.astype(int), 0, side - 1).swapaxes(0, 1)  # each (2, candidates, steps)
    best = int(departure[rows, columns].mean(axis=(0, 2)).argmin())
    level = float(grey[rows[0, best], columns[0, best]].mean())
    return Place(float(middles[0, best]), float(middles[1, best]), float(angles[best]), level)
