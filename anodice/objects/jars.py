"""The mouth of a glass jar from above: rings around the middle, whose reflections lie anyhow."""

from __future__ import annotations

import math

import numpy as np

from anodice.dice.drawing.shapes import Array, ripple
from anodice.objects.field import Field, blot, laid
from anodice.objects.flaw import Flaw

FLAWS = ("broken_large", "broken_small", "contamination")
SHAPE = (1, 1)

_OUTER, _INNER = 52.0, 34.0
_BROKEN = {"broken_large": ((0.35, 0.7), (9, 16)), "broken_small": ((0.10, 0.2), (4, 9))}


def draw(field: Field, generator: np.random.Generator, flaw: Flaw) -> Array:
    """Coloured grey levels (H, W, 3) of 0..255."""
    jar = field.moved(*generator.normal(0, 0.7, 2))
    away, angle = np.hypot(jar.x, jar.y), np.arctan2(jar.y, jar.x)
    edge = _OUTER + 0.25 * ripple(generator, angle, 2, 6)
    rim = (away - _INNER) / (_OUTER - _INNER)
    glints = ripple(generator, angle, 1, 4) + 0.7 * ripple(generator, angle, 6, 14)
    light = 0.55 + 0.45 * np.cos(2 * math.pi * (1.5 * rim + 0.06 * ripple(generator, angle, 2, 5)))
    glass = 42 + 95 * np.clip(light, 0, 1) * np.clip(0.7 + 0.3 * glints, 0.1, 1.4)
    inside = 26 + 7 * field.noise(generator, 30) + 18 * np.exp(-((away - 0.8 * _INNER) ** 2) / 30)
    lit = 226 + 5 * field.noise(generator, 90)
    if flaw.kind in _BROKEN:
        (narrow, wide), (shallow, deep) = _BROKEN[flaw.kind]
        where, half = flaw.generator.uniform(-math.pi, math.pi), flaw.generator.uniform(narrow, wide)
        off = np.abs((angle - where + math.pi) % (2 * math.pi) - math.pi) / half
        jagged = 1 + 0.18 * ripple(flaw.generator, angle, 20, 60)
        edge = edge - flaw.generator.uniform(shallow, deep) * np.clip(1 - off**2, 0, 1) * jagged
    tint = np.asarray((0.95, 0.82, 0.55), dtype=np.float32)
    picture = np.repeat(lit[..., None], 3, 2)
    picture = laid(picture, glass[..., None] * tint, field.cover(away - edge))
    picture = laid(picture, inside[..., None] * tint, field.cover(away - _INNER, soft=2.0))
    if flaw.kind == "contamination":
        radius, turn = flaw.generator.uniform(0, 0.7 * _INNER), flaw.generator.uniform(-math.pi, math.pi)
        place = radius * math.cos(turn), radius * math.sin(turn)
        spot = blot(jar, flaw.generator, place, flaw.generator.uniform(3, 8))
        level = flaw.generator.uniform(60, 190)
        picture = laid(picture, (level, level, 0.9 * level), 0.85 * field.cover(spot, soft=3.0))
    return picture
