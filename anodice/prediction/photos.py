"""From whatever a person has of photos to decoded ones: files, folders, patterns, pictures, arrays, tensors."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.data.decode import decode_bytes, decode_image, why_not
from anodice.data.frame import Frame
from anodice.data.records import is_hidden, read_bytes
from anodice.errors import AnodiceError
from anodice.prediction.prediction import Unreadable

MOST_BYTES = 512 * 2**20
"""Of a file: what is larger is no photo."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo.

    Attributes:
        name: its path, or its place among those that were given.
        pixels: (H, W, C) uint8.
        size: its own width and height.
    """

    name: str
    pixels: NDArray[np.uint8]
    size: tuple[int, int]


def files_of(photos: str | Path | Sequence[str | Path]) -> Iterator[Path]:
    """The files that paths, folders and patterns mean, in order, one by one: there may be millions.

    A folder stands for all files in it and below that are not hidden; links to folders are not followed. A file may
    turn out to be no photo.

    Raises:
        AnodiceError: a path that does not exist, or a pattern that matches nothing.
    """
    for named in [photos] if isinstance(photos, str | Path) else photos:
        path = Path(named).expanduser()
        if path.is_dir():
            yield from _below(path)
        elif path.is_file():
            yield path
        else:
            yield from _matches(path)


def read_photo(path: Path, *, image_size: int | Frame, in_channels: int) -> Photo | Unreadable:
    """Decode a file; whatever is wrong with it is told, not raised."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return Unreadable(str(path), "is no file any more" if not path.exists() else "is no ordinary file")
        if path.stat().st_size == 0:
            return Unreadable(str(path), "empty file")
        if path.stat().st_size > MOST_BYTES:
            return Unreadable(str(path), f"larger than {MOST_BYTES // 2**20} MiB")
        return photo_of_bytes(read_bytes(str(path)), str(path), image_size=image_size, in_channels=in_channels)
    except OSError as error:
        return Unreadable(str(path), f"cannot be read ({error.strerror or error})")


def photo_of_bytes(data: bytes, name: str, *, image_size: int | Frame, in_channels: int) -> Photo | Unreadable:
    """Decode the content of a file."""
    try:
        found = decode_bytes(data, image_size=image_size, in_channels=in_channels)
    except Exception as error:  # Pillow's readers raise all sorts of errors on broken files
        return Unreadable(name, why_not(error))
    return Photo(name, found.pixels, found.size)


def photo_of(given: Any, name: str, *, image_size: int | Frame, in_channels: int) -> Photo:
    """The photo of a PIL image, of an array (H, W[, C]) or of a tensor ([C,] H, W).

    Whole numbers are grey levels of 0..255 (of 0..65535 with 16 bits), others of [0, 1].

    Raises:
        AnodiceError: something else, or values out of range.
    """
    image = given.copy() if isinstance(given, Image.Image) else Image.fromarray(_eight_bit(given, name))
    try:
        found = decode_image(image, image_size=image_size, in_channels=in_channels)
    except (OSError, ValueError, SyntaxError) as error:
        raise AnodiceError(f"expected {name} to be a photo, which {why_not(error)}.") from error
    return Photo(name, found.pixels, found.size)


def is_tensor(given: Any) -> bool:
    """Whether it is one of torch's, without importing torch."""
    return type(given).__module__.partition(".")[0] == "torch"


def _eight_bit(given: Any, name: str) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) uint8."""
    channels_first = is_tensor(given)
    values = np.asarray(given.detach().cpu() if channels_first else given)
    if values.ndim == 3 and channels_first:
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)) or 0 in values.shape:
        shape = "([C,] H, W)" if channels_first else "(H, W[, C])"
        raise AnodiceError(f"expected {name} of shape {shape} with 1 or 3 channels, got {np.shape(given)}.")
    return np.ascontiguousarray(_grey_levels(values, name))


def _grey_levels(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return (values // 256).astype(np.uint8)
    whole = np.issubdtype(values.dtype, np.integer)
    highest = 255 if whole else 1
    if not (whole or np.issubdtype(values.dtype, np.floating)) or not ((values >= 0) & (values <= highest)).all():
        raise AnodiceError(
            f"expected {name} to hold whole numbers of 0..255 or others of [0, 1], got {values.dtype} from "
            f"{values.min()} to {values.max()}; scale it, or give the file."
        )
    return values.astype(np.uint8) if whole else np.rint(values * 255).astype(np.uint8)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(Path(name)))
        paths = (Path(here, name) for name in sorted(names) if not is_hidden(Path(name)))
        yield from (path for path in paths if path.is_file())


def _matches(path: Path) -> Iterator[Path]:
    names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (Path.glob raises on some)
    if not names:
        near = next(parent for parent in path.absolute().parents if parent.exists())
        raise AnodiceError(f"expected photos at {path}, which does not exist ({near} does).")
    for match in map(Path, names):
        yield from _below(match) if match.is_dir() else [match] if match.is_file() else []
