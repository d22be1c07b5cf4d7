"""Reading a folder of photos: walk, cache, audit and split in one go."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.data.cache import CachedImages, cached_images
from anodice.data.decode import decode
from anodice.data.image_format import ImageFormat
from anodice.data.records import Folder, Layout, Record, Walk, listed, walk
from anodice.data.splitting.audit import Audit, audit
from anodice.data.splitting.near_duplicates import (
    Pair,
    group_ids,
    known_pairs,
    near_contents,
    near_duplicate_pairs,
)
from anodice.data.splitting.split import Split
from anodice.data.splitting.strategies import Splitting
from anodice.errors import AnodiceError, first_line
from anodice.functional.registration import SIDE

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
        form: what they were brought to.
        cache_dir: where what is computed from the photos is kept.
        turned: whether they were turned upright.
    """

    walked: Walk
    records: tuple[Record, ...]
    skipped: tuple[tuple[str, str], ...]
    pixels: np.ndarray
    rows: np.ndarray
    form: ImageFormat
    audit: Audit
    split: Split
    cache_dir: Path
    turned: bool

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
        framed = self.form.frame.mask(marked)
        if not self.turned:
            return framed
        photo = decode(
            self.walked.root / self.records[index].path,
            image_size=self.form.frame,
            in_channels=self.form.channels,
        )
        return self.form.orientation.turned_mask(photo.pixels, framed)


def read_photos(
    root: str | Path, layout: Callable[[Path], Layout], form: ImageFormat, splitting: Splitting, *, cache_dir: Path
) -> Photos:
    """Read the folder; what a person may not expect of it is logged as a warning.

    Args:
        form: what the photos are brought to; those of an upright layout are not turned.
        splitting: see `anodice.data.splitting.strategies`.
        cache_dir: where what is computed from the photos is kept.

    Raises:
        AnodiceError: the folder is not laid out so, or cannot be split (see `walk` and `splitting`).
    """
    root = Path(root).expanduser().absolute()
    walked = walk(root, layout(root))
    anyhow = getattr(form.orientation, "turns_any", False)
    turned = form.orientation is not None and (anyhow or not walked.layout.upright)
    cached = cached_images(
        root, walked.records, form if turned else replace(form, orientation=None), cache_dir=cache_dir
    )
    rows = np.array([i for i in range(len(walked.records)) if i not in cached.undecodable])
    records = tuple(walked.records[i].with_content(cached.contents[i]) for i in rows)
    if turned and not hasattr(form.orientation, "turned_mask"):  # the masks lie as the photos did before
        records = tuple(replace(record, mask=None) for record in records)
    skipped = walked.skipped + tuple((walked.records[i].path, why) for i, why in cached.undecodable.items())
    split = splitting(records, groups=lambda: group_ids(records, _pairs(walked, records, rows, cache_dir)))
    if form.orientation is not None and not turned:
        log.info("the photos of this layout are upright: data.orientation has nothing to do")
    if form.orientation is None and not walked.layout.upright:
        log.warning("the photos of this layout are not upright, and data.orientation is null: they are not turned.")
    for line in _remarks(walked, cached, form):
        log.warning(line)
    found = audit(records, known_pairs(records, cache_dir=cache_dir))
    return Photos(walked, records, skipped, cached.pixels, rows, form, found, split, cache_dir, turned)


def near_duplicates(photos: Photos) -> tuple[Pair, ...]:
    """The pairs of copies, near copies and frames of one burst; looked for once, then read from the cache."""
    return _pairs(photos.walked, photos.records, photos.rows, photos.cache_dir)


def groups(photos: Photos) -> NDArray[np.int64]:
    """The group of each record, (N,): copies, near copies and frames of one burst are one piece of evidence.

    Intervals resample by it. Looked for once (some 15 s for 6,500 photos on two cores), then read from the cache.
    """
    return group_ids(photos.records, near_duplicates(photos))


