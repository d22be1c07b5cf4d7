"""Anti-aliased drawing with signed distances: pixel grids, shapes, coverage and smooth noise.

Lengths are in units of 1/128 of the picture's side, measured from its centre, x to the right and y down, so that one
set of numbers draws a die at every size. Signed distances are negative inside a shape.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIDE = 128.0


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[Array, Array]:
    """The x and y of every pixel centre, two read-only (size, size) arrays from -64 to 64.

    >>> x, y = grid(64)
    >>> float(x[0, 0]), float(x[0, 1]), float(y[63, 0])
    (-63.0, -61.0, 63.0)
    """
    line = ((np.arange(size, dtype=np.float32) + 0.5) * (SIDE / size) - SIDE / 2).astype(np.float32)
    x, y = np.meshgrid(line, line)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def coverage(distance: Array, pixel: float, *, soft: float = 1.0) -> Array:
    """How much of each pixel a shape covers, 0..1, from its signed distance.

    `pixel` is the side of a pixel in the units of `distance`; `soft` widens the edge, in pixels.
    """
    return np.clip(0.5 - distance / (pixel * soft), 0.0, 1.0)


def blend(below: Array, above: Array | float, alpha: Array) -> Array:
    """`above` laid over `below` with the opacity `alpha` (0..1)."""
    return below + (above - below) * alpha


def stub(along: Array, across: Array, *, start: float, length: float, offset: float, width: float) -> Array:
    """Signed distance to a bar cut square at `start` and rounded at its far end.

    It runs along the first axis from `start` for `length`, and across the second from `offset` to `offset + width`.
    """
    half = width / 2
    beyond = np.maximum(along - (start + length - half), 0.0)
    return np.maximum(np.hypot(beyond, across - offset - half) - half, start - along)


@lru_cache(maxsize=64)
def _spline(size: int, cells: int) -> tuple[NDArray[np.intp], Array]:
    """For each of `size` places on a line, its first of four knots and their (4, size) cubic B-spline weights."""
    place = (np.arange(size) + 0.5) / size * cells
    first = place.astype(np.intp)
    t = place - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    return first, weights.astype(np.float32)


def smooth_noise(generator: np.random.Generator, size: int, cells: int) -> Array:
    """A smooth random (size, size) field of mean about 0 and deviation about 1, with `cells` humps across it."""
    knots = generator.standard_normal((cells + 3, cells + 3), dtype=np.float32)
    first, weights = _spline(size, cells)
    # Sums of four instead of a matrix product: the same bits on any number of cores.
    rows = sum(weights[step][:, None] * knots[first + step] for step in range(4))
    field = sum(weights[step] * rows[:, first + step] for step in range(4))
    # 1.44 per axis makes up for the spread that averaging over knots takes away.
    return field * np.float32(1.44**2)


def ripple(generator: np.random.Generator, angle: Array, low: int, high: int, terms: int = 4) -> Array:
    """A random function of `angle` (radians) that closes on itself: waves with `low`..`high` humps, deviation 1."""
    waves = generator.integers(low, high + 1, terms)
    phases = generator.uniform(0, 2 * np.pi, terms)
    total = sum(np.cos(wave * angle + phase) for wave, phase in zip(waves.tolist(), phases.tolist(), strict=True))
    return np.asarray(total * np.sqrt(2 / terms), dtype=np.float32)
