"""Scoring photos with a detector: a plain loop, the same in every command, and one pass for all that is made of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anodice.app.console import counted
from anodice.data.datamodule import Batch, DiceDataModule
from anodice.models.detector import Detector, Scored


@dataclass(frozen=True, eq=False)
class ScoredPhotos:
    """What a detector says of the validation and test photos of a run, N in all.

    Attributes:
        indices: N indices of records, those of validation first.
        scores: (N,) float64, higher is more anomalous.
        classes: (N,) the names of the classes that the photos are taken for; empty where the detector tells none apart.
        maps: (N, H, W) float32 anomaly maps, in a file that goes with the object: photos may be many.
    """

    indices: tuple[int, ...]
    scores: NDArray[np.float64]
    classes: NDArray[np.str_]
    maps: NDArray[np.float32]

    def maps_of(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """The maps (n, H, W) of the records with these indices."""
        row = {index: row for row, index in enumerate(self.indices)}
        return np.asarray(self.maps[[row[i] for i in indices]])


def score_photos(detector: Detector, data: DiceDataModule) -> ScoredPhotos:
    """Score the validation and the test photos, and keep their maps."""
    split = data.photos.split
    indices = (*split.validation, *split.test)
    shape = (len(indices), data.format.frame.height, data.format.frame.width)
    with tempfile.TemporaryFile() as file:  # the memory map holds it open
        maps = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
    parts, start = [], 0
    for part in (split.validation, split.test):
        parts.append(score_records(detector, data, part, maps=maps[start : start + len(part)]))
        start += len(part)
    scores, classes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ScoredPhotos(indices, scores, classes, maps)


@torch.inference_mode()
def score_records(
    detector: Detector,
    data: DiceDataModule,
    indices: Sequence[int],
    *,
    change: Callable[[Batch], Tensor] | None = None,
    maps: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Score the records with these indices, in this order.

    Args:
        change: from a batch to the images that are scored in place of its own.
        maps: (N, H, W), filled with the anomaly maps; None where nobody wants them.

    Returns:
        scores (N,) float64, and the names (N,) of the classes that the detector takes them for, empty where it tells no
        classes apart.
    """
    detector.eval()
    scores, classes, start = [np.zeros(0)], [np.zeros(0, dtype=str)], 0
    batches = data.evaluation_batches(indices, detector.device)
    for batch in counted(batches, -(-len(indices) // data.batch_size), f"scoring {len(indices)} photos"):
        scored = detector(batch["image"] if change is None else change(batch))
        scores.append(scored.scores.cpu().numpy())
        classes.append(class_names(detector, scored))
        if maps is not None:
            maps[start : start + len(scores[-1])] = scored.maps[:, 0].float().cpu().numpy()
            start += len(scores[-1])
    return np.concatenate(scores), np.concatenate(classes)


def class_names(detector: Detector, scored: Scored) -> NDArray[np.str_]:
    """The names (N,) of the classes that the detector takes the images for; empty where it tells no classes apart."""
    if scored.classes is None or detector.classes is None:
        return np.full(len(scored.scores), "")
    return np.array(detector.classes)[scored.classes.cpu().numpy()]
