"""Reading a folder of photos: walk, cache, audit and split in one go, and what to tell people of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anodice.data.audit import Audit, audit
from anodice.data.cache import CachedImages, cached_images
from anodice.data.records import ANOMALIES, Layout, Record, Walk, walk
from anodice.data.split import Split, make_split

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Photos:
    """The decoded photos of a folder, their audit and their split.

    Attributes:
        walked: what the walk found.
        records: the records that could be decoded.
        skipped: path and reason of every file that is not among them.
        pixels: (M, H, W, C) uint8, memory-mapped.
        rows: the row of `pixels` of each record.
    """

    walked: Walk
    records: tuple[Record, ...]
    skipped: tuple[tuple[str, str], ...]
    pixels: np.ndarray
    rows: np.ndarray
    audit: Audit
    split: Split


def read_photos(
    root: str | Path,
    layout: Layout,
    *,
    cache_dir: Path,
    image_size: int,
    in_channels: int,
    validation_fraction: float,
    seed: int,
) -> Photos:
    """Read the folder; what a person may not expect of it is logged as a warning.

    Raises:
        AnodiceError: the folder is not laid out so, or cannot be split (see `walk` and `make_split`).
    """
    walked = walk(root, layout)
    cached = cached_images(
        walked.root, walked.records, cache_dir=cache_dir, image_size=image_size, in_channels=in_channels
    )
    rows = np.array([i for i in range(len(walked.records)) if i not in cached.undecodable])
    records = tuple(walked.records[i].with_content(cached.contents[i]) for i in rows)
    skipped = walked.skipped + tuple((walked.records[i].path, why) for i, why in cached.undecodable.items())
    split = make_split(records, validation_fraction=validation_fraction, seed=seed)
    for line in _remarks(walked, cached, image_size, in_channels):
        log.warning(line)
    return Photos(walked, records, skipped, cached.pixels, rows, audit(records), split)


def describe(photos: Photos) -> str:
    """What was found, for the start of a run: a table split x class x count, the skipped files, the audit."""
    classes = photos.walked.layout.classes
    rows = [["", *classes, "total"]]
    for name in ("fit", "validation", "test"):
        counts = Counter(photos.records[i].class_name for i in getattr(photos.split, name))
        rows.append([name, *(str(counts[c]) for c in classes), str(sum(counts.values()))])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [f"photos under {photos.walked.root}"]
    lines += ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    by_reason = Counter(reason for _, reason in photos.skipped)
    for reason, count in by_reason.most_common():
        example = next(path for path, why in photos.skipped if why == reason)
        lines.append(f"  skipped: {count} x {reason}, such as {example}")
    if not photos.skipped:
        lines.append("  skipped: no file")
    return "\n".join([*lines, photos.audit.sentence()])


def _remarks(walked: Walk, cached: CachedImages, image_size: int, in_channels: int) -> Iterator[str]:
    """Sentences on what a person may not expect of their photos."""
    for folder in walked.unread:
        yield f"{folder} is not read: the class folders are {', '.join(walked.layout.classes)}."
    for folder in walked.empty:
        yield f"{folder} holds no photo: {_consequence(walked, folder)}."
    decoded = [i for i in range(len(walked.records)) if i not in cached.undecodable]
    common = Counter(cached.sizes[i] for i in decoded).most_common(1)[0][0]
    odd = [i for i in decoded if cached.sizes[i] != common]
    if odd:
        width, height = cached.sizes[odd[0]]
        yield (
            f"{_photos(len(odd))} not {common[0]}x{common[1]} as most are, such as "
            f"{walked.records[odd[0]].path} ({width}x{height}); every photo is resized to {image_size}x{image_size}."
        )
    coloured = [i for i in decoded if cached.colour[i]]
    if coloured and in_channels == 1:
        yield (
            f"{_photos(len(coloured))} in colour, such as {walked.records[coloured[0]].path}; turned to "
            f"grey (data.in_channels=3 keeps the colour)."
        )


def _consequence(walked: Walk, folder: str) -> str:
    split, class_name = folder.split("/")
    if split == walked.layout.splits["test"]:
        return "the figures say nothing of that class"
    if class_name == ANOMALIES:
        return "only thresholds from normal photos alone can be fitted"
    return "the detector does not get to know that class, and its photos will look anomalous"


def _photos(count: int) -> str:
    return "1 photo is" if count == 1 else f"{count} photos are"
