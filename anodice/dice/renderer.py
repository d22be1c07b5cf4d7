"""A seeded renderer of photos of dice: one white die from above, in any of eleven classes and four lighting styles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anodice.dice.drawing.light import LOOKS, Light, draw_light
from anodice.dice.drawing.marks import Logo, Marks, Pip
from anodice.dice.drawing.printing import print_marks
from anodice.dice.drawing.shapes import SIDE, Array, blend, grid, ripple, smooth_noise
from anodice.errors import AnodiceError, unknown

CLASSES: tuple[str, ...] = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10")
SESSIONS: tuple[str, ...] = tuple(LOOKS)
SMALLEST = 64

# Pip centres per class in 1/128 of the side from the middle of the face; faces 1 to 5.
_FAR = 28.85
_RISING = ((_FAR, -_FAR), (-_FAR, _FAR))
_FALLING = ((-_FAR, -_FAR), (_FAR, _FAR))
_MIDDLE = ((0.0, 0.0),)
_PIPS = {
    "00": _MIDDLE,
    "01": _RISING,
    "02": _FALLING,
    "03": _RISING + _MIDDLE,
    "04": _FALLING + _MIDDLE,
    "05": _RISING + _FALLING,
    "06": _RISING + _FALLING + _MIDDLE,
}
_RADIUS = 12.72
# The single pip of face 1 is larger.
_RADIUS_ONE = 14.65
# Quarter turns clockwise of the logo from pointing left; it sits a degree askew on its face.
_TURNS = {"07": 0, "08": 1, "09": 2, "10": 3}
_ASKEW = -1.0
# Where the pips' middle and the rim lie.
_PIPS_X, _PIPS_Y = -0.4, 0.1
_RIM = 59.2


@dataclass(frozen=True)
class Photo:
    """A rendered photo.

    `image` is (H, W) uint8; `marks` are its pips or its logo in pixels; `face` is (H, W) bool, true on the flat face
    within the rim.
    """

    image: NDArray[np.uint8]
    marks: Marks
    face: NDArray[np.bool_]


def render(die_class: str, generator: np.random.Generator, *, size: int = 128, session: str | None = None) -> Photo:
    """Draw one photo of a die, `size` x `size` pixels.

    The same class, generator state, size and session give the same pixels. Without `session` one of `SESSIONS` is
    drawn. Raises `AnodiceError` for an unknown class or session, and for a `size` below 64.

    >>> photo = render("03", np.random.default_rng(0))
    >>> photo.image.shape, photo.image.dtype.name, len(photo.marks.pips)
    ((128, 128), 'uint8', 3)
    """
    if die_class not in CLASSES:
        raise unknown("class of dice", die_class, CLASSES)
    if session is not None and session not in SESSIONS:
        raise unknown("session", session, SESSIONS)
    if size < SMALLEST:
        raise AnodiceError(f"a photo is at least {SMALLEST} pixels wide, not {size}; ask for size={SMALLEST} or more.")
    light = draw_light(generator, LOOKS[SESSIONS[generator.integers(len(SESSIONS))] if session is None else session])
    marks = _place(die_class, generator, size)
    value, inside = _blank(generator, light, size)
    value = _dust(print_marks(value, marks, generator, light), generator)
    return Photo(image=_expose(value, generator), marks=marks, face=inside > 0)


def _place(die_class: str, generator: np.random.Generator, size: int) -> Marks:
    """Where the marks of the class fall in this photo: a small shift, turn and scale about their usual place."""
    turn = math.radians(0.33 * generator.standard_t(5))
    scale = size / SIDE * (1 + generator.normal(0, 0.004))
    shift_x, shift_y = generator.normal(0, 1.1, 2).tolist()
    if die_class in _TURNS:
        angle = math.radians(90 * _TURNS[die_class] + _ASKEW) + 2 * turn
        middle = size / 2 + 0.75 * shift_x * scale, size / 2 + 0.75 * shift_y * scale
        return Marks(logo=Logo(*middle, angle, scale))
    middle = size / 2 + (shift_x + _PIPS_X) * scale, size / 2 + (shift_y + _PIPS_Y) * scale
    cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
    usual = _RADIUS_ONE if die_class == "00" else _RADIUS
    pips = [
        Pip(
            x=middle[0] + x * cos - y * sin,
            y=middle[1] + x * sin + y * cos,
            radius=(usual + generator.normal(0, 0.18)) * scale,
        )
        for x, y in _PIPS[die_class]
    ]
    return Marks(pips=tuple(pips))


def _blank(generator: np.random.Generator, light: Light, size: int) -> tuple[Array, Array]:
    """A die without marks, and each pixel's distance inside the rim (positive on the face), in 1/128 of the side."""
    x, y = grid(size)
    x, y = x - generator.normal(0, 0.4), y - generator.normal(0, 0.4)
    away = np.hypot(x, y) + 1e-3
    angle = np.arctan2(y, x)
    inside = _rim_distance(generator, angle, away)
    lean = (x * math.cos(light.towards) + y * math.sin(light.towards)) * (0.06 * light.strength)
    face = light.look.face + lean + 0.8 * smooth_noise(generator, size, 2) + 4 * np.exp(-np.maximum(inside, 0) / 5)
    face = blend(face, 255.0, _glare(generator, light, inside, angle))
    value = np.where(inside > 0, face, _side(generator, light, x, y, away, angle))
    return _rim(generator, light, value, inside, angle), inside


