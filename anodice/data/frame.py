"""How photos of any shape are brought to the one shape of a detector's images, and how to find the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.errors import AnodiceError, unknown

Fit = Literal["squash", "pad", "crop"]
FITS: tuple[Fit, ...] = ("squash", "pad", "crop")

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, the latter two outside of it."""


@dataclass(frozen=True)
class Frame:
    """The pixels that every photo is brought to.

    Attributes:
        height, width: of what the photos become.
        fit: for photos of another shape: `squash` stretches them, `pad` adds borders in the colour of their own edges,
            `crop` cuts off what stands over.

    Raises:
        AnodiceError: another fit.
    """

    height: int
    width: int
    fit: Fit = "squash"

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise unknown("data.shape_to_square", str(self.fit), FITS)

    @classmethod
    def of(cls, size: int | Frame) -> Frame:
        """A square that photos are squashed to, where only its side is given."""
        return size if isinstance(size, Frame) else cls(size, size)

    def place(self, size: tuple[int, int]) -> Box:
        """Where a photo of this width and height comes to lie in the frame; cropped, it stands over.

        >>> Frame(100, 100, "pad").place((300, 150)), Frame(100, 100, "crop").place((300, 150))
        ((0, 25, 100, 75), (-50, 0, 150, 100))
        """
        across, down = self.width / size[0], self.height / size[1]
        if self.fit == "squash" or across == down:
            return 0, 0, self.width, self.height
        scale = min(across, down) if self.fit == "pad" else max(across, down)
        width, height = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        left, top = (self.width - width) // 2, (self.height - height) // 2
        return left, top, left + width, top + height

    def fitted(self, image: Image.Image) -> Image.Image:
        """A grey or RGB photo in the frame."""
        left, top, right, bottom = self.place(image.size)
        if image.size != (right - left, bottom - top):
            image = image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, reducing_gap=None)
        if image.size == (self.width, self.height):
            return image
        framed = Image.new(image.mode, (self.width, self.height), _edge_colour(image))
        framed.paste(image, (left, top))
        return framed

    def mask(self, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask (H, W) of a photo in the frame: true where any marked pixel falls, so no thin scratch is lost."""
        import torch  # predicting without torch has no masks
        import torch.nn.functional as F

        left, top, right, bottom = self.place((marked.shape[1], marked.shape[0]))
        values = torch.from_numpy(marked.astype(np.float32))[None]
        pooled = F.adaptive_max_pool2d(values, (bottom - top, right - left))[0].numpy() > 0
        framed = np.zeros((self.height, self.width), dtype=bool)
        inside = pooled[max(0, -top) : self.height - top, max(0, -left) : self.width - left]
        down, across = max(0, top), max(0, left)
        framed[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
        return framed

    def to_photo(self, box: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
        """A box of the frame in the pixels of a photo of this width and height, as much of it as lies in the photo.

        >>> Frame(100, 100, "pad").to_photo((50, 40, 60, 80), (300, 150))
        (150, 45, 180, 150)
        """
        left, top, right, bottom = self.place(size)
        wide, high = size[0] / (right - left), size[1] / (bottom - top)
        x0, y0, x1, y1 = (box[0] - left) * wide, (box[1] - top) * high, (box[2] - left) * wide, (box[3] - top) * high
        ends = int(np.ceil(np.clip(x1, 1, size[0]))), int(np.ceil(np.clip(y1, 1, size[1])))
        return int(np.clip(x0, 0, size[0] - 1)), int(np.clip(y0, 0, size[1] - 1)), *ends


def check_tile(tile: object) -> None:
    """Raise unless it is null, or how many rows and columns of tiles a photo is cut into."""
    whole = isinstance(tile, list | tuple) and len(tile) == 2 and all(type(n) is int and n >= 1 for n in tile)
    if tile is not None and not whole:
        raise AnodiceError(
            f"expected data.tile to be null or [ROWS,COLUMNS], two whole numbers of at least 1, got {tile!r}; "
            "[2,2] cuts each photo into four."
        )


def _edge_colour(image: Image.Image) -> int | tuple[int, ...]:
    """The median colour of a photo's outermost pixels."""
    pixels = np.asarray(image)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle = np.median(edges, axis=0).astype(int)
    return int(middle) if middle.ndim == 0 else tuple(middle.tolist())
