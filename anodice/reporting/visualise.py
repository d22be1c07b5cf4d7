"""Pictures of what a detector makes of photos: panels of a sample, and galleries of its errors and near misses.

All maps have one scale of colours, whatever the detector, the run and the epoch: 0 and 1 are the 0.1 % and the 99.9 %
quantile of the maps of normal validation photos, and twice that is the brightest. Scaled one by one, a normal photo
would glow as brightly as an anomalous one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from anodice.app.console import counted
from anodice.data.datamodule import DiceDataModule
from anodice.data.photos import Photos
from anodice.evaluation.inference import ScoredPhotos, score_records
from anodice.evaluation.score_table import ScoreTable
from anodice.functional.tiles import cut, joined
from anodice.models.detector import Detector
from anodice.reporting.plots.gallery import card, empty_gallery, gallery
from anodice.reporting.plots.latent import latent_space, templates
from anodice.thresholds.threshold import Threshold

SCALE = (0.0, 2.0)
"""The relative map values with the darkest and the brightest colour."""

_SCALED_BY = 16
"""The number of normal validation photos that maps are scaled by."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Photos with what a detector makes of them, N in all.

    Attributes:
        title: what they have in common.
        images: (N, C, H, W) in [0, 1].
        reconstructions: the same shape, or None.
        maps: (N, 1, H, W), relative to those of normal photos.
        masks: of the defects, (H, W) bool each, None where nobody has marked them.
        captions: up to two lines for each.
    """

    title: str
    images: NDArray[np.float32]
    reconstructions: NDArray[np.float32] | None
    maps: NDArray[np.float32]
    masks: list[NDArray[np.bool_] | None]
    captions: list[str]

    def page(self) -> Figure:
        """All of them in one picture."""
        if not self.captions:
            return empty_gallery(self.title)
        return gallery(self.title, self.images, self.reconstructions, self.maps, self.masks, self.captions, scale=SCALE)

    def cards(self, most: int) -> list[Figure]:
        """A small picture of each of the first."""
        reconstructions = [None] * len(self.images) if self.reconstructions is None else self.reconstructions
        rows = zip(self.images, reconstructions, self.maps[:, 0], self.masks, self.captions, strict=True)
        return [card(*row, scale=SCALE) for row in list(rows)[:most]]


def sample(
    detector: Detector, data: DiceDataModule, *, of_each: int, scored: ScoredPhotos | None = None
) -> dict[str, Shown]:
    """`normal` and `anomalous` validation photos, evenly spread over the split: the same at every call.

    Args:
        scored: what the detector says of the photos; None to score the few that are shown.

    Returns:
        only those that there are.
    """
    groups = {"normal": _spread(data.photos, False, of_each), "anomalous": _spread(data.photos, True, of_each)}
    if scored is None:
        scored = _score(detector, data, [*_spread(data.photos, False, _SCALED_BY), *chain(*groups.values())])
    score_of = dict(zip(scored.indices, scored.scores.tolist(), strict=True))
    found = {}
    for name, indices in groups.items():
        records = [data.photos.records[i] for i in indices]
        captions = [f"{r.path}\nscore {score_of[i]:.4g}, {name}" for i, r in zip(indices, records, strict=True)]
        if indices:
            found[name] = _shown(f"{name} validation photos", detector, data, scored, indices, captions)
    return found


def sample_panels(
    detector: Detector, data: DiceDataModule, *, of_each: int, title: str, scored: ScoredPhotos | None = None
) -> dict[str, Figure]:
    """A page of each of `sample`, as `panels_normal` and `panels_anomalous`, under a title."""
    shown = sample(detector, data, of_each=of_each, scored=scored)
    return {f"panels_{name}": replace(s, title=f"{title}\n{s.title}").page() for name, s in shown.items()}


def errors(
    detector: Detector,
    data: DiceDataModule,
    scored: ScoredPhotos,
    table: ScoreTable,
    threshold: Threshold,
    *,
    title: str,
    most: int = 12,
) -> dict[str, Shown]:
    """The images of the clean test that the run's own threshold gets wrong, worst first, and those nearest to it.

    Args:
        scored: what the detector says of the photos.
        table: the scores of the run.
        threshold: the run's own.
        title: of the run.
        most: images in each.

    Returns:
        `misses`, `false_alarms` and `nearest` (half of them from each side of the threshold, the highest above it
        first); the title of one without images says that there are none.
    """
    test = table.clean
    flags, cuts = threshold.flags(test.score, test.predicted), threshold.values(test.score, test.predicted)
    rising = np.argsort(test.score - cuts, kind="stable")
    misses, false_alarms = (rows.tolist() for rows in test.errors(threshold))
    nearest = [
        *[k for k in rising if flags[k]][: most // 2][::-1],
        *[k for k in rising[::-1] if not flags[k]][: most // 2],
    ]
    normals, anomalies = int((~test.label).sum()), int(test.label.sum())
    by = f"at the threshold of {threshold.rule}, fitted on {threshold.fitted_on}"
    which = table.clean_words
    chosen = {
        "false_alarms": (
            false_alarms,
            f"{len(false_alarms)} of {normals} normal images of the {which} falsely flagged",
        ),
        "misses": (misses, f"{len(misses)} of {anomalies} anomalous images of the {which} missed"),
        "nearest": (nearest, f"images of the {which} just above the threshold, falling, then those just below it"),
    }
    index_of = {data.photos.records[i].path: i for i in data.photos.split.test}
    found = {}
    for name, (rows, words) in chosen.items():
        shown = rows[:most]
        order = "" if name == "nearest" else "; worst first" + (f", the first {most}" if len(rows) > most else "")
        captions = [_caption(test, k, cuts[k], flagged=bool(flags[k])) for k in shown]
        indices = [index_of[test.path[k]] for k in shown]
        found[name] = _shown(f"{title}\n{words}\n{by}{order}", detector, data, scored, indices, captions)
    return found


def _shown(
    title: str,
    detector: Detector,
    data: DiceDataModule,
    scored: ScoredPhotos,
    indices: Sequence[int],
    captions: list[str],
) -> Shown:
    photos = data.photos
    if not indices:
        frame = photos.form.frame
        nothing = np.zeros((0, 1, frame.height, frame.width), dtype=np.float32)
        return Shown(title, nothing, None, nothing, [], [])
    low, high = normal_range(scored, photos)
    maps = (scored.maps_of(indices)[:, None] - low) / max(high - low, 1e-12)
    masks = [photos.mask(i) for i in indices]
    return Shown(title, *_look(detector, data, indices), maps, masks, captions)


def normal_range(scored: ScoredPhotos, photos: Photos) -> tuple[float, float]:
    """The 0.1 % and the 99.9 % quantile of maps of normal validation photos."""
    low, high = np.quantile(scored.maps_of(_spread(photos, False, _SCALED_BY)), [0.001, 0.999])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of some validation and test photos, N in all.

    Attributes:
        codes: (N, D) float32.
        images: (N, C, H, W) in [0, 1].
        rows: N rows of the score table.
    """

    codes: NDArray[np.float32]
    images: NDArray[np.float32]
    rows: ScoreTable


