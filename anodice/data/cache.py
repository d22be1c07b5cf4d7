"""Each image is decoded once, into one memory-mapped uint8 array on disk.

The cache is keyed by the content of the folder (the bytes and names of its files), the image size, the channels and
the orientation, so a changed folder makes a new one and two runs over the same photos share one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anodice.data.records import Record

log = logging.getLogger(__name__)

_VERSION = 1
_CHUNK = 256


class Orientation(Protocol):
    """Turns grey photos (N, H, W) uint8 upright, each for itself; `name` changes whenever the result would."""

    name: str

    def __call__(self, photos: NDArray[np.uint8]) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class CachedImages:
    """The decoded images of a walk.

    Attributes:
        pixels: (N, H, W, C) uint8, memory-mapped; row i is image i of the walk, zeros where it could not be decoded.
        contents: N pixel hashes at the original size, empty where the image could not be decoded.
        sizes: N original sizes (width, height).
        colour: N flags, true where the file has three channels that differ.
        undecodable: index -> reason.
    """

    pixels: np.ndarray
    contents: list[str]
    sizes: list[tuple[int, int]]
    colour: list[bool]
    undecodable: dict[int, str]


def cached_images(
    root: Path,
    records: Sequence[Record],
    *,
    cache_dir: Path,
    image_size: int,
    in_channels: int,
    orientation: Orientation | None,
) -> CachedImages:
    """The decoded images of `records`, from the cache or, the first time, into it.

    With an `orientation` (for one channel only) the pixels are those of the turned photos; the hashes stay those of the
    files.

    A damaged cache is rebuilt with a warning. Safe when several processes start together: each builds in a folder of
    its own, and the first to finish is kept.
    """
    folder = cache_dir / "images" / _key(records, image_size, in_channels, orientation)
    if folder.exists():
        try:
            return _load(folder, len(records))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as damage:
            log.warning("the image cache %s is damaged (%s); it is built anew", folder, damage)
            _discard(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        _build(building, root, records, image_size, in_channels, orientation)
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # not simply another process that was faster
                raise
        return _load(folder, len(records))
    finally:
        shutil.rmtree(building, ignore_errors=True)


def decode(path: Path, *, image_size: int, in_channels: int) -> tuple[np.ndarray, str, tuple[int, int], bool]:
    """Read one image file.

    Returns:
        pixels (H, W, C) uint8 at `image_size`, the hash of the pixels at their own size, that size (width, height), and
        whether the file is in colour.

    Raises:
        OSError, ValueError, SyntaxError: the file is truncated or broken (Pillow's errors).
    """
    with Image.open(path) as file:
        image = _to_eight_bit(ImageOps.exif_transpose(file))
        original = np.asarray(image)
        colour = original.ndim == 3 and bool((original != original[..., :1]).any())
        image = image.convert("L" if in_channels == 1 else "RGB")
        # Grey photos hash alike whether they are stored with one channel or with three equal ones.
        hashed = original if colour else np.asarray(image.convert("L"))
        content = hashlib.blake2b(repr(hashed.shape).encode() + hashed.tobytes(), digest_size=16).hexdigest()
        if image.size != (image_size, image_size):
            image = image.resize((image_size, image_size), Image.Resampling.BILINEAR, reducing_gap=None)
        pixels = np.asarray(image).reshape(image_size, image_size, in_channels)
    return pixels, content, (original.shape[1], original.shape[0]), colour


def _to_eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 256).clip(0, 255).astype(np.uint8))
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _key(records: Sequence[Record], image_size: int, in_channels: int, orientation: Orientation | None) -> str:
    turned = "" if orientation is None else f" {orientation.name}"
    state = hashlib.blake2b(f"{_VERSION} {image_size} {in_channels}{turned}\n".encode(), digest_size=16)
    for record in records:
        state.update(f"{record.path}\0{record.file_hash}\n".encode())
    return state.hexdigest()


def _build(
    folder: Path,
    root: Path,
    records: Sequence[Record],
    image_size: int,
    in_channels: int,
    orientation: Orientation | None,
) -> None:
    shape = (len(records), image_size, image_size, in_channels)
    pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)

    def work(index: int) -> tuple[str, tuple[int, int], bool, str]:
        try:
            decoded = decode(root / records[index].path, image_size=image_size, in_channels=in_channels)
        except UnidentifiedImageError:  # its message holds the absolute path, which is not for the cache
            return "", (0, 0), False, "cannot be decoded (cannot identify image file)"
        except Exception as error:  # Pillow's readers raise all sorts of errors on broken files
            return "", (0, 0), False, f"cannot be decoded ({str(error).split(':')[0]})"
        pixels[index] = decoded[0]
        return *decoded[1:], ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(work, range(len(records)), chunksize=64))
    contents, sizes, colour, reasons = (list(column) for column in zip(*found, strict=True))
    if orientation is not None:
        decoded = [i for i, reason in enumerate(reasons) if reason == ""]
        log.info("turning %d photos upright, once", len(decoded))
        for start in range(0, len(decoded), _CHUNK):
            rows = decoded[start : start + _CHUNK]
            pixels[rows, ..., 0] = orientation(pixels[rows, ..., 0])
    pixels.flush()
    index = {"contents": contents, "sizes": sizes, "colour": colour, "reasons": reasons, "crc": zlib.crc32(pixels)}
    (folder / "index.json").write_text(json.dumps(index))


def _load(folder: Path, count: int) -> CachedImages:
    index = json.loads((folder / "index.json").read_text())
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    if len(pixels) != count or len(index["contents"]) != count:
        raise ValueError(f"{len(pixels)} images where {count} belong")
    if zlib.crc32(pixels) != index["crc"]:
        raise ValueError("its checksum differs")
    return CachedImages(
        pixels=pixels,
        contents=index["contents"],
        sizes=[tuple(size) for size in index["sizes"]],
        colour=index["colour"],
        undecodable={i: reason for i, reason in enumerate(index["reasons"]) if reason != ""},
    )


def _discard(folder: Path) -> None:
    """Move the folder out of the way at once, then remove it: nobody sees it half gone."""
    grave = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
    with contextlib.suppress(FileNotFoundError):  # another process may be faster
        folder.rename(grave / folder.name)
    shutil.rmtree(grave, ignore_errors=True)
