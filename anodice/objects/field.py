"""What every object is drawn with: places, light, and the flaws that any surface can have.

Lengths are in 1/128 of the picture's shorter side, measured from its middle, x to the right and y down.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from anodice.dice.drawing.shapes import SIDE, Array, blend, coverage, ripple, smooth_noise


@dataclass(frozen=True)
class Field:
    """The places of a picture's pixels: `x` and `y` (H, W), and `pixel`, the side of one."""

    x: Array
    y: Array
    pixel: float

    @classmethod
    def of(cls, height: int, width: int) -> Field:
        """
        >>> field = Field.of(64, 128)
        >>> field.pixel, float(field.x[0, 0]), float(field.y[0, 0])
        (2.0, -127.0, -63.0)
        """
        pixel = SIDE / min(height, width)
        across, down = ((np.arange(count) + 0.5 - count / 2) * pixel for count in (width, height))
        x, y = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
        return cls(x, y, pixel)

    @property
    def reach(self) -> tuple[float, float]:
        """Half of the width and of the height."""
        return self.x.shape[1] * self.pixel / 2, self.x.shape[0] * self.pixel / 2

    def moved(self, x: float, y: float, turn: float = 0.0) -> Field:
        """The same pixels as an object sees them that lies at (x, y), turned by `turn` radians."""
        cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
        right, down = self.x - np.float32(x), self.y - np.float32(y)
        return Field(right * cos + down * sin, down * cos - right * sin, self.pixel)

    def cover(self, distance: Array, *, soft: float = 1.3) -> Array:
        """How much of each pixel a shape covers, from its signed distance; negative is inside."""
        return coverage(distance, self.pixel, soft=soft)

    def noise(self, generator: np.random.Generator, length: float) -> Array:
        """A smooth random field of mean about 0 and deviation about 1, with humps of about this length."""
        height, width = self.x.shape
        cells = max(1, round(max(height, width) * self.pixel / length))
        return smooth_noise(generator, max(height, width), cells)[:height, :width]


def bar(field: Field, half_length: float, half_width: float, *, corner: float = 0.0) -> Array:
    """Signed distance from a bar around the middle along x, with rounded corners."""
    across, down = np.abs(field.x) - half_length + corner, np.abs(field.y) - half_width + corner
    outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    return outside + np.minimum(np.maximum(across, down), 0) - corner


def blot(field: Field, generator: np.random.Generator, place: tuple[float, float], radius: float) -> Array:
    """Signed distance from a ragged round spot."""
    x, y = field.x - place[0], field.y - place[1]
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    return away - radius * (1 + 0.14 * ripple(generator, angle, 2, 7))


def scratch(
    field: Field, generator: np.random.Generator, place: tuple[float, float], length: float, width: float
) -> Array:
    """Signed distance from a slightly bent line through a place, in any direction."""
    turn, bend = generator.uniform(0, math.pi), generator.normal(0, 0.25) / max(length, 1.0)
    along = field.moved(*place, turn)
    ends = np.maximum(np.abs(along.x) - length / 2, 0)
    return np.hypot(ends, along.y - bend * along.x**2) - width / 2


def crack(field: Field, generator: np.random.Generator, place: tuple[float, float], length: float) -> Array:
    """Signed distance from a jagged line through a place that grows thinner to its ends."""
    steps = 14
    turns = generator.uniform(0, 2 * math.pi) + generator.normal(0, 0.55, steps).cumsum() * 0.5
    points = np.stack([np.cos(turns), np.sin(turns)], 1).cumsum(0) * length / steps
    points += np.asarray(place) - points.mean(0)
    distance = np.full_like(field.x, np.inf)
    for k, (start, end) in enumerate(itertools.pairwise(points)):
        step = end - start
        share = ((field.x - start[0]) * step[0] + (field.y - start[1]) * step[1]) / float(step @ step)
        share = np.clip(share, 0, 1)
        away = np.hypot(field.x - start[0] - share * step[0], field.y - start[1] - share * step[1])
        distance = np.minimum(distance, away - 0.9 * math.sin(math.pi * (k + 1) / steps))
    return distance


def within(generator: np.random.Generator, half_width: float, half_height: float) -> tuple[float, float]:
    """A random place in a rectangle around the middle."""
    return float(generator.uniform(-half_width, half_width)), float(generator.uniform(-half_height, half_height))


def laid(below: Array, above: Array | float | tuple[float, float, float], alpha: Array) -> Array:
    """`above` laid over a grey (H, W) or coloured (H, W, 3) picture with the opacity `alpha` (H, W)."""
    if below.ndim == 3:
        return blend(below, np.asarray(above, dtype=np.float32), alpha[..., None])
    return blend(below, above, alpha)