def _rim_radius(angle: Array) -> Array:
    """The rim's usual distance from the centre: a circle drawn slightly to the corners."""
    return _RIM - 1.6 * np.cos(4 * angle)


def _rim_distance(generator: np.random.Generator, angle: Array, away: Array) -> Array:
    """Distance from the rim, with its wavy edge, towards the centre."""
    wave = 0.27 * ripple(generator, angle, 14, 24, 5) + 0.3 * ripple(generator, angle, 5, 11)
    return _rim_radius(angle) + wave - away


def _side(generator: np.random.Generator, light: Light, x: Array, y: Array, away: Array, angle: Array) -> Array:
    """The rounded sides that darken towards the outline, before the dark ground."""
    look, size = light.look, x.shape[0]
    power = generator.uniform(4.8, 5.5)
    half = 64.4 + generator.normal(0, 0.25)
    edge = away * half / (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)
    depth = edge - away
    near = np.clip(1 - depth / (edge - _rim_radius(angle)), 0, 1)
    dark = (look.side + 0.28 * np.sin(2 * angle) ** 2) * (1 + 0.18 * np.cos(angle - math.radians(look.dark_from)))
    side = (look.face + 6) * (1 - np.minimum(dark, 0.95) * near**look.fall)
    ground = look.ground + 8 * smooth_noise(generator, size, 3) + 2 * smooth_noise(generator, size, 24)
    return blend(np.maximum(ground, 8), side, np.clip(0.5 + depth / 2.0, 0, 1))


def _glare(generator: np.random.Generator, light: Light, inside: Array, angle: Array) -> Array:
    """How far the face is washed out, 0..1: a cloudy patch that grows inwards from the lit part of the rim."""
    size = inside.shape[0]
    lit = np.clip(np.cos(angle - light.towards) * 1.4 - 0.2 + 0.15 * ripple(generator, angle, 3, 9), 0, 1)
    cloud = 1 + 0.35 * smooth_noise(generator, size, 9) + 0.3 * smooth_noise(generator, size, 22)
    depth = np.maximum(light.reach * lit * np.clip(cloud, 0.25, 2), 0.5)
    patchy = np.clip(1 + 0.12 * smooth_noise(generator, size, 14), 0, 1)
    far = np.maximum(inside, 0) / depth
    core = np.clip(1.35 * (1 - far), 0, 1) ** 1.9
    return light.strength * np.sqrt(lit) * np.clip(patchy * core + 0.22 * np.exp(-0.7 * far), 0, 1)


def _rim(generator: np.random.Generator, light: Light, value: Array, inside: Array, angle: Array) -> Array:
    """Lay the bright thin rim over the edge of the face."""
    lit = np.cos(angle - light.towards)
    width = 1.0 + 0.5 * light.strength * np.clip(lit, 0, 1) + 0.2 * ripple(generator, angle, 4, 16)
    bright = np.clip(0.68 + 0.22 * lit + 0.2 * ripple(generator, angle, 3, 14), 0.12, 1)
    return blend(value, 254.0, bright * np.exp(-((inside / np.maximum(width, 0.6)) ** 2)))


def _dust(value: Array, generator: np.random.Generator) -> Array:
    """A few dark specks, mostly near the border of the photo."""
    size = value.shape[0]
    reach = max(1, round(size / SIDE))
    for _ in range(generator.poisson(3)):
        column, row = generator.integers(0, size, 2)
        strength = generator.exponential(20)
        outside = max(abs(column - size / 2), abs(row - size / 2)) > 0.4 * size
        if outside or generator.random() < 0.3:
            value[row : row + reach, column : column + reach] -= strength
    return value


def _expose(value: Array, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Lens blur, sensor noise and rounding to 8 bits."""
    size = value.shape[0]
    blurred = ndimage.gaussian_filter(value, generator.uniform(0.2, 0.36) * size / SIDE)
    # Cameras sharpen: edges overshoot a little.
    sharp = blurred + 0.1 * (blurred - ndimage.gaussian_filter(blurred, 1.3 * size / SIDE, truncate=2.5))
    noisy = sharp + 0.6 * generator.standard_normal((size, size), dtype=np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
