"""Stamps: the opacity of one defect each, drawn on an empty sheet, to be laid over photos at any place and turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anodice.dice.drawing import ink, wear
from anodice.dice.drawing.canvas import Canvas, Pen
from anodice.dice.drawing.marks import Logo, Marks
from anodice.dice.drawing.shapes import SIDE, Array, coverage, grid

BRIDGE_LENGTH = 64.0
"""How far apart, in 1/128 of the side, the two marks lie that a bridge on its sheet joins; it runs along x."""

Painter = Callable[[Canvas, np.random.Generator], Array]
Stamper = Callable[[int, np.random.Generator], Array]


class Use(IntEnum):
    """What a stamp is for."""

    INK = 0
    """Paint or scratches, anywhere on the face."""
    WEAR = 1
    """Takes a mark away, wholly or in part."""
    BRIDGE = 2
    """Paint that joins two marks."""
    PATCH = 3
    """A window through which another place shows."""


@dataclass(frozen=True)
class Stamps:
    """`opacity` (K, S, S) uint8, centred; `use` (K,) of `Use`; `reach` (K,): half its extent in half sides."""

    opacity: NDArray[np.uint8]
    use: NDArray[np.int64]
    reach: NDArray[np.float32]


def draw_stamps(count: int, *, size: int, seed: int) -> Stamps:
    """`count` stamps of `size` pixels, the kinds in turn, hard and soft edged.

    >>> stamps = draw_stamps(len(STAMPERS), size=32, seed=0)
    >>> stamps.opacity.shape[1:], sorted(set(stamps.use.tolist()))
    ((32, 32), [0, 1, 2, 3])
    """
    generator = np.random.default_rng(seed)
    kinds = [STAMPERS[number % len(STAMPERS)] for number in range(count)]
    sheets = np.stack([_draw(stamper, size, generator) for _, stamper in kinds])
    return Stamps(
        opacity=np.rint(255 * sheets).astype(np.uint8),
        use=np.array([use for use, _ in kinds], dtype=np.int64),
        reach=np.array([_reach(sheet) for sheet in sheets], dtype=np.float32),
    )


def _draw(stamper: Stamper, size: int, generator: np.random.Generator) -> Array:
    """One stamp, (size, size) in 0..1, at times softened."""
    sheet = stamper(size, generator)
    # On small sheets a ragged blot can vanish between the pixels.
    while sheet.max() < 0.3:
        sheet = stamper(size, generator)
    if generator.random() < 0.35:
        sheet = ndimage.gaussian_filter(sheet, generator.uniform(0.4, 1.6) * size / SIDE, truncate=3)
    return sheet


def _reach(sheet: Array) -> float:
    """The distance from the centre, in half sides, within which nearly all of the stamp lies."""
    x, y = grid(len(sheet))
    return float(np.quantile(np.hypot(x, y)[sheet > 0.15 * sheet.max()], 0.98)) / (SIDE / 2)


def _centred(sheet: Array) -> Array:
    """The sheet, moved by whole pixels until its weight lies in the middle."""
    middle = (len(sheet) - 1) / 2
    down, across = (round(middle - place) for place in ndimage.center_of_mass(sheet))
    return ndimage.shift(sheet, (down, across), order=0)


def _of(painter: Painter, marks: Callable[[int], Marks], *, dark: bool) -> Stamper:
    """What a painter of photos leaves on a plain sheet; dark paint on a white one, light paint on a black one."""

    def stamper(size: int, generator: np.random.Generator) -> Array:
        ground = np.full((size, size), 255.0 if dark else 0.0, dtype=np.float32)
        change = np.abs(painter(Canvas(ground, marks(size)), generator) - ground)
        return _centred(np.clip(change / max(float(change.max()), 1.0), 0, 1))

    return stamper


def _bare(size: int) -> Marks:
    return Marks()


def _logo(size: int) -> Marks:
    return Marks(logo=Logo(x=size / 2, y=size / 2, angle=0.0, scale=size / SIDE))


def _disc(size: int, generator: np.random.Generator, low: float, high: float, soft: float) -> tuple[Array, Array]:
    """A soft disc of a radius from `low` to `high`, and for each pixel the distance from its middle in radii."""
    x, y = grid(size)
    radius = generator.uniform(low, high)
    away = np.hypot(x, y)
    return coverage(away - radius, SIDE / size, soft=soft * size / SIDE + 1), away / radius


def _field(size: int, generator: np.random.Generator, cells: int) -> Array:
    """A smooth random field with `cells` humps across the sheet."""
    return Canvas(np.zeros((size, size), dtype=np.float32), Marks()).noise(generator, cells)


def _whole(size: int, generator: np.random.Generator) -> Array:
    """A soft disc that hides a whole pip."""
    return _disc(size, generator, 15, 23, generator.uniform(0, 6))[0]


def _chipped(size: int, generator: np.random.Generator) -> Array:
    """A disc that leaves a few chips of what it hides."""
    disc, away = _disc(size, generator, 17, 22, 4)
    chips = np.clip(5 * (_field(size, generator, 15) - generator.uniform(0.5, 1.5)), 0, 1) * (away < 0.75)
    return disc * (1 - chips)


def _faded(size: int, generator: np.random.Generator) -> Array:
    """A disc that hides in patches, least in its middle."""
    disc, away = _disc(size, generator, 15, 21, 4)
    patches = generator.uniform(0.25, 0.6) + 0.2 * _field(size, generator, 26) + 0.1 * _field(size, generator, 60)
    return disc * np.clip(patches + 0.6 * away**2, 0, 1)


def _bitten(size: int, generator: np.random.Generator) -> Array:
    """A ragged bite."""
    x, y = grid(size)
    radius = generator.uniform(4, 12)
    ragged = radius * (0.25 * _field(size, generator, 12) + 0.12 * _field(size, generator, 30))
    return coverage(np.hypot(x, y) - radius + ragged, SIDE / size, soft=1.5)


def _flaked(size: int, generator: np.random.Generator) -> Array:
    """Many flakes over a wide place."""
    disc, _ = _disc(size, generator, 16, 34, 8)
    flakes = _field(size, generator, int(generator.integers(8, 30))) - generator.uniform(0.2, 1.0)
    return disc * np.clip(5 * flakes, 0, 1)


def _cut(size: int, generator: np.random.Generator) -> Array:
    """One or two slightly bent cuts."""
    pen, unit = Pen(size), size / SIDE
    for _ in range(generator.integers(1, 3)):
        half, width = generator.uniform(10, 34), generator.uniform(1.2, 5)
        turn = np.exp(1j * generator.uniform(0, np.pi))
        corners = np.array([-half, generator.normal(0, 2) + 1j * generator.normal(0, 2), half]) * turn
        offset = complex(*generator.normal(0, 4, 2))
        places = (corners + offset + SIDE / 2 * (1 + 1j)) * unit
        pen.line(list(zip(places.real.tolist(), places.imag.tolist(), strict=True)), width * unit)
    return pen.layer()


def _band(size: int, generator: np.random.Generator) -> Array:
    """A swaying band along x."""
    x, y = grid(size)
    sway = generator.normal(0, 3) * np.cos(np.pi * x / BRIDGE_LENGTH)
    half = generator.uniform(3, 10) * (1 + 0.1 * _field(size, generator, 10))
    return coverage(np.abs(y - sway) - half, SIDE / size) * coverage(np.abs(x) - BRIDGE_LENGTH / 2, SIDE / size)


def _wedge(size: int, generator: np.random.Generator) -> Array:
    """A triangle on the line between the marks, as paint fills the space between two arms."""
    x, y = grid(size)
    height, lean = generator.uniform(14, 36), generator.uniform(-14, 14)
    share = (y + 4) / (height + 4)
    side = np.abs(x - lean * share) - BRIDGE_LENGTH / 2 * (1 - share) + 0.7 * _field(size, generator, 18)
    return coverage(np.maximum(side, -4 - y), SIDE / size, soft=1.3)


def _window(size: int, generator: np.random.Generator) -> Array:
    """A round, square or ragged window."""
    x, y = grid(size)
    power, wide, high = generator.uniform(1.6, 6), generator.uniform(6, 20), generator.uniform(6, 20)
    away = (np.abs(x / wide) ** power + np.abs(y / high) ** power) ** (1 / power)
    ragged = generator.uniform(0, 0.25) * _field(size, generator, 14)
    return coverage((away - 1 + ragged) * min(wide, high), SIDE / size, soft=generator.uniform(1, 4))


STAMPERS: tuple[tuple[Use, Stamper], ...] = (
    *((Use.INK, _of(painter, _bare, dark=True)) for painter in (ink.pen_cross, ink.pen_curve, ink.pen_ring, ink.blob)),
    *((Use.INK, _of(painter, _bare, dark=True)) for painter in (ink.extra_dot, ink.smudge, ink.scratch, ink.hairline)),
    *((Use.WEAR, stamper) for stamper in (_whole, _chipped, _faded, _bitten, _flaked, _cut)),
    (Use.WEAR, _of(wear.engraved_letters, _logo, dark=False)),
    *((Use.BRIDGE, stamper) for stamper in (_band, _wedge)),
    (Use.PATCH, _window),
)
"""Each kind of stamp: its use and what draws it on a sheet of a given size."""
