"""Looking for copies, leaks and conflicting labels in a folder of photos, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from anodice.data.cache import cached_images
from anodice.data.image_format import ImageFormat
from anodice.data.layouts import SPLITS, dice11, folder, mvtec
from anodice.data.records import Layout, is_hidden, walk
from anodice.data.splitting.audit import Audit
from anodice.data.splitting.audit import audit as audit_records
from anodice.data.splitting.near_duplicates import near_duplicate_pairs

_SIDE = 128
"""Pixels along the pictures that are compared."""


def audit(
    root: str | Path,
    layout: Callable[[Path], Layout] | None = None,
    *,
    normal: Sequence[str] = (),
    anomalous: Sequence[str] = (),
    cache_dir: str | Path = "cache",
) -> Audit:
    """What is wrong with a folder of photos: copies, near copies, leaks from training to test, conflicting labels.

    Args:
        root: the folder.
        layout: what lies where, such as `dice11`; None for `normal` and `anomalous` where they are given, else for what
            the names of the folders tell: dice (`train_set`), MVTec AD (`train/good`), or normal photos in each folder.
        normal, anomalous: folders of either, relative to the root, as for `PhotoFolder`.
        cache_dir: where the decoded photos and the pairs that were found are kept.

    Returns:
        paths, relative to the root: `training_copies`, `test_copies`, `leaked`, `nearly_leaked`, `conflicts`,
        `near_conflicts` and `pairs`; `sentence()` says the most important in a line.

    Raises:
        AnodiceError: no such folder, or no photo in it.

    >>> found = audit("DIR", normal=["good"], anomalous=["bad"])  # doctest: +SKIP
    >>> print(found.sentence())  # doctest: +SKIP
    audit: 12 of 300 photos are exact copies of others (one of each is used).
    """
    root, cache = Path(root).expanduser().absolute(), Path(cache_dir)
    if layout is None:
        layout = _named(normal, anomalous) if normal or anomalous else _looked_at(root)
    walked = walk(root, layout(root))
    cached = cached_images(root, walked.records, ImageFormat(_SIDE, 1), cache_dir=cache)
    rows = [i for i in range(len(walked.records)) if i not in cached.undecodable]
    records = [walked.records[i].with_content(cached.contents[i]) for i in rows]
    return audit_records(records, near_duplicate_pairs(records, lambda: cached.pixels[rows, ..., 0], cache_dir=cache))


def _looked_at(root: Path) -> Callable[[Path], Layout]:
    if any((root / name).is_dir() for name in SPLITS.values()):
        return dice11
    if (root / "train" / "good").is_dir():
        return mvtec
    there = (
        sorted(path.name for path in root.iterdir() if path.is_dir() and not is_hidden(path)) if root.is_dir() else []
    )
    return _named(there or ["."], ())


def _named(normal: Sequence[str], anomalous: Sequence[str]) -> Callable[[Path], Layout]:
    return partial(folder, normal=normal, anomalous=anomalous, test_normal=(), test_anomalous=())
