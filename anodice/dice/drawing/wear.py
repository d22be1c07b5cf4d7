"""Painters of defects of the marks: pips that fade, break or merge, a logo that is cut, filled or engraved."""

from __future__ import annotations

import math

import numpy as np

from anodice.dice.drawing.canvas import Canvas, Pen
from anodice.dice.drawing.ink import blot
from anodice.dice.drawing.marks import ARM_LENGTH, ARM_WIDTH, arms_distance, logo_distance, tab_distance
from anodice.dice.drawing.shapes import Array, coverage

# Letters as strokes through points (right, down) of a 2 x 4 box.
_LETTERS = {
    "A": (((0, 4), (1, 0), (2, 4)), ((0.4, 2.6), (1.6, 2.6))),
    "E": (((2, 0), (0, 0), (0, 4), (2, 4)), ((0, 2), (1.6, 2))),
    "H": (((0, 0), (0, 4)), ((2, 0), (2, 4)), ((0, 2), (2, 2))),
    "K": (((0, 0), (0, 4)), ((2, 0), (0, 2), (2, 4))),
    "N": (((0, 4), (0, 0), (2, 4), (2, 0)),),
    "O": (((1, 0), (0.2, 0.7), (0, 2), (0.3, 3.4), (1, 4), (1.8, 3.3), (2, 2), (1.7, 0.6), (1, 0)),),
    "S": (((2, 0.5), (1, 0), (0.1, 0.8), (1, 2), (2, 3), (1, 4), (0, 3.5)),),
    "T": (((0, 0), (2, 0)), ((1, 0), (1, 4))),
    "X": (((0, 0), (2, 4)), ((2, 0), (0, 4))),
    "Z": (((0, 0), (2, 0), (0, 4), (2, 4)),),
}


