"""What every photo is brought to before a detector looks at it: size, shape, channels, pose; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anodice.data.frame import Fit, Frame, check_tile
from anodice.errors import AnodiceError
from anodice.functional.tile_grid import tiled_length


class Orientation(Protocol):
    """Turns photos uint8 upright, each for itself; `name` changes whenever the result would.

    It takes grey ones (N, H, W), with the attribute `takes_colour` (N, H, W, C) as well; with `turns_any` it turns
    those of every layout, else those of layouts that are not upright; with a method `turned_mask` masks are turned
    along.
    """

    name: str

    def __call__(self, photos: NDArray[np.uint8]) -> NDArray[np.uint8]: ...


def turned(orientation: Orientation, photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Photos (N, H, W, C) of 1 or 3 channels, turned upright."""
    if getattr(orientation, "takes_colour", False):
        return orientation(photos)
    return orientation(photos[..., 0])[..., None]


@dataclass(frozen=True)
class ImageFormat:
    """What every photo is brought to.

    Attributes:
        size: height and width of what a detector looks at, in pixels.
        channels: 1 (grey) or 3 (RGB).
        orientation: turns photos upright; None for none.
        fit: what becomes of photos of another shape, see `Frame`.
        tile: rows and columns of tiles, `size` pixels along each side, that a photo is cut into; None for one.

    Raises:
        AnodiceError: another number of channels, no size, no such fit or tile, an orientation for tiles, or one that
            takes no colour for colour photos.
    """

    size: int
    channels: int
    orientation: Orientation | None = None
    fit: Fit = "squash"
    tile: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise AnodiceError(f"expected data.image_size to be a whole number of at least 1, got {self.size!r}.")
        if self.channels not in (1, 3):
            raise AnodiceError(f"expected data.in_channels 1 (grey) or 3 (RGB), got {self.channels}.")
        check_tile(self.tile)
        if self.orientation is not None and self.tile is not None:
            raise AnodiceError(
                "expected data.tile=null with an orientation, which turns whole photos; choose one of them."
            )
        takes_colour = getattr(self.orientation, "takes_colour", False)
        if self.orientation is not None and self.channels != 1 and not takes_colour:
            raise AnodiceError(
                f"expected data.in_channels=1 with an orientation, which turns grey photos, got {self.channels}; set "
                f"data.orientation=null to keep the colour of photos as they lie."
            )
        _ = self.frame

    @property
    def frame(self) -> Frame:
        """The pixels that photos are brought to: those of all tiles."""
        rows, columns = (1, 1) if self.tile is None else self.tile
        return Frame(tiled_length(rows, self.size), tiled_length(columns, self.size), self.fit)

    @property
    def tiles(self) -> int:
        """How many a photo has."""
        return 1 if self.tile is None else self.tile[0] * self.tile[1]
