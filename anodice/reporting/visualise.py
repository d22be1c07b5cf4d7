"""Pictures of what a detector makes of photos: panels of a sample, and a gallery of its errors and near misses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from anodice.data.datamodule import DiceDataModule
from anodice.data.photos import Photos
from anodice.evaluation.inference import ScoredPhotos, score_records
from anodice.evaluation.score_table import ScoreTable
from anodice.models.detector import Detector
from anodice.reporting.plots.gallery import empty_gallery, gallery
from anodice.reporting.plots.panels import panels
from anodice.thresholds.threshold import Threshold

_SCALED_BY = 16
"""The number of normal validation photos that the colours of the maps are scaled by."""


def sample_panels(
    detector: Detector, data: DiceDataModule, *, of_each: int, scored: ScoredPhotos | None = None
) -> dict[str, Figure]:
    """Panels of normal and of anomalous validation photos, evenly spread over the split: the same at every call.

    Args:
        scored: what the detector says of the photos; None to score the few that are shown.
    """
    groups = {"panels_normal": _spread(data.photos, False, of_each)}
    groups["panels_anomalous"] = _spread(data.photos, True, of_each)
    if scored is None:
        shown = chain.from_iterable(groups.values())
        scored = _score(detector, data, [*_spread(data.photos, False, _SCALED_BY), *shown])
    scale = colour_scale(scored, data.photos)
    score_of = dict(zip(scored.indices, scored.scores.tolist(), strict=True))
    figures = {}
    for name, indices in groups.items():
        if indices:
            captions = [f"{data.photos.records[i].class_name}  {score_of[i]:.3g}" for i in indices]
            shown = (*_look(detector, data, indices), scored.maps_of(indices)[:, None])
            figures[name] = panels(*shown, captions, scale=scale, masks=_masks(data.photos, indices))
    return figures


def error_gallery(
    detector: Detector,
    data: DiceDataModule,
    scored: ScoredPhotos,
    table: ScoreTable,
    threshold: Threshold,
    *,
    most: int = 12,
) -> dict[str, Figure]:
    """The test images that the run's own threshold gets wrong, worst first, and those that lie nearest to it.

    Args:
        scored: what the detector says of the photos.
        table: the scores of the run.
        threshold: the run's own.
        most: images in each figure.

    Returns:
        `gallery_misses`, `gallery_false_alarms` and `gallery_nearest` (half of them from each side of the threshold,
        the highest above it first); a figure without images says that there are none.
    """
    test = table.published
    flags, cuts = threshold.flags(test.score, test.predicted), _cuts(threshold, test.predicted)
    rising = np.argsort(test.score - cuts, kind="stable")
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
    scale = colour_scale(scored, data.photos)
    figures = {}
    for name, (rows, title, order) in chosen.items():
        if not rows:
            figures[name] = empty_gallery(title)
            continue
        shown = rows[:most]
        indices = [index_of[test.path[k]] for k in shown]
        captions = [_caption(test, k, cuts[k], flagged=bool(flags[k])) for k in shown]
        words = f"{title}\n{order}" + (f"; the first {most}" if len(rows) > most else "")
        images, reconstructions = _look(detector, data, indices)
        maps, masks = scored.maps_of(indices)[:, None], _masks(data.photos, indices)
        figures[name] = gallery(words, images, reconstructions, maps, masks, captions, scale=scale)
    return figures


def colour_scale(scored: ScoredPhotos, photos: Photos) -> tuple[float, float]:
    """One colour scale for all maps of a detector.

    From the 0.1 % to the 99.9 % quantile of normal maps, doubled upwards: scaled one by one, a normal image would glow
    as brightly as an anomalous one.
    """
    low, high = np.quantile(scored.maps_of(_spread(photos, False, _SCALED_BY)), [0.001, 0.999])
    return float(low), float(high + (high - low))


def _score(detector: Detector, data: DiceDataModule, indices: Sequence[int]) -> ScoredPhotos:
    """Score some photos, each once."""
    distinct = tuple(dict.fromkeys(indices))
    maps = np.empty((len(distinct), data.image_size, data.image_size), dtype=np.float32)
    return ScoredPhotos(distinct, *score_records(detector, data, distinct, maps=maps), maps)


def _cuts(threshold: Threshold, predicted: NDArray[np.str_]) -> NDArray[np.float64]:
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


@torch.inference_mode()
def _look(
    detector: Detector, data: DiceDataModule, indices: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Some images (N, C, H, W), at least one, and their reconstructions, None from a detector that makes none."""
    detector.eval()
    reconstruct = getattr(detector, "reconstruct", None)
    batches = [batch["image"] for batch in data.evaluation_batches(indices, detector.device)]
    images = np.concatenate([_array(batch) for batch in batches])
    return images, None if reconstruct is None else np.concatenate([_array(reconstruct(batch)) for batch in batches])


def _spread(photos: Photos, anomalous: bool, count: int) -> list[int]:
    """Indices of `count` validation records, evenly spread over the normals (which are in class order) or anomalies."""
    there = [i for i in photos.split.validation if photos.records[i].anomalous == anomalous]
    places = np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)
    return [there[k] for k in places]


def _masks(photos: Photos, indices: Sequence[int]) -> list[NDArray[np.bool_] | None]:
    return [photos.mask(i) for i in indices]


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()