def missing_pip(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A pip is gone; the bare face shows in its place."""
    pips = canvas.marks.pips
    middle = np.mean([(pip.x, pip.y) for pip in pips], axis=0)
    # Three or five pips without the middle one would be a normal two or four.
    outer = [pip for pip in pips if len(pips) == 1 or np.hypot(*(middle - (pip.x, pip.y))) > pip.radius]
    distance = canvas.pip_distance(outer[generator.integers(len(outer))])
    return canvas.without(coverage(distance - 7 * canvas.scale, 1.0, soft=5 * canvas.scale), generator)


def faded_pip(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A pip worn to a patchy grey, darkest in its middle."""
    pip = canvas.one_pip(generator)
    distance = canvas.pip_distance(pip)
    away = np.clip(1 + distance / pip.radius, 0, 1.4)
    patches = 0.5 + 0.22 * canvas.noise(generator, 26) + 0.12 * canvas.grain(generator)
    strength = generator.uniform(0.6, 1.0)
    alpha = np.clip((patches * strength + 0.4 * away**2), 0, 1) * coverage(
        distance - 6 * canvas.scale, 1.0, soft=5 * canvas.scale
    )
    return canvas.without(alpha, generator)


def broken_pip(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A pip replaced by one to three chips of its paint."""
    pip = canvas.one_pip(generator)
    alpha = coverage(canvas.pip_distance(pip) - 7 * canvas.scale, 1.0, soft=5 * canvas.scale)
    image = canvas.without(alpha, generator)
    for _ in range(generator.integers(1, 4)):
        offset = generator.normal(0, 0.4 * pip.radius, 2)
        image = blot(
            canvas, image, generator, (pip.x + offset[0], pip.y + offset[1]), generator.uniform(0.25, 0.5) * pip.radius
        )
    return image


def merged_pips(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A dark band that joins two pips."""
    first, second = generator.choice(len(canvas.marks.pips), 2, replace=False)
    one, other = canvas.marks.pips[first], canvas.marks.pips[second]
    start, end = complex(one.x, one.y), complex(other.x, other.y)
    share = np.linspace(0, 1, 24)
    waves = generator.normal(0, 0.07, 2)
    sway = 1j * (waves[0] * np.sin(np.pi * share) + waves[1] * np.sin(2 * np.pi * share))
    path = start + (end - start) * (share + sway)
    pen, width = Pen(canvas.size), generator.uniform(0.9, 1.6) * one.radius
    for step in range(len(path) - 1):
        places = [(float(spot.real), float(spot.imag)) for spot in path[step : step + 2]]
        pen.line(places, width * generator.uniform(0.92, 1.08))
    ink = 9 + 6 * np.abs(canvas.noise(generator, 30)) + 4 * np.abs(canvas.grain(generator))
    outside = coverage(-canvas.mark_distance() - canvas.scale, 1.0)
    return canvas.lay(canvas.image, ink, pen.layer() * outside)


def filled_logo(canvas: Canvas, generator: np.random.Generator) -> Array:
    """The space between the logo's arms and tab, painted dark up to a line from arm to arm."""
    first, second = canvas.logo.plan(canvas.x, canvas.y)
    reach = generator.uniform(0.75, 1.0) * (ARM_LENGTH + 0.65 * ARM_WIDTH)
    tilt = generator.normal(0, 0.05)
    edge = ((first + second - reach) + tilt * (first - second)) * math.sqrt(0.5)
    edge = edge + 0.5 * canvas.noise(generator, 18)
    shape = np.maximum(edge, ARM_WIDTH / 2 - np.minimum(first, second))
    on_mark = coverage(np.minimum(arms_distance(first, second), tab_distance(first, second)), 1 / canvas.scale)
    alpha = coverage(shape, 1 / canvas.scale, soft=1.3) * (1 - 0.95 * on_mark)
    ink = 13 + 5 * canvas.noise(generator, 12) + 4 * np.abs(canvas.grain(generator))
    return canvas.lay(canvas.image, np.clip(ink, 4, 40), alpha)


def cut_logo(canvas: Canvas, generator: np.random.Generator) -> Array:
    """One or two light cuts through the logo's arms, where the face shows."""
    pen = Pen(canvas.size)
    width = generator.uniform(1.6, 4.5) * canvas.scale
    for swap in generator.permutation([False, True])[: generator.integers(1, 3)]:
        place, slant = generator.uniform(0.38, 0.8) * ARM_LENGTH, generator.normal(0, 5)
        ends = [(place - slant, -3.0), (place + generator.normal(0, 1), ARM_WIDTH / 2), (place + slant, ARM_WIDTH + 3)]
        pen.line([canvas.logo.at(*(end[::-1] if swap else end)) for end in ends], width)
    on_mark = coverage(logo_distance(canvas.logo, canvas.x, canvas.y) - 2 * canvas.scale, 1.0, soft=2)
    return canvas.without(pen.layer() * on_mark, generator)


def engraved_letters(canvas: Canvas, generator: np.random.Generator) -> Array:
    """Thin light letters scratched into one or both arms of the logo."""
    pen = Pen(canvas.size)
    height = generator.uniform(0.6, 0.8) * ARM_WIDTH
    for swap in generator.permutation([False, True])[: generator.integers(1, 3)]:
        start = generator.uniform(4, 16)
        for letter in generator.choice(sorted(_LETTERS), generator.integers(2, 5)):
            if start + height / 2 < ARM_LENGTH - 4:
                _write(canvas, pen, generator, str(letter), start, height, bool(swap))
            start += height * generator.uniform(0.75, 0.95)
    on_mark = coverage(logo_distance(canvas.logo, canvas.x, canvas.y), 1.0)
    worn = np.clip(0.9 + 0.3 * canvas.noise(generator, 40), 0.1, 1)
    return canvas.lay(
        canvas.image, generator.uniform(150, 215) + 8 * canvas.grain(generator), pen.layer() * on_mark * worn
    )


def _write(
    canvas: Canvas, pen: Pen, generator: np.random.Generator, letter: str, start: float, height: float, swap: bool
) -> None:
    """One shaky letter on an arm, `start` along it."""
    unit, width = height / 4, generator.uniform(1.0, 1.5) * canvas.scale
    margin = (ARM_WIDTH - height) / 2
    for stroke in _LETTERS[letter]:
        places = [
            (start + x * unit, margin + y * unit)
            for x, y in np.array(stroke) + generator.normal(0, 0.1, (len(stroke), 2))
        ]
        pen.line([canvas.logo.at(*(place[::-1] if swap else place)) for place in places], width)


def erased_part(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A ragged bite out of a mark, where the face shows."""
    x, y = _on_mark(canvas, generator)
    radius = generator.uniform(5, 11) * canvas.scale
    ragged = radius * (0.2 * canvas.noise(generator, 12) + 0.1 * canvas.noise(generator, 30))
    return canvas.without(coverage(np.hypot(canvas.x - x, canvas.y - y) - radius + ragged, 1.0, soft=1.5), generator)


def _on_mark(canvas: Canvas, generator: np.random.Generator) -> tuple[float, float]:
    """A pixel position near the border of a mark, where a bite changes its outline."""
    if canvas.marks.logo is not None:
        along, across = generator.uniform(0.3, 1.0) * ARM_LENGTH, generator.choice([0.0, ARM_WIDTH])
        return canvas.logo.at(across, along) if generator.random() < 0.5 else canvas.logo.at(along, across)
    pip, angle = canvas.one_pip(generator), generator.uniform(0, 2 * np.pi)
    away = generator.uniform(0.4, 1.0) * pip.radius
    return pip.x + away * np.cos(angle), pip.y + away * np.sin(angle)
