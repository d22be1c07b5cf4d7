"""How small and how faint a defect may be and still be found.

Marks of graded size and contrast are painted onto held-out normal photos, and the share of them that a run flags at its
own threshold is measured. Nobody has to collect defects for that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from anodice.augmentation.graded_defects import GRADED_DEFECTS, coverage, find_place, paint
from anodice.data.datamodule import DiceDataModule
from anodice.evaluation.inference import class_names
from anodice.metrics.detection_limit import Limit, limit
from anodice.models.detector import Detector
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)

FEWEST = 5
"""Photos, below which nothing is told."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Whether the run flags each painted photo.

    Attributes:
        kind: key of `GRADED_DEFECTS`.
        sizes: (S,) in pixels.
        contrasts: (C,) in grey levels.
        found: (P, C, S), 1 for flagged, 0 for passed, NaN where the grey levels leave no room for the contrast.
    """

    kind: str
    sizes: NDArray[np.float64]
    contrasts: NDArray[np.float64]
    found: NDArray[np.float64]

    def photos(self, contrast: int) -> int:
        """The number of photos on which the contrast of this index could be painted."""
        return int(np.isfinite(self.found[:, contrast, 0]).sum())

    def recall(self) -> NDArray[np.float64]:
        """(C, S), NaN where it could be painted on fewer than 5 photos."""
        enough = [self.photos(c) >= FEWEST for c in range(len(self.contrasts))]
        shares = np.full(self.found.shape[1:], np.nan)
        shares[enough] = np.nanmean(self.found[:, enough], axis=0)
        return shares

    def limits(self, level: float, *, seed: int) -> list[Limit | None]:
        """The smallest size for each contrast; None where it could be painted on fewer than 5 photos."""
        rows = (self.found[:, c] for c in range(len(self.contrasts)))
        painted = [row[np.isfinite(row[:, 0])] for row in rows]
        return [limit(row, self.sizes, level, seed=seed) if len(row) >= FEWEST else None for row in painted]


def held_out(data: DiceDataModule, count: int) -> list[int]:
    """Up to `count` distinct normal test photos, evenly spread, that are no copies of training photos."""
    records, split = data.photos.records, data.photos.split
    normals = [i for i in split.test if not records[i].anomalous and i not in split.leaked]
    distinct = list({records[i].content: i for i in normals}.values())
    places = np.linspace(0, len(distinct) - 1, min(count, len(distinct))).round().astype(int)
    return [distinct[k] for k in places]


def measure_detection(
    detector: Detector, data: DiceDataModule, threshold: Threshold, photos: Sequence[NDArray[np.uint8]], *, seed: int
) -> list[Measured]:
    """Paint every kind in every size and contrast on each photo (H, W, C), and see what is flagged.

    All defects of a kind lie at one place of a photo; the places depend on the seed and the photo's number.
    """
    scale = data.image_size / 128
    measured = []
    for number, (name, kind) in enumerate(GRADED_DEFECTS.items()):
        sizes, contrasts = np.array(kind.sizes) * scale, np.array(kind.contrasts)
        width = None if kind.width is None else kind.width * scale
        found = np.full((len(photos), len(contrasts), len(sizes)), np.nan)
        for row, photo in enumerate(photos):
            place = find_place(photo, float(sizes[-1]), np.random.default_rng([seed, number, row]))
            levels = place.level + kind.sign * contrasts
            room = np.flatnonzero((levels >= 0) & (levels <= 255))
            covers = [coverage(place, float(size), width, data.image_size) for size in sizes]
            painted = [paint(photo, covered, kind.sign * contrasts[c]) for c in room for covered in covers]
            if painted:
                found[row, room] = flags(detector, data, threshold, painted).reshape(len(room), len(sizes))
        measured.append(Measured(name, sizes, contrasts, found))
        log.info("%s: painted on %d photos", kind.what, len(photos))
    return measured


@torch.inference_mode()
def flags(
    detector: Detector, data: DiceDataModule, threshold: Threshold, photos: Sequence[NDArray[np.uint8]]
) -> NDArray[np.bool_]:
    verdicts = []
    for start in range(0, len(photos), data.batch_size):
        batch = torch.from_numpy(np.stack(photos[start : start + data.batch_size])).to(detector.device)
        scored = detector(data.transform(batch))
        verdicts.append(threshold.flags(scored.scores.cpu().numpy(), class_names(detector, scored)))
    return np.concatenate(verdicts)
