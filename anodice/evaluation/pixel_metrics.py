"""The pixel figures of a run: the maps of the test images against the masks of their defects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anodice.data.photos import Photos
from anodice.evaluation.inference import ScoredPhotos
from anodice.metrics.pixel import PixelCounts

PIXEL_FIGURES = ("auroc", "aupro", "f1_max", "threshold", "fitted_on", "f1_max_oracle", "oracle_threshold", "regions")

_CHUNK = 64
"""Maps of normal images that are counted at a time."""
_NO_MASK = "no anomalous test image has a mask of its defects"


def pixel_figures(
    scored: ScoredPhotos, photos: Photos, *, near_leaked: Collection[int] | None = None
) -> dict[str, dict[str, Any]]:
    """How well the maps point at the marked pixels of the test images: `pixels` of each test part of `metrics.json`.

    All pixels of normal images are defect-free; anomalous images without a mask are left out, and counted. `f1_max` is
    the pixel F1 at the threshold with the highest one on the validation images, `f1_max_oracle` the highest one on the
    test images themselves: an upper bound, never a result. A figure that cannot be had is None, with the reason beside.

    Args:
        near_leaked: the test photos that `distinct` leaves out beside the leaked ones; None for no such part.

    Returns:
        `published`, `clean` and perhaps `distinct`, each with `PIXEL_FIGURES`, `images_with_masks`,
        `images_without_masks` and `normals`.
    """
    split = photos.split
    parts = {"published": list(split.test), "clean": [i for i in split.test if i not in split.leaked]}
    if near_leaked is not None:
        parts["distinct"] = [i for i in parts["clean"] if i not in near_leaked]
    if not _marked(photos, split.test):
        return {part: _unknown(photos, indices) | {"reason": _NO_MASK} for part, indices in parts.items()}
    fitted = _count(scored, photos, split.validation, threshold=None)
    threshold = None if fitted is None else fitted.best_f1()[0]
    found: dict[str, dict[str, Any]] = {}
    for part, indices in parts.items():
        same = next((name for name in found if parts[name] == indices), None)
        if same is not None:
            found[part] = found[same]
            continue
        found[part] = _unknown(photos, indices)
        counts = _count(scored, photos, indices, threshold=threshold)
        if counts is None:
            found[part]["reason"] = _NO_MASK
            continue
        oracle_threshold, oracle = counts.best_f1()
        found[part] |= {"auroc": counts.auroc, "aupro": counts.aupro(), "regions": counts.regions}
        found[part] |= {"f1_max_oracle": oracle, "oracle_threshold": oracle_threshold}
        if threshold is None:
            found[part]["reason"] = "no validation image has a mask to fit a threshold for pixels to"
            continue
        known = _unknown(photos, split.validation)
        words = f"validation: {known['normals']} normal, {known['images_with_masks']} with masks"
        found[part] |= {"f1_max": counts.f1, "threshold": threshold, "fitted_on": words}
    return found


def _marked(photos: Photos, indices: Sequence[int]) -> list[int]:
    return [i for i in indices if photos.records[i].anomalous and photos.records[i].mask is not None]


def _normals(photos: Photos, indices: Sequence[int]) -> list[int]:
    return [i for i in indices if not photos.records[i].anomalous]


def _unknown(photos: Photos, indices: Sequence[int]) -> dict[str, Any]:
    """The figures yet unknown, and the counts of the images."""
    marked, normals = len(_marked(photos, indices)), len(_normals(photos, indices))
    counts = {"images_with_masks": marked, "images_without_masks": len(indices) - marked - normals, "normals": normals}
    return {**dict.fromkeys(PIXEL_FIGURES), **counts}


def _count(
    scored: ScoredPhotos, photos: Photos, indices: Sequence[int], *, threshold: float | None
) -> PixelCounts | None:
    """The counts over these images, None where none has a marked pixel."""
    masks = {i: mask for i in _marked(photos, indices) if (mask := photos.mask(i)) is not None}
    if not any(mask.any() for mask in masks.values()):
        return None
    counts = PixelCounts(scored.maps_of(list(masks)), np.stack(list(masks.values())), threshold=threshold)
    for maps in _chunks(scored, _normals(photos, indices)):
        counts.add(maps)
    return counts


def _chunks(scored: ScoredPhotos, indices: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(indices), _CHUNK):
        yield scored.maps_of(indices[start : start + _CHUNK])