@torch.inference_mode()
def codes_of(detector: Detector, data: DiceDataModule, table: ScoreTable, *, most: int = 1500) -> Codes | None:
    """The codes that a detector squeezes photos through; None from one that has none.

    Args:
        table: the scores of the run.
        most: photos, evenly spread.
    """
    indices = (*data.photos.split.validation, *data.photos.split.test)
    chosen = np.linspace(0, len(indices) - 1, min(most, len(indices))).round().astype(int)
    codes, images = [], []
    batches = data.evaluation_batches([indices[k] for k in chosen], detector.device)
    for batch in counted(batches, -(-len(chosen) // data.batch_size), f"looking at the codes of {len(chosen)} photos"):
        found = None if data.tile is not None else detector.codes(batch["image"])
        if found is None:
            return None
        codes.append(_array(found))
        images.append(_array(batch["image"]))
    return Codes(np.concatenate(codes), np.concatenate(images), table.where(chosen))


def detector_figures(detector: Detector, codes: Codes | None, *, title: str) -> dict[str, Figure]:
    """Pictures of what a detector holds, by name: its `latent` space and its `templates`, where it has them."""
    figures = {}
    if codes is not None and len(codes.codes) > 1:
        rows = codes.rows
        words = f"{title}\nthe codes of {len(rows)} validation and test photos, as their two main directions show them"
        figures["latent"] = latent_space(codes.codes, rows.class_name.tolist(), rows.label, title=words)
    pictures = getattr(detector, "templates", None)
    if pictures is not None and detector.classes is not None:
        figures["templates"] = templates(_array(pictures)[:, 0], detector.classes, title=f"{title}\nthe templates")
    return figures


def _score(detector: Detector, data: DiceDataModule, indices: Sequence[int]) -> ScoredPhotos:
    """Score some photos, each once."""
    distinct = tuple(dict.fromkeys(indices))
    frame = data.format.frame
    maps = np.empty((len(distinct), frame.height, frame.width), dtype=np.float32)
    return ScoredPhotos(distinct, *score_records(detector, data, distinct, maps=maps), maps)


def _caption(test: ScoreTable, k: int, cut: float, *, flagged: bool) -> str:
    verdicts = {(True, True): "found", (True, False): "false alarm", (False, True): "missed", (False, False): "passed"}
    words = f"score {test.score[k]:.4g} {'>=' if flagged else '<'} {cut:.4g}"
    truth = "anomalous" if test.label[k] else "normal"
    taken = "" if test.predicted[k] == "" else f"  (taken for {test.predicted[k]})"
    return f"{test.path[k]}{taken}\n{words}, {truth}: {verdicts[flagged, bool(test.label[k])]}"


@torch.inference_mode()
def _look(
    detector: Detector, data: DiceDataModule, indices: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Some images (N, C, H, W), at least one, and their reconstructions, None from a detector that makes none."""
    detector.eval()
    reconstruct = getattr(detector, "reconstruct", None)
    batches = [batch["image"] for batch in data.evaluation_batches(indices, detector.device)]
    images = np.concatenate([_array(batch) for batch in batches])
    if reconstruct is None:
        return images, None
    if data.tile is not None:
        reconstruct = partial(_by_tiles, reconstruct, data.image_size)
    return images, np.concatenate([_array(reconstruct(batch)) for batch in batches])


def _by_tiles(reconstruct: Callable[[Tensor], Tensor], size: int, images: Tensor) -> Tensor:
    return joined(reconstruct(cut(images, size)), *images.shape[2:])


def _spread(photos: Photos, anomalous: bool, count: int) -> list[int]:
    """Indices of `count` validation records, evenly spread over the normals (which are in class order) or anomalies."""
    there = [i for i in photos.split.validation if photos.records[i].anomalous == anomalous]
    places = np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)
    return [there[k] for k in places]


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()
