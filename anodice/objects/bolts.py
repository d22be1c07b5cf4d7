"""A bolt that lies at any angle on a light table, its thread turned anyhow."""

from __future__ import annotations

import math

import numpy as np

from anodice.dice.drawing.shapes import Array
from anodice.objects.field import Field, laid, scratch
from anodice.objects.flaw import Flaw

FLAWS = ("head_scratch", "neck_scratch", "bent_tip", "worn_thread", "flat_crest")
SHAPE = (1, 1)

_HEAD, _NECK, _THREAD, _TIP = -44.0, -34.0, -8.0, 42.0
"""Where along the bolt its parts begin, and where it ends."""
_PITCH = 4.2


def draw(field: Field, generator: np.random.Generator, flaw: Flaw) -> Array:
    """Grey levels (H, W) of 0..255."""
    bolt = field.moved(*generator.normal(0, 3, 2), generator.uniform(-math.pi, math.pi))
    table = 208 + 5 * field.noise(generator, 80) + 1.5 * field.noise(generator, 5)
    phase, size = generator.uniform(0, 2 * math.pi), 1 + generator.normal(0, 0.01)
    along, across = bolt.x / size, bolt.y / size
    if flaw.kind == "bent_tip":
        side = flaw.generator.choice((-1.0, 1.0))
        across = across + side * flaw.generator.uniform(0.15, 0.3) * np.maximum(along - 26, 0) ** 1.5 / 4
    half, turn = _profile(along, phase, flaw)
    distance = np.maximum(np.abs(across) - half, np.maximum(_HEAD - along, along - _TIP))
    # A round bar under a lamp: bright along a line, darker to both sides.
    height = np.clip(across / np.maximum(half, 0.5), -1, 1)
    lamp = generator.uniform(-0.35, 0.35)
    metal = 62 + 120 * np.exp(-((height - lamp) ** 2) / 0.16) + 28 * turn
    metal = metal + 4 * field.noise(generator, 6)
    picture = laid(table - 12 * np.exp(-np.maximum(distance, 0) / 5), metal, field.cover(distance))
    if flaw.kind in ("head_scratch", "neck_scratch"):
        start, end = (_HEAD, _NECK) if flaw.kind == "head_scratch" else (_NECK, _THREAD)
        place = flaw.generator.uniform(start + 3, end - 3), flaw.generator.uniform(-3.5, 3.5)
        drawn = Field(along, across, field.pixel)
        line = scratch(drawn, flaw.generator, place, flaw.generator.uniform(7, 13), flaw.generator.uniform(1, 2))
        shade = flaw.generator.choice((25.0, 235.0))
        picture = laid(picture, shade, 0.85 * field.cover(line) * field.cover(distance + 1))
    return picture


def _profile(along: Array, phase: float, flaw: Flaw) -> tuple[Array, Array]:
    """Half of the thickness along the bolt, and -1 to 1 between the furrows and the crests of the thread."""
    wave = np.cos(2 * math.pi * along / _PITCH + phase)
    depth = np.where((along > _THREAD) & (along < _TIP - 3), np.float32(1.0), np.float32(0.0))
    if flaw.kind in ("worn_thread", "flat_crest"):
        reach = flaw.generator.uniform(4.5, 8) if flaw.kind == "worn_thread" else 1.2 * _PITCH / 2
        place = flaw.generator.uniform(_THREAD + 8, _TIP - 12)
        worn = np.clip(1.4 - (np.abs(along - place) / reach) ** 2, 0, 1)
        depth = depth * (1 - 0.9 * worn)
    wave = wave * depth
    thin = np.where(along < _NECK, 11.0, 6.6)  # the head, then the shaft
    taper = np.clip((_TIP - along) / 12, 0.2, 1)
    return ((thin + 1.1 * wave) * np.where(along < _NECK, 1, taper)).astype(np.float32), wave.astype(np.float32)
