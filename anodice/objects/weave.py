"""A woven cloth: a texture of which every photo shows another piece."""

from __future__ import annotations

import math

import numpy as np

from anodice.dice.drawing.shapes import Array
from anodice.objects.field import Field, blot, laid, scratch, within
from anodice.objects.flaw import Flaw

FLAWS = ("hole", "pulled_thread", "foreign_thread", "stain")
SHAPE = (1, 1)

_PITCH = 5.5


def draw(field: Field, generator: np.random.Generator, flaw: Flaw) -> Array:
    """Grey levels (H, W) of 0..255."""
    cloth = field.moved(*generator.uniform(0, 2 * _PITCH, 2), generator.normal(0, 0.03))
    waver = 0.35 * field.noise(generator, 14), 0.35 * field.noise(generator, 14)
    pull = np.float32(0.0)
    if flaw.kind == "pulled_thread":
        middle, turn = within(flaw.generator, 45, 45), flaw.generator.uniform(0, math.pi)
        near = field.moved(*middle, turn)
        pull = flaw.generator.uniform(2.0, 3.2) * np.exp(-(near.y**2) / 18 - near.x**2 / 250)
    warp, weft = (cloth.x + waver[0] + pull) / _PITCH, (cloth.y + waver[1]) / _PITCH
    over = np.sign(np.sin(math.pi * warp) * np.sin(math.pi * weft))
    threads = np.where(over > 0, np.abs(np.sin(math.pi * warp)), np.abs(np.sin(math.pi * weft)))
    fibres = 6 * field.noise(generator, 2.2)
    picture = 70 + 95 * threads**0.8 + 10 * over + fibres + 9 * field.noise(generator, 70)
    where = within(flaw.generator, 48, 48)
    if flaw.kind == "hole":
        spot = blot(field, flaw.generator, where, flaw.generator.uniform(3, 6))
        picture = laid(picture, 24.0, field.cover(spot, soft=2.5))
    elif flaw.kind == "stain":
        spot = blot(field, flaw.generator, where, flaw.generator.uniform(7, 14))
        picture = picture * (1 - flaw.generator.uniform(0.22, 0.4) * field.cover(spot, soft=6.0))
    elif flaw.kind == "foreign_thread":
        line = scratch(field, flaw.generator, where, flaw.generator.uniform(20, 45), flaw.generator.uniform(1.4, 2.2))
        picture = laid(picture, flaw.generator.choice((30.0, 232.0)), 0.9 * field.cover(line))
    return picture.astype(np.float32)
