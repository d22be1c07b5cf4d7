"""A capsule of two colours with a printed mark, which lies nearly the same way each time."""

from __future__ import annotations

import numpy as np

from anodice.dice.drawing.shapes import Array, blend
from anodice.objects.field import Field, bar, blot, crack, laid
from anodice.objects.flaw import Flaw

FLAWS = ("wrong_colour", "crack", "spot", "dent", "missing_print")
SHAPE = (1, 1)

_LEFT, _RIGHT = np.asarray((196, 52, 44), np.float32), np.asarray((228, 214, 186), np.float32)
_WRONG = ((44, 104, 176), (58, 118, 62))
"""About as bright as the left half: in grey they hardly show."""


def draw(field: Field, generator: np.random.Generator, flaw: Flaw) -> Array:
    """Coloured grey levels (H, W, 3) of 0..255."""
    pill = field.moved(*generator.normal(0, 1.5, 2), generator.normal(0, 0.06))
    dent = np.float32(0.0)
    if flaw.kind == "dent":
        place = flaw.generator.uniform(-38, 38), flaw.generator.choice((-1.0, 1.0)) * 24
        dent = 6 * np.exp(-((pill.x - place[0]) ** 2 + (pill.y - place[1]) ** 2) / 60)
    distance = bar(pill, 52, 24, corner=24) + dent
    left = np.asarray(_WRONG[flaw.generator.integers(2)], np.float32) if flaw.kind == "wrong_colour" else _LEFT
    body = blend(np.broadcast_to(_RIGHT, (*field.x.shape, 3)), left, field.cover(pill.x)[..., None])
    seam = np.exp(-((pill.x - 0.5) ** 2) / 2)[..., None]
    lit = 0.78 + 0.3 * np.exp(-((pill.y + 9) ** 2) / 90) - 0.25 * np.clip(pill.y / 24, 0, 1) ** 2
    body = (body * (1 - 0.25 * seam)) * lit[..., None]
    printed = np.minimum.reduce([bar(pill.moved(24 + 7 * k, 0), 0.9, 7 if k % 2 else 4.5) for k in (-1, 0, 1)])
    if flaw.kind != "missing_print":
        body = laid(body, (92.0, 84.0, 110.0), 0.85 * field.cover(printed))
    ground = np.asarray((60, 62, 66), np.float32) + 3 * field.noise(generator, 40)[..., None]
    ground = ground - 18 * np.exp(-np.maximum(distance, 0) / 6)[..., None]
    body = body + 2.0 * field.noise(generator, 3)[..., None]
    place = flaw.generator.uniform(-40, 40), flaw.generator.uniform(-12, 12)
    if flaw.kind == "crack":
        line = crack(pill, flaw.generator, place, flaw.generator.uniform(18, 32))
        body = laid(body, body * 0.45, field.cover(line, soft=1.6))
    elif flaw.kind == "spot":
        spots = blot(pill, flaw.generator, place, flaw.generator.uniform(1.8, 4))
        body = laid(body, (70.0, 44.0, 36.0), 0.9 * field.cover(spots, soft=2.0))
    return laid(ground, body, field.cover(distance))
