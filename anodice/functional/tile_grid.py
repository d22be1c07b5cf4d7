"""How tiles lie in a row, one overlapping the next a little; needs no torch."""

from __future__ import annotations

OVERLAP = 8
"""Neighbouring tiles share the eighth part of their side."""


def tiled_length(tiles: int, size: int) -> int:
    """How long so many tiles in a row are.

    >>> tiled_length(1, 128), tiled_length(3, 128)
    (128, 352)
    """
    return size + (tiles - 1) * tile_step(size)


def tiles_along(length: int, size: int) -> int | None:
    """How many tiles make this length; None where no number does.

    >>> tiles_along(352, 128), tiles_along(353, 128)
    (3, None)
    """
    more, rest = divmod(length - size, tile_step(size))
    return more + 1 if more >= 0 and rest == 0 else None


def tile_count(height: int, width: int, size: int) -> int:
    """How many tiles an image has whose sides they make.

    >>> tile_count(240, 352, 128)
    6
    """
    step = tile_step(size)
    return ((height - size) // step + 1) * ((width - size) // step + 1)


def tile_step(size: int) -> int:
    """From the beginning of a tile to that of the next."""
    return size - size // OVERLAP
