"""Reading a folder of photos: walk, cache, audit and split in one go, and what to tell people of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from anodice.data.cache import CachedImages, Orientation, cached_images
from anodice.data.layouts import in_order
from anodice.data.records import Folder, Layout, Record, Walk, walk
from anodice.data.splitting.audit import Audit, audit
from anodice.data.splitting.near_duplicates import Pair, group_ids, known_pairs, near_duplicate_pairs
from anodice.data.splitting.split import Split, with_fewer_to_fit
from anodice.data.splitting.strategies import Splitting
from anodice.errors import AnodiceError

log = logging.getLogger(__name__)

_MOST_COLUMNS = 15


@dataclass(frozen=True)
class Photos:
    """The decoded photos of a folder, their audit and their split.

    Attributes:
        walked: what the walk found.
        records: the records that could be decoded.
        skipped: path and reason of every file that is not among them.
        pixels: (M, H, W, C) uint8, memory-mapped.
        rows: the row of `pixels` of each record.
        cache_dir: where what is computed from the photos is kept.
    """

    walked: Walk
    records: tuple[Record, ...]
    skipped: tuple[tuple[str, str], ...]
    pixels: np.ndarray
    rows: np.ndarray
    audit: Audit
    split: Split
    cache_dir: Path

    @property
    def classes(self) -> tuple[str, ...]:
        """The normal classes that there are photos to learn from, in order."""
        return self.walked.layout.classes

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """Where the defects of a photo are, (H, W) of the image size; None where nobody has marked them.

        A pixel is true where any marked pixel of the file falls into it, so the thinnest scratch is kept.

        Raises:
            AnodiceError: the mask cannot be read.
        """
        mask = self.records[index].mask
        if mask is None:
            return None
        path = self.walked.root / mask
        try:
            with Image.open(path) as file:
                marked = np.asarray(file.convert("L")) > 0
        except (OSError, SyntaxError) as error:
            raise AnodiceError(f"expected an image at {path}, got {error}; mend or remove that mask.") from error
        height, width = self.pixels.shape[1:3]
        pooled = F.adaptive_max_pool2d(torch.from_numpy(marked.astype(np.float32))[None], (height, width))
        return pooled[0].numpy() > 0


def read_photos(
    root: str | Path,
    layout: Callable[[Path], Layout],
    *,
    cache_dir: Path,
    image_size: int,
    in_channels: int,
    orientation: Orientation | None,
    splitting: Splitting,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    fit_per_class: int | None = None,
) -> Photos:
    """Read the folder; what a person may not expect of it is logged as a warning.

    Args:
        orientation: turns the photos, unless those of the layout are upright.
        splitting: see `anodice.data.splitting.strategies`.
        fit_per_class: at most so many normal photos of each class to fit; None for all.

    Raises:
        AnodiceError: the folder is not laid out so, or cannot be split (see `walk` and `splitting`).
    """
    root = Path(root).expanduser().absolute()
    walked = walk(root, layout(root))
    turned = orientation is not None and not walked.layout.upright
    cached = cached_images(
        root,
        walked.records,
        cache_dir=cache_dir,
        image_size=image_size,
        in_channels=in_channels,
        orientation=orientation if turned else None,
    )
    rows = np.array([i for i in range(len(walked.records)) if i not in cached.undecodable])
    records = tuple(walked.records[i].with_content(cached.contents[i]) for i in rows)
    if turned:  # the masks lie as the photos did before
        records = tuple(replace(record, mask=None) for record in records)
    skipped = walked.skipped + tuple((walked.records[i].path, why) for i, why in cached.undecodable.items())
    split = splitting(
        records,
        groups=lambda: group_ids(records, near_duplicate_pairs(root, records, cache_dir=cache_dir)),
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=seed,
    )
    if fit_per_class is not None:
        split = with_fewer_to_fit(split, records, per_class=fit_per_class, seed=seed)
    if orientation is not None and not turned:
        log.info("the photos of this layout are upright: data.orientation has nothing to do")
    if orientation is None and not walked.layout.upright:
        log.warning("the photos of this layout are not upright, and data.orientation is null: they are not turned.")
    for line in _remarks(walked, cached, image_size, in_channels):
        log.warning(line)
    found = audit(records, known_pairs(records, cache_dir=cache_dir))
    return Photos(walked, records, skipped, cached.pixels, rows, found, split, cache_dir)


def near_duplicates(photos: Photos) -> tuple[Pair, ...]:
    """The pairs of copies, near copies and frames of one burst; looked for once, then read from the cache."""
    return near_duplicate_pairs(photos.walked.root, photos.records, cache_dir=photos.cache_dir)


def groups(photos: Photos) -> NDArray[np.int64]:
    """The group of each record, (N,): copies, near copies and frames of one burst are one piece of evidence.

    Intervals resample by it. Looked for once (half a minute for 6,500 photos), then read from the cache.
    """
    return group_ids(photos.records, near_duplicates(photos))


def describe(photos: Photos) -> str:
    """What was found, for the start of a run: a table split x class x count, the skipped files, the audit.

    With many classes the table counts normal and anomalous photos only.
    """
    folders = photos.walked.layout.folders
    columns = [(name, anomalous) for anomalous in (False, True) for name in _names(folders, anomalous)]
    column_of = {column: column for column in columns}
    if len(columns) > _MOST_COLUMNS:
        column_of = {column: ("anomalous" if column[1] else "normal", column[1]) for column in columns}
        columns = list(dict.fromkeys(column_of.values()))
    rows = [["", *(name for name, _ in columns), "total"]]
    for name in ("fit", "validation", "test"):
        part = [photos.records[i] for i in getattr(photos.split, name)]
        counts = Counter(column_of[r.class_name, r.anomalous] for r in part)
        rows.append([name, *(str(counts[c]) for c in columns), str(len(part))])
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


def _names(folders: tuple[Folder, ...], anomalous: bool) -> tuple[str, ...]:
    """The classes of the normal folders, or the kinds of the anomalous ones."""
    return in_order(f.class_name for f in folders if f.anomalous == anomalous)


def _remarks(walked: Walk, cached: CachedImages, image_size: int, in_channels: int) -> Iterator[str]:
    """Sentences on what a person may not expect of their photos."""
    for folder in walked.unread:
        yield f"{folder} is not read: the layout is {walked.layout.tree}."
    for folder in walked.layout.folders:
        if folder.path in walked.empty:
            yield f"{folder.path} holds no photo: {_consequence(walked, folder)}."
    decoded = [i for i in range(len(walked.records)) if i not in cached.undecodable]
    sizes = Counter(cached.sizes[i] for i in decoded)
    common, count = sizes.most_common(1)[0]
    odd = [i for i in decoded if cached.sizes[i] != common]
    if odd and count <= len(decoded) / 2:
        yield f"the photos have {len(sizes)} sizes; every photo is resized to {image_size}x{image_size}."
    elif odd:
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


def _consequence(walked: Walk, folder: Folder) -> str:
    if folder.split == "test":
        return "the figures say nothing of that class"
    if not folder.anomalous:
        return "the detector does not get to know that class, and its photos will look anomalous"
    if any(r.anomalous and r.split != "test" for r in walked.records):
        return "thresholds are fitted without that kind of anomaly"
    return "only thresholds from normal photos alone can be fitted"


def _photos(count: int) -> str:
    return "1 photo is" if count == 1 else f"{count} photos are"
