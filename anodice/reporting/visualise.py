"""Pictures of what a detector makes of photos: panels of a sample, and a gallery of its errors and near misses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from anodice.data.datamodule import DiceDataModule
from anodice.evaluation.inference import Batches
from anodice.evaluation.score_table import ScoreTable
from anodice.models.detector import Detector
from anodice.reporting.plots.gallery import empty_gallery, gallery
from anodice.reporting.plots.panels import panels
from anodice.thresholds.threshold import Threshold

_SCALED_BY = 16
"""The number of normal validation photos that the colours of the maps are scaled by."""


def sample_panels(detector: Detector, data: DiceDataModule, *, of_each: int) -> dict[str, Figure]:
    """Panels of normal and of anomalous validation photos, evenly spread over the split: the same at every call."""
    groups = {"panels_normal": _spread(data, False, of_each), "panels_anomalous": _spread(data, True, of_each)}
    scale = _scale(detector, data)
    figures = {}
    for name, indices in groups.items():
        if indices:
            seen = _look(detector, data, indices)
            records = [data.photos.records[i] for i in indices]
            captions = [f"{r.class_name}  {s:.3g}" for r, s in zip(records, seen.scores.tolist(), strict=True)]
            figures[name] = panels(*seen[:3], captions, scale=scale, masks=_masks(data, indices))
    return figures


def error_gallery(
    detector: Detector, data: DiceDataModule, table: ScoreTable, threshold: Threshold, *, most: int = 12
) -> dict[str, Figure]:
    """The test images that the run's own threshold gets wrong, worst first, and those that lie nearest to it.

    Args:
        table: the scores of the run.
        threshold: the run's own.
        most: images in each figure.

    Returns:
        `gallery_misses`, `gallery_false_alarms` and `gallery_nearest` (half of them from each side of the threshold,
        the highest above it first); a figure without images says that there are none.
    """
    test = table.published
    flags, cuts = threshold.flags(test.score, test.predicted), _cuts(threshold, test.predicted)
    above = test.score - cuts
    rising = np.argsort(above, kind="stable")
    misses = [k for k in rising if test.label[k] and not flags[k]]
    false_alarms = [k for k in rising[::-1] if flags[k] and not test.label[k]]
    nearest = [
        *[k for k in rising if flags[k]][: most // 2][::-1],
        *[k for k in rising[::-1] if not flags[k]][: most // 2],
    ]
    normals, anomalies = int((~test.label).sum()), int(test.label.sum())
    by = f"at the threshold of {threshold.rule}, fitted on {threshold.fitted_on}"
    chosen = {
        "gallery_misses": (misses, f"{len(misses)} of {anomalies} anomalous test images missed {by}", "worst first"),
        "gallery_false_alarms": (
            false_alarms,
            f"{len(false_alarms)} of {normals} normal test images falsely flagged {by}",
            "worst first",
        ),
        "gallery_nearest": (
            nearest,
            f"nearest calls {by}",
            "the test images just above it, falling, then those just below it",
        ),
    }
    index_of = {data.photos.records[i].path: i for i in data.photos.split.test}
    scale = _scale(detector, data)
    figures = {}
    for name, (rows, title, order) in chosen.items():
        if not rows:
            figures[name] = empty_gallery(title)
            continue
        shown = rows[:most]
        indices = [index_of[test.path[k]] for k in shown]
        captions = [_caption(test, k, cuts[k], flagged=bool(flags[k])) for k in shown]
        seen = _look(detector, data, indices)
        words = f"{title}\n{order}" + (f"; the first {most}" if len(rows) > most else "")
        figures[name] = gallery(words, *seen[:3], _masks(data, indices), captions, scale=scale)
    return figures


def _cuts(threshold: Threshold, predicted: np.ndarray) -> np.ndarray:
    """The threshold that holds for each image (N,)."""
    by_class = threshold.by_class or {}
    return np.array([by_class.get(name, threshold.value) for name in predicted.tolist()])


def _caption(test: ScoreTable, k: int, cut: float, *, flagged: bool) -> str:
    verdicts = {(True, True): "found", (True, False): "false alarm", (False, True): "missed", (False, False): "passed"}
    words = f"score {test.score[k]:.4g} {'>=' if flagged else '<'} threshold {cut:.4g}"
    truth = "anomalous" if test.label[k] else "normal"
    taken = "" if test.predicted[k] == "" else f"  (taken for {test.predicted[k]})"
    leaked = "  (copy of a training photo)" if test.leaked[k] else ""
    return f"{test.path[k]}{taken}{leaked}\n{words}, {truth}: {verdicts[flagged, bool(test.label[k])]}"


class _Seen(NamedTuple):
    """Images (N, C, H, W), their reconstructions or None, their maps (N, 1, H, W) and scores (N,)."""

    images: np.ndarray
    reconstructions: np.ndarray | None
    maps: np.ndarray
    scores: np.ndarray


@torch.inference_mode()
def _look(detector: Detector, data: DiceDataModule, indices: Sequence[int]) -> _Seen:
    """What the detector makes of the photos with these indices, at least one."""
    detector.eval()
    reconstruct = getattr(detector, "reconstruct", None)
    columns: list[list[np.ndarray]] = [[], [], [], []]
    for batch in Batches(data, data.evaluation_loader(list(indices)), detector.device):
        images = batch["image"]
        scored = detector(images)
        drawn = images[:0] if reconstruct is None else reconstruct(images)
        for column, values in zip(columns, (images, drawn, scored.maps, scored.scores), strict=True):
            column.append(_array(values))
    images, drawn, maps, scores = (np.concatenate(column) for column in columns)
    return _Seen(images, None if reconstruct is None else drawn, maps, scores)


def _scale(detector: Detector, data: DiceDataModule) -> tuple[float, float]:
    """One colour scale for all maps of a detector.

    From the 0.1 % to the 99.9 % quantile of normal maps, doubled upwards: scaled one by one, a normal image would glow
    as brightly as an anomalous one.
    """
    maps = _look(detector, data, _spread(data, False, _SCALED_BY)).maps
    low, high = np.quantile(maps, [0.001, 0.999])
    return float(low), float(high + (high - low))


def _spread(data: DiceDataModule, anomalous: bool, count: int) -> list[int]:
    """Indices of `count` validation records, evenly spread over the normals (which are in class order) or anomalies."""
    records = data.photos.records
    there = [i for i in data.photos.split.validation if records[i].anomalous == anomalous]
    places = np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)
    return [there[k] for k in places]


def _masks(data: DiceDataModule, indices: Sequence[int]) -> list[np.ndarray | None]:
    return [data.photos.mask(i) for i in indices]


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
