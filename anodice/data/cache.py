"""Each image is decoded once, into one memory-mapped uint8 array on disk.

The cache is keyed by the content of the folder (the bytes and names of its files), the image size, the channels and
the orientation, so a changed folder makes a new one and two runs over the same photos share one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anodice.app.console import counted
from anodice.app.files import make_folder, remove_leftovers
from anodice.app.process import cores
from anodice.data.decode import decode, why_not
from anodice.data.frame import Frame
from anodice.data.image_format import ImageFormat, turned
from anodice.data.records import Record

log = logging.getLogger(__name__)

_VERSION = 3
_CHUNK = 256
_PIECE = 32


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


def cached_images(root: Path, records: Sequence[Record], form: ImageFormat, *, cache_dir: Path) -> CachedImages:
    """The decoded images of `records`, from the cache or, the first time, into it.

    With an orientation the pixels are those of the turned photos; the hashes stay those of the files.

    A damaged cache is rebuilt with a warning. Safe when several processes start together: each builds in a folder of
    its own, and the first to finish is kept.
    """
    folder = cache_dir / "images" / _key(records, form)
    if folder.exists():
        try:
            return _load(folder, len(records), check=True)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as damage:
            log.warning("the image cache %s is damaged (%s); it is built anew", folder, damage)
            _discard(folder)
    remove_leftovers(make_folder(folder.parent, "paths.cache_dir"))
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        _build(building, root, records, form)
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # not simply another process that was faster
                raise
        return _load(folder, len(records), check=False)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _key(records: Sequence[Record], form: ImageFormat) -> str:
    turned = "" if form.orientation is None else f" {form.orientation.name}"
    frame = form.frame
    square = frame == Frame.of(form.size)
    size = f"{form.size}" if square else f"{frame.height}x{frame.width} {frame.fit}"
    state = hashlib.blake2b(f"{_VERSION} {size} {form.channels}{turned}\n".encode(), digest_size=16)
    for record in records:
        state.update(f"{record.path}\0{record.file_hash}\n".encode())
    return state.hexdigest()


def _build(folder: Path, root: Path, records: Sequence[Record], form: ImageFormat) -> None:
    frame = form.frame
    shape = (frame.height, frame.width, form.channels)
    orientation = form.orientation
    found: list[_Found] = []
    crc = 0
    if orientation is not None:
        log.info("turning %d photos upright, once", len(records))
    with (folder / "pixels.npy").open("wb") as file, ThreadPoolExecutor(cores()) as pool:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(records), *shape)}
        np.lib.format.write_array_header_1_0(file, header)
        room = np.empty((min(_CHUNK, len(records)), *shape), dtype=np.uint8)
        starts = range(0, len(records), _CHUNK)
        for start in counted(starts, len(starts), f"decoding {len(records)} photos, once"):
            part = records[start : start + _CHUNK]
            pixels = room[: len(part)]
            # A task for many photos: handing over each for itself would take as long as decoding it.
            pieces = [slice(k, k + _PIECE) for k in range(0, len(part), _PIECE)]
            decoded = pool.map(
                _decode_all, repeat(root), repeat(frame), [part[k] for k in pieces], [pixels[k] for k in pieces]
            )
            found += chain.from_iterable(decoded)
            rows = [k for k, row in enumerate(found[start:]) if row.reason == ""]
            if orientation is not None and rows:
                pixels[rows] = turned(orientation, pixels[rows])
            file.write(pixels)
            crc = zlib.crc32(pixels, crc)
    index = {
        "contents": [row.content for row in found],
        "sizes": [row.size for row in found],
        "colour": [row.colour for row in found],
        "reasons": [row.reason for row in found],
        "crc": crc,
    }
    (folder / "index.json").write_text(json.dumps(index))


class _Found(NamedTuple):
    """What decoding an image told beside its pixels; `reason` where it could not be decoded."""

    content: str = ""
    size: tuple[int, int] = (0, 0)
    colour: bool = False
    reason: str = ""


def _decode_all(root: Path, frame: Frame, records: Sequence[Record], pixels: NDArray[np.uint8]) -> list[_Found]:
    """Decode images into `pixels` (N, H, W, C), the shape of the frame."""
    found = []
    for record, row in zip(records, pixels, strict=True):
        try:
            row[:], *rest = decode(f"{root}/{record.path}", image_size=frame, in_channels=row.shape[2])
            found.append(_Found(*rest))
        except Exception as error:  # Pillow's readers raise all sorts of errors on broken files
            found.append(_Found(reason=why_not(error)))
            row[:] = 0
    return found


def _load(folder: Path, count: int, *, check: bool) -> CachedImages:
    index = json.loads((folder / "index.json").read_text())
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    if len(pixels) != count or len(index["contents"]) != count:
        raise ValueError(f"{len(pixels)} images where {count} belong")
    if check and zlib.crc32(pixels) != index["crc"]:
        raise ValueError("its checksum differs")
    sizes = {tuple(size): tuple(size) for size in index["sizes"]}  # one of each: most photos have the same
    return CachedImages(
        pixels=pixels,
        contents=index["contents"],
        sizes=[sizes[tuple(size)] for size in index["sizes"]],
        colour=index["colour"],
        undecodable={i: reason for i, reason in enumerate(index["reasons"]) if reason != ""},
    )


def _discard(folder: Path) -> None:
    """Move the folder out of the way at once, then remove it: nobody sees it half gone."""
    grave = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
    with contextlib.suppress(FileNotFoundError):  # another process may be faster
        folder.rename(grave / folder.name)
    shutil.rmtree(grave, ignore_errors=True)
