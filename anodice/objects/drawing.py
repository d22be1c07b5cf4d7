"""One photo of a drawn object, with what is wrong with it and the mask of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anodice.dice.drawing.shapes import SIDE, Array
from anodice.errors import AnodiceError, unknown
from anodice.objects import bolts, jars, pills, rulers, slabs, weave
from anodice.objects.field import Field
from anodice.objects.flaw import Flaw

SMALLEST = 32
VISIBLE = 8
"""A change of more than this many grey levels counts as visible."""

_LEAST = 10
"""Visibly changed pixels, at 128 pixels; fewer nobody would see."""
_TRIES = 20


@dataclass(frozen=True)
class Kind:
    """An object that can be drawn: its flaws, height and width of its photos in units of their size, and how."""

    flaws: tuple[str, ...]
    shape: tuple[int, int]
    draw: Callable[[Field, np.random.Generator, Flaw], Array]


KINDS = {
    name: Kind(module.FLAWS, module.SHAPE, module.draw)
    for name, module in (
        *(("jars", jars), ("bolts", bolts), ("weave", weave)),
        *(("slabs", slabs), ("pills", pills), ("rulers", rulers)),
    )
}
"""The objects by name: aligned and round, at any angle, two textures, aligned and coloured, long."""


@dataclass(frozen=True)
class Drawn:
    """A photo: `image` (H, W) or (H, W, 3) uint8, `mask` (H, W) bool of the pixels that its flaw visibly changed."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def draw(kind: str, generator: np.random.Generator, *, size: int = 128, flaw: str | None = None) -> Drawn:
    """Draw one photo.

    The same kind, generator state, size and flaw give the same pixels. The mask tells where the photo differs from the
    same one without the flaw; it is empty where there is none.

    Args:
        kind: of `KINDS`.
        size: of the shorter side, in pixels, at least 32.
        flaw: one of the kind's; None for a normal photo.

    Raises:
        AnodiceError: an unknown kind or flaw, or a size below 32.

    >>> drawn = draw("rulers", np.random.default_rng(0), size=64, flaw="burn")
    >>> drawn.image.shape, drawn.mask.shape, bool(drawn.mask.any())
    ((64, 192, 3), (64, 192), True)
    """
    if kind not in KINDS:
        raise unknown("kind of object", kind, KINDS)
    drawer = KINDS[kind]
    if flaw is not None and flaw not in drawer.flaws:
        raise unknown(f"flaw of {kind}", flaw, drawer.flaws)
    if size < SMALLEST:
        raise AnodiceError(f"expected a size of at least {SMALLEST} pixels, got {size}; give a larger one.")
    field = Field.of(*(part * size for part in drawer.shape))
    scene, camera, *flaws = generator.integers(2**63, size=2 + _TRIES).tolist()
    clean = _painted(drawer, field, scene, Flaw(None, np.random.default_rng(0)))
    image, mask = clean, np.zeros(field.x.shape, dtype=bool)
    if flaw is not None:
        for seed in flaws:
            image = _painted(drawer, field, scene, Flaw(flaw, np.random.default_rng(seed)))
            change = np.abs(image - clean)
            mask = (change if change.ndim == 2 else change.max(2)) > VISIBLE
            if mask.sum() >= max(3, _LEAST * (size / SIDE) ** 2):
                break
    return Drawn(_exposed(image, np.random.default_rng(camera), size), mask)


def _painted(drawer: Kind, field: Field, seed: int, flaw: Flaw) -> Array:
    """The object under its light, before the camera."""
    return drawer.draw(field, np.random.default_rng(seed), flaw)


def _exposed(picture: Array, generator: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Exposure, lens blur, sensor noise and rounding to 8 bits."""
    spread = generator.uniform(0.25, 0.45) * size / SIDE
    axes = (spread, spread, 0.0)[: picture.ndim]
    seen = ndimage.gaussian_filter(picture, axes) * np.float32(generator.normal(1, 0.015))
    noisy = seen + 1.2 * generator.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
