"""A wooden ruler, three times as wide as high: marks that must be there, in photos that are not square."""

from __future__ import annotations

import numpy as np

from anodice.dice.drawing.shapes import Array
from anodice.objects.field import Field, bar, blot, laid, scratch
from anodice.objects.flaw import Flaw

FLAWS = ("missing_mark", "extra_mark", "scratch", "burn", "chip")
SHAPE = (1, 3)

_MARKS = np.arange(-15, 16)
_STEP = 10.5


def draw(field: Field, generator: np.random.Generator, flaw: Flaw) -> Array:
    """Coloured grey levels (H, W, 3) of 0..255."""
    ruler = field.moved(*generator.normal(0, 1.2, 2), generator.normal(0, 0.006))
    distance = bar(ruler, 172, 30, corner=3)
    if flaw.kind == "chip":
        place = flaw.generator.uniform(-150, 150), flaw.generator.choice((-1.0, 1.0)) * 30
        distance = np.maximum(distance, -blot(ruler, flaw.generator, place, flaw.generator.uniform(4, 8)))
    rings = 8 * field.noise(generator, 60) + 5 * np.sin(ruler.y * 0.8 + 2.5 * field.noise(generator, 70))
    wood = np.asarray((206, 164, 104), np.float32) + (rings + 3 * field.noise(generator, 3))[..., None]
    marks = np.full_like(field.x, np.inf)
    gone = flaw.generator.integers(1, len(_MARKS) - 1) if flaw.kind == "missing_mark" else -1
    for k, mark in enumerate(_MARKS):
        if k != gone:
            length = 11.0 if mark % 5 == 0 else 6.5
            marks = np.minimum(marks, bar(ruler.moved(mark * _STEP, 28 - length), 0.8, length))
    if flaw.kind == "extra_mark":
        between = (flaw.generator.integers(-14, 14) + 0.5) * _STEP
        marks = np.minimum(marks, bar(ruler.moved(between, 22), 0.8, 6))
    body = laid(wood, (38.0, 32.0, 30.0), 0.9 * field.cover(marks))
    place = flaw.generator.uniform(-150, 150), flaw.generator.uniform(-22, 4)
    if flaw.kind == "scratch":
        line = scratch(ruler, flaw.generator, place, flaw.generator.uniform(15, 35), 1.2)
        body = laid(body, (238.0, 214.0, 170.0), 0.8 * field.cover(line))
    elif flaw.kind == "burn":
        spot = blot(ruler, flaw.generator, place, flaw.generator.uniform(3, 7))
        body = laid(body, body * 0.5, field.cover(spot, soft=5.0))
    ground = np.asarray((44, 58, 74), np.float32) + 4 * field.noise(generator, 50)[..., None]
    return laid(ground, body, field.cover(distance))
