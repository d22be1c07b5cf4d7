"""Put the dark marks on a blank die: the soft shadow around them, the glossy pips, the grainy logo."""

from __future__ import annotations

import numpy as np

from anodice.dice.drawing.light import Light
from anodice.dice.drawing.marks import Logo, Marks, Pip, arms_distance, pixels, tab_distance
from anodice.dice.drawing.shapes import SIDE, Array, blend, coverage, smooth_noise


def print_marks(value: Array, marks: Marks, generator: np.random.Generator, light: Light) -> Array:
    """The die with its marks, from the grey levels `value` (S, S) of a die without."""
    if marks.logo is not None:
        return _print_logo(value, marks.logo, generator, light)
    return _print_pips(value, marks.pips, generator, light)


def _shadow(value: Array, distance: Array) -> Array:
    """Darken the face around a mark; `distance` in 1/128 of the side."""
    return value * (1 - 0.41 * np.exp(-np.maximum(distance, 0) / 2.3))


def _print_logo(value: Array, logo: Logo, generator: np.random.Generator, light: Light) -> Array:
    """The grainy dark ink of the logo, paler where the glare falls."""
    size = value.shape[0]
    first, second = logo.plan(*pixels(size))
    arms, tab = arms_distance(first, second), tab_distance(first, second)
    grain = generator.standard_normal((size, size), dtype=np.float32)
    washed = np.clip(value - light.look.face, 0, 40) / 40
    pale = 1 + 0.12 * smooth_noise(generator, size, 3) + 0.5 * washed
    ink = light.look.ink * pale * np.exp(0.14 * grain)
    rough = (np.minimum(arms, tab) + 0.08 * grain) * logo.scale
    return blend(_shadow(_shadow(value, arms), tab), ink, coverage(rough, 1.0))


def _print_pips(value: Array, pips: tuple[Pip, ...], generator: np.random.Generator, light: Light) -> Array:
    """The round, glossy black pips: rings and a faint highlight inside, a bright crescent away from the glare."""
    size = value.shape[0]
    across, down, radius = _nearest(pips, size)
    away = np.hypot(across, down)
    distance = away - radius + 0.3 * smooth_noise(generator, size, 16)
    value = _crescent(_shadow(value, distance), distance, np.arctan2(down, across) - light.towards, light)
    return blend(value, _gloss(across, down, away, generator), coverage(distance, SIDE / size))


def _nearest(pips: tuple[Pip, ...], size: int) -> tuple[Array, Array, Array]:
    """Each pixel's offset (right, down) from its nearest pip and that pip's radius, in 1/128 of the side."""
    x, y = pixels(size)
    across, down, radius = np.full_like(x, size), np.full_like(x, size), np.ones_like(x)
    for pip in pips:
        closer = np.hypot(x - pip.x, y - pip.y) < np.hypot(across, down)
        across, down = np.where(closer, x - pip.x, across), np.where(closer, y - pip.y, down)
        radius = np.where(closer, pip.radius, radius)
    unit = np.float32(SIDE / size)
    return across * unit, down * unit, (radius * unit).astype(np.float32)


def _crescent(value: Array, distance: Array, turn: Array, light: Light) -> Array:
    """The bright edge of a pip on the side away from the glare."""
    bright = 0.75 * light.strength**2 * np.clip(-np.cos(turn), 0, 1) ** 1.5
    return blend(value, 252.0, bright * np.exp(-(((distance - 0.6) / 0.65) ** 2)))


def _gloss(across: Array, down: Array, away: Array, generator: np.random.Generator) -> Array:
    """Grey levels inside a pip: nearly black, a small ring in the middle, a soft highlight about it."""
    size = across.shape[0]
    shift_x, shift_y = generator.normal(0, 1.6, 2).tolist()
    spot = np.exp(-((across - shift_x) ** 2 + (down - shift_y) ** 2) / 18)
    ring = np.exp(-(((away - 1.5) / 0.55) ** 2))
    arc = np.exp(-(((away - 5.0) / 1.0) ** 2))
    uneven = np.clip(0.8 + 0.9 * smooth_noise(generator, size, 30), 0, None)
    grain = np.abs(generator.standard_normal((size, size), dtype=np.float32))
    return 6.5 + (13 * spot + 7 * arc) * uneven + 30 * ring * np.clip(uneven, 0.2, 1.6) + 2.5 * grain
