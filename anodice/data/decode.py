"""From image files of any kind to pixels of one format: what every command reads photos with."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anodice.data.frame import Frame
from anodice.data.records import FORMATS, read_bytes

MOST_PIXELS = 100_000_000
"""Of a photo. A small file may claim many more, and fill the memory with them."""


class Decoded(NamedTuple):
    """A photo that was read.

    Attributes:
        pixels: (H, W, C) uint8 at the size that was asked for.
        content: hash of the pixels at their own size.
        size: that size, (width, height), after turning as its EXIF data say.
        colour: whether it has three channels that differ.
    """

    pixels: NDArray[np.uint8]
    content: str
    size: tuple[int, int]
    colour: bool


def decode(path: Path | str, *, image_size: int | Frame, in_channels: int) -> Decoded:
    """Read one image file, and bring it to one shape and 1 (grey) or 3 (RGB) channels.

    Args:
        image_size: the frame that it is brought to; a number for a square that it is squashed to.

    Raises:
        OSError, ValueError, SyntaxError: the file is truncated or broken (Pillow's errors), or too large.
    """
    # From a file of its own Pillow reads many small pieces, and mistakes width for height in turned TIFF files.
    return decode_bytes(read_bytes(str(path)), image_size=image_size, in_channels=in_channels)


def decode_bytes(data: bytes, *, image_size: int | Frame, in_channels: int) -> Decoded:
    """As `decode`, of the content of a file."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return decode_image(image, image_size=image_size, in_channels=in_channels)


def decode_image(image: Image.Image, *, image_size: int | Frame, in_channels: int) -> Decoded:
    """As `decode`, of an image that Pillow has opened; it is turned in place as its EXIF data say."""
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels, more than {MOST_PIXELS:,}")
    ImageOps.exif_transpose(image, in_place=True)
    original = _to_eight_bit(image)
    shown = _array(original)
    colour = shown.ndim == 3 and bool((shown != shown[..., :1]).any())
    # Grey photos hash alike whether they are stored with one channel or with three equal ones.
    hashed = shown if colour or shown.ndim == 2 else _array(original.convert("L"))
    content = hashlib.blake2b(repr(hashed.shape).encode(), digest_size=16)
    content.update(hashed)
    mode = "L" if in_channels == 1 else "RGB"
    wanted = original if original.mode == mode else original.convert(mode)
    frame = Frame.of(image_size)
    if wanted.size != (frame.width, frame.height):
        wanted = frame.fitted(wanted)
    pixels = shown if wanted is original else _array(wanted)
    size = (shown.shape[1], shown.shape[0])
    return Decoded(pixels.reshape(frame.height, frame.width, in_channels), content.hexdigest(), size, colour)


def why_not(error: Exception) -> str:
    """Why a file could not be decoded, for people, from the error that `decode` raised."""
    unknown = isinstance(error, UnidentifiedImageError)  # its message holds an address in memory
    return f"cannot be decoded ({'cannot identify image file' if unknown else str(error).split(':')[0]})"


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a grey or RGB image, (H, W) or (H, W, 3); on small photos faster than `np.asarray`."""
    shape = (image.height, image.width) if image.mode == "L" else (image.height, image.width, 3)
    return np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(shape)


def _to_eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 256).clip(0, 255).astype(np.uint8))
    return image if image.mode in ("L", "RGB") else image.convert("RGB")
