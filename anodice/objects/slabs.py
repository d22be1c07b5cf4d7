"""A ground slab of dull metal or stone: streaks and cloudy light, no two alike, and cracks that hardly show."""

from __future__ import annotations

import numpy as np

from anodice.dice.drawing.shapes import Array
from anodice.objects.field import Field, blot, crack, laid, scratch, within
from anodice.objects.flaw import Flaw

FLAWS = ("crack", "blowhole", "scratch", "uneven")
SHAPE = (1, 1)


def draw(field: Field, generator: np.random.Generator, flaw: Flaw) -> Array:
    """Grey levels (H, W) of 0..255."""
    light = generator.normal(0, 0.25) * field.x + generator.normal(0, 0.25) * field.y
    grain = field.noise(generator, 3.0) + _streaks(field, generator)
    picture = 118 + light + 14 * field.noise(generator, 64) + 5 * grain
    half_width, half_height = field.reach
    where = within(flaw.generator, 0.8 * half_width, 0.8 * half_height)
    if flaw.kind == "crack":
        line = crack(field, flaw.generator, where, flaw.generator.uniform(25, 55))
        picture = laid(picture, picture - flaw.generator.uniform(38, 65), field.cover(line, soft=1.8))
    elif flaw.kind == "blowhole":
        spot = blot(field, flaw.generator, where, flaw.generator.uniform(1.8, 3.6))
        picture = laid(picture, picture - flaw.generator.uniform(50, 80), field.cover(spot, soft=2.0))
    elif flaw.kind == "scratch":
        line = scratch(field, flaw.generator, where, flaw.generator.uniform(20, 50), 1.2)
        picture = laid(picture, picture + flaw.generator.uniform(40, 65), field.cover(line))
    elif flaw.kind == "uneven":
        spot = blot(field, flaw.generator, where, flaw.generator.uniform(14, 24))
        picture = picture + flaw.generator.choice((-1, 1)) * flaw.generator.uniform(28, 40) * field.cover(spot, soft=16)
    return picture.astype(np.float32)


def _streaks(field: Field, generator: np.random.Generator) -> Array:
    """Fine lines along x, of which each row has its own shade."""
    rows = generator.standard_normal(field.x.shape[0]).astype(np.float32)
    return 0.8 * np.repeat(rows[:, None], field.x.shape[1], 1)
