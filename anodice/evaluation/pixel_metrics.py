"""The pixel figures of a run: the maps of the test images against the masks of their defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from anodice.data.datamodule import DiceDataModule
from anodice.evaluation.inference import Batches
from anodice.metrics.pixel import PixelCounts
from anodice.models.detector import Detector

PIXEL_FIGURES = ("auroc", "aupro", "f1_max", "threshold", "fitted_on", "f1_max_oracle", "oracle_threshold", "regions")


def pixel_figures(detector: Detector, data: DiceDataModule) -> dict[str, dict[str, Any]]:
    """How well the maps point at the marked pixels of the test images: `pixels` of each test part of `metrics.json`.

    All pixels of normal images are defect-free; anomalous images without a mask are left out, and counted. `f1_max` is
    the pixel F1 at the threshold with the highest one on the validation images, `f1_max_oracle` the highest one on the
    test images themselves: an upper bound, never a result. A figure that cannot be had is None, with the reason beside.

    Returns:
        `published` and `clean`, each with `PIXEL_FIGURES`, `images_with_masks`, `images_without_masks` and `normals`.
    """
    split = data.photos.split
    if not _marked(data, split.test):
        missing = {"reason": "no anomalous test image has a mask of its defects"}
        return {part: _pixels_of(data, indices) | missing for part, indices in _parts(data).items()}
    fitted = _pixel_counts(detector, data, split.validation, threshold=None)
    threshold = None if fitted is None else fitted.best_f1()[0]
    found: dict[str, dict[str, Any]] = {}
    for part, indices in _parts(data).items():
        if part == "clean" and not split.leaked:
            found[part] = found["published"]
            continue
        found[part] = _pixels_of(data, indices)
        counts = _pixel_counts(detector, data, indices, threshold=threshold)
        if counts is None:
            found[part]["reason"] = "no anomalous test image has a mask of its defects"
            continue
        oracle_threshold, oracle = counts.best_f1()
        found[part] |= {"auroc": counts.auroc, "aupro": counts.aupro(), "regions": counts.regions}
        found[part] |= {"f1_max_oracle": oracle, "oracle_threshold": oracle_threshold}
        if threshold is None:
            found[part]["reason"] = "no validation image has a mask to fit a threshold for pixels to"
            continue
        known = _pixels_of(data, split.validation)
        words = f"validation: {known['normals']} normal, {known['images_with_masks']} with masks"
        found[part] |= {"f1_max": counts.f1, "threshold": threshold, "fitted_on": words}
    return found


def _parts(data: DiceDataModule) -> dict[str, list[int]]:
    split = data.photos.split
    return {"published": list(split.test), "clean": [i for i in split.test if i not in split.leaked]}


def _marked(data: DiceDataModule, indices: Sequence[int]) -> list[int]:
    return [i for i in indices if data.photos.records[i].anomalous and data.photos.records[i].mask is not None]


def _normals(data: DiceDataModule, indices: Sequence[int]) -> list[int]:
    return [i for i in indices if not data.photos.records[i].anomalous]


def _pixels_of(data: DiceDataModule, indices: Sequence[int]) -> dict[str, Any]:
    """The figures yet unknown, and the counts of the images."""
    marked, normals = len(_marked(data, indices)), len(_normals(data, indices))
    counts = {"images_with_masks": marked, "images_without_masks": len(indices) - marked - normals, "normals": normals}
    return {**dict.fromkeys(PIXEL_FIGURES), **counts}


def _pixel_counts(
    detector: Detector, data: DiceDataModule, indices: Sequence[int], *, threshold: float | None
) -> PixelCounts | None:
    """The counts over these images, None where none has a marked pixel; the maps of normals go by in batches."""
    masks = {i: data.photos.mask(i) for i in _marked(data, indices)}
    if not any(mask.any() for mask in masks.values()):
        return None
    maps = np.concatenate(list(_maps(detector, data, list(masks))))
    counts = PixelCounts(maps, np.stack(list(masks.values())), threshold=threshold)
    for normal in _maps(detector, data, _normals(data, indices)):
        counts.add(normal)
    return counts


@torch.inference_mode()
def _maps(detector: Detector, data: DiceDataModule, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """Batches (B, H, W) of anomaly maps."""
    detector.eval()
    for batch in Batches(data, data.evaluation_loader(list(indices)), detector.device):
        yield detector(batch["image"]).maps[:, 0].float().cpu().numpy()
