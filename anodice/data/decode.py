"""From image files of any kind to pixels of one format: what every command reads photos with."""

from __future__ import annotations

import hashlib
import io
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anodice.data.frame import Frame
from anodice.data.records import FORMATS, read_bytes

MOST_PIXELS = 100_000_000
"""Of a photo. A small file may claim many more, and fill the memory with them."""

_MANY_PIXELS = 10_000_000
"""Photos with more are decoded one after the other, whatever the number of threads."""

_one_at_a_time = threading.Lock()


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
    if image.width * image.height > _MANY_PIXELS:
        with _one_at_a_time:
            return _decoded(image, image_size, in_channels)
    return _decoded(image, image_size, in_channels)


def _decoded(image: Image.Image, image_size: int, in_channels: int) -> Decoded:
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
    """The image as grey or RGB, as people see it: what shows through lies on white.

    Raises:
        ValueError: numbers of a range that nobody knows.
    """
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "F":
        return Image.fromarray(_grey_of_floats(np.asarray(image)))
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips at 255
        return Image.fromarray(_grey_of_integers(np.asarray(image), bits=_bits(image)))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        shown = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), shown).convert("RGB")
    return image.convert("RGB")


def _grey_of_floats(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise ValueError("some of its pixels are no numbers or infinite")
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"its pixels are of {values.min():g} to {values.max():g}, and floats have to be of 0 to 1")
    return np.round(values * 255).astype(np.uint8)


def _grey_of_integers(values: NDArray[Any], *, bits: int) -> NDArray[np.uint8]:
    if bits > 16 or values.min() < 0 or values.max() >= 2**16:
        raise ValueError("its pixels are whole numbers of more than 16 bits, whose range nobody knows")
    return (values.astype(np.uint32) // 256).astype(np.uint8)


def _bits(image: Image.Image) -> int:
    """Of a pixel of a TIFF file; 16 for others, which have no more."""
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
    return max(bits) if isinstance(bits, tuple) else int(bits)


_BITS_PER_SAMPLE = 258
"""The tag of TIFF."""