def near_leaks(photos: Photos) -> frozenset[int]:
    """The test photos, beside the leaked ones, that are near duplicates of photos to fit or to validate.

    Only `split=published` has any: the other splits keep near duplicates together. Looked for as for `groups`.
    """
    records, split = photos.records, photos.split
    trained = {records[i].content for i in (*split.fit, *split.validation)}
    near = near_contents(records, near_duplicates(photos), trained)
    return frozenset(i for i in split.test if records[i].content in near and i not in split.leaked)


def evidence(photos: Photos) -> tuple[NDArray[np.int64] | None, frozenset[int] | None]:
    """`groups` and `near_leaks`; None for both, with a warning, where the memory does not suffice to look for them."""
    try:
        return groups(photos), near_leaks(photos)
    except MemoryError as error:
        log.warning(
            "not enough memory to look for near duplicates (%s): intervals take exact copies alone for one piece of "
            "evidence, and there is no distinct test",
            first_line(error),
        )
        return None, None


def _pairs(walked: Walk, records: Sequence[Record], rows: NDArray[np.intp], cache_dir: Path) -> tuple[Pair, ...]:
    def pictures() -> NDArray[np.uint8]:
        return cached_images(walked.root, walked.records, ImageFormat(SIDE, 1), cache_dir=cache_dir).pixels[
            rows, ..., 0
        ]

    return near_duplicate_pairs(records, pictures, cache_dir=cache_dir)


def _remarks(walked: Walk, cached: CachedImages, form: ImageFormat) -> Iterator[str]:
    """Sentences on what a person may not expect of their photos."""
    if walked.unread:
        verb = "is" if len(walked.unread) == 1 else "are"
        yield f"{listed(walked.unread)} {verb} not read: the layout is {walked.layout.tree}."
    for consequence, folders in _empty(walked).items():
        yield f"{listed(folders)} {'holds' if len(folders) == 1 else 'hold'} no photo: {consequence}."
    decoded = [i for i in range(len(walked.records)) if i not in cached.undecodable]
    sizes = Counter(cached.sizes[i] for i in decoded)
    common, count = sizes.most_common(1)[0]
    odd = [i for i in decoded if cached.sizes[i] != common]
    frame = form.frame
    shape = f"{frame.height}x{frame.width}"
    if odd and count <= len(decoded) / 2:
        yield f"the photos have {len(sizes)} sizes; every photo is resized to {shape}."
    elif odd:
        width, height = cached.sizes[odd[0]]
        yield (
            f"{_photos(len(odd))} not {common[0]}x{common[1]} as most are, such as "
            f"{walked.records[odd[0]].path} ({width}x{height}); every photo is resized to {shape}."
        )
    whole = (0, 0, frame.width, frame.height)
    oblong = [i for i in decoded if replace(frame, fit="pad").place(cached.sizes[i]) != whole]
    if oblong and frame.fit != "pad":
        width, height = cached.sizes[oblong[0]]
        other = "not square" if frame.height == frame.width else "of another shape"
        what = {
            "squash": f"squashed to {shape}: what is round becomes oval",
            "crop": f"cropped to {shape}: what lies beyond is not looked at",
        }
        yield (
            f"{_photos(len(oblong))} {other}, such as {walked.records[oblong[0]].path} ({width}x{height}), and "
            f"{what[frame.fit]}; data.shape_to_square=pad keeps all of them as they are."
        )
    coloured = [i for i in decoded if cached.colour[i]]
    if coloured and form.channels == 1:
        yield (
            f"{_photos(len(coloured))} in colour, such as {walked.records[coloured[0]].path}; turned to "
            f"grey (data.in_channels=3 keeps the colour)."
        )


def _empty(walked: Walk) -> dict[str, list[str]]:
    """What follows from folders without a photo -> those folders."""
    found: dict[str, list[str]] = {}
    for folder in walked.layout.folders:
        if folder.path in walked.empty:
            found.setdefault(_consequence(walked, folder), []).append(folder.path)
    return found


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
