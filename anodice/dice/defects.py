"""A seeded painter of defects on photos of dice, with the pixel mask of what it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anodice.dice.drawing import ink, wear
from anodice.dice.drawing.canvas import Canvas
from anodice.dice.drawing.marks import Marks, find_marks
from anodice.dice.drawing.shapes import Array
from anodice.errors import AnodiceError, unknown

SMALLEST = 64
# A change of more than this many grey levels counts as visible.
VISIBLE = 8

Painter = Callable[[Canvas, np.random.Generator], Array]

_ON_FACE: dict[str, Painter] = {
    "pen_cross": ink.pen_cross,
    "pen_curve": ink.pen_curve,
    "pen_ring": ink.pen_ring,
    "blob": ink.blob,
    "extra_dot": ink.extra_dot,
    "smudge": ink.smudge,
    "scratch": ink.scratch,
    "hairline": ink.hairline,
}
_ON_PIPS: dict[str, Painter] = {
    "missing_pip": wear.missing_pip,
    "faded_pip": wear.faded_pip,
    "broken_pip": wear.broken_pip,
}
_ON_TWO_PIPS: dict[str, Painter] = {"merged_pips": wear.merged_pips}
_ON_LOGO: dict[str, Painter] = {
    "filled_logo": wear.filled_logo,
    "cut_logo": wear.cut_logo,
    "engraved_letters": wear.engraved_letters,
}
_ON_MARKS: dict[str, Painter] = {"erased_part": wear.erased_part}
_PAINTERS = _ON_FACE | _ON_PIPS | _ON_TWO_PIPS | _ON_LOGO | _ON_MARKS

DEFECTS: tuple[str, ...] = tuple(_PAINTERS)

_TRIES = 12
_LEAST_CHANGE = 2500
"""Grey levels summed over the mask, at 128 pixels; less, such as a blot on the black logo, nobody would see."""


@dataclass(frozen=True)
class Defect:
    """A painted photo: `image` (H, W) uint8, `mask` (H, W) bool of the pixels that visibly changed, and its `kind`."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    kind: str


def suitable(marks: Marks) -> tuple[str, ...]:
    """The kinds of defect that a face with these marks can have.

    >>> suitable(Marks())
    ('pen_cross', 'pen_curve', 'pen_ring', 'blob', 'extra_dot', 'smudge', 'scratch', 'hairline')
    """
    kinds = list(_ON_FACE)
    kinds += list(_ON_PIPS) if marks.pips else []
    kinds += list(_ON_TWO_PIPS) if len(marks.pips) >= 2 else []
    kinds += list(_ON_LOGO) if marks.logo is not None else []
    kinds += list(_ON_MARKS) if marks.pips or marks.logo is not None else []
    return tuple(kinds)


def paint(
    image: NDArray[np.uint8], generator: np.random.Generator, *, kind: str | None = None, marks: Marks | None = None
) -> Defect:
    """Paint one defect on a photo of a die.

    `image` is (S, S) uint8 with S at least 64; it is not changed. Without `kind` one of those suitable is drawn.
    Without `marks` they are looked for in the photo (`drawing.marks.find_marks`). The mask is never empty, and
    outside it no pixel differs by more than 8 grey levels.

    Raises `AnodiceError` for an unknown kind, a kind that needs a mark which the face has not, an image of another
    type or shape, and an image on which nothing painted can be seen.
    """
    _check(image)
    if kind is not None and kind not in _PAINTERS:
        raise unknown("kind of defect", kind, DEFECTS)
    marks = find_marks(image) if marks is None else marks
    choices = suitable(marks)
    if kind is not None and kind not in choices:
        raise AnodiceError(
            f"the defect '{kind}' needs a mark that this face has not; choose one of: {', '.join(choices)}."
        )
    canvas = Canvas(image.astype(np.float32), marks)
    for _ in range(_TRIES):
        name = choices[generator.integers(len(choices))] if kind is None else kind
        defect = _finish(canvas, image, _PAINTERS[name](canvas, generator), generator, name)
        if _change(image, defect) >= _LEAST_CHANGE * canvas.scale**2:
            return defect
    raise AnodiceError(
        f"no defect could be seen after {_TRIES} tries; the image is expected to be a photo of a white die on a dark "
        f"ground, but its grey levels run from {image.min()} to {image.max()}."
    )


def _change(image: NDArray[np.uint8], defect: Defect) -> int:
    """The grey levels that changed, summed over the mask."""
    return int(np.abs(defect.image.astype(np.int64) - image)[defect.mask].sum())


def _check(image: NDArray[np.uint8]) -> None:
    """Raise unless the image is one grey channel, 8 bits, square and large enough."""
    if image.dtype != np.uint8:
        raise AnodiceError(f"a photo to paint on has type uint8, not {image.dtype}; convert it to grey levels 0..255.")
    if image.ndim != 2 or image.shape[0] != image.shape[1] or image.shape[0] < SMALLEST:
        raise AnodiceError(
            f"a photo to paint on has one channel and a square shape of at least ({SMALLEST}, {SMALLEST}), not "
            f"{image.shape}; convert it to grey and resize it."
        )


def _finish(
    canvas: Canvas, image: NDArray[np.uint8], painted: Array, generator: np.random.Generator, kind: str
) -> Defect:
    """Give the paint the photo's noise, round it, and mark what changed."""
    change = painted - canvas.image
    touched = np.abs(change) > 2
    change += touched * _noise(canvas.image) * canvas.grain(generator)
    result = np.clip(np.rint(canvas.image + change), 0, 255).astype(np.uint8)
    difference = np.abs(result.astype(np.int16) - image)
    mask = _clean(difference > VISIBLE)
    keep = mask | (difference <= VISIBLE)
    return Defect(image=np.where(keep, result, image), mask=mask, kind=kind)


def _noise(image: Array) -> float:
    """Standard deviation of the photo's pixel noise, from the second differences of its rows."""
    second = image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2]
    return float(np.median(np.abs(second))) / (0.6745 * np.sqrt(6))


def _clean(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop changed pixels that have fewer than two changed neighbours."""
    padded = np.pad(mask, 1).astype(np.uint8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return mask & (around >= 3)
