"""Loading a run's detector, calibrating it, and scoring records with it: plain loops, the same in every command."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from torch.utils.data import DataLoader

from anodice import runs
from anodice.data.datamodule import Batch, DiceDataModule
from anodice.errors import AnodiceError
from anodice.metrics.pixel import PixelCounts
from anodice.models.detector import Detector

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batches:
    """The batches of a loader, transformed for evaluation, on the device; can be gone through more than once."""

    data: DiceDataModule
    loader: DataLoader
    device: torch.device

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            batch = {name: value.to(self.device) for name, value in batch.items()}
            yield {**batch, "image": self.data.transform(batch["image"])}


def calibrate(detector: Detector, data: DiceDataModule) -> None:
    """Fit all that the detector does not learn by gradients, to the fit photos and the normals of validation."""
    loaders = (data.fit_loader(), data.calibration_dataloader())
    detector.calibrate(*(Batches(data, loader, detector.device) for loader in loaders))


@torch.inference_mode()
def score_records(detector: Detector, data: DiceDataModule, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Score the records with these indices, in this order.

    Returns:
        scores (N,) float64, and the names (N,) of the classes that the detector takes them for, empty where it tells no
        classes apart.
    """
    detector.eval()
    scores, classes = [np.zeros(0)], [np.zeros(0, dtype=str)]
    for batch in Batches(data, data.evaluation_loader(list(indices)), detector.device):
        scored = detector(batch["image"])
        scores.append(scored.scores.cpu().numpy())
        names = (
            np.full(len(scores[-1]), "") if scored.classes is None else np.array(detector.classes)[scored.classes.cpu()]
        )
        classes.append(names)
    return np.concatenate(scores), np.concatenate(classes)


def load_weights(detector: Detector, checkpoint: Path) -> None:
    """Load the weights and the calibration of a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    detector.load_state_dict(state["state_dict"])
    log.info("%s: epoch %d, step %d", runs.readable(checkpoint), state["epoch"] + 1, state["global_step"])


def load_run(run: Path, root: str | None) -> tuple[Detector, DiceDataModule]:
    """The detector of a finished run with its best weights, where its trainer would put it, and the run's photos.

    Args:
        root: where the photos are now; None where the run found them.

    Raises:
        AnodiceError: the photos are not those of the run.
    """
    config = runs.read_config(run)
    if root is not None:
        config.data.root = root
    data: DiceDataModule = instantiate(config.data)
    expected = json.loads((run / runs.SPLIT).read_text())["digest"]
    if data.photos.split.digest != expected:
        raise AnodiceError(
            f"expected the photos that {run} was trained on (split {expected}), but those in {data.photos.walked.root} "
            f"give the split {data.photos.split.digest}; bring the photos back as they were, or train a new run."
        )
    detector: Detector = instantiate(config.model)
    load_weights(detector, run / runs.BEST)
    return detector.to(_device(config.trainer.accelerator)).eval(), data


def _device(accelerator: str) -> torch.device:
    """Where the trainer of this config would put the detector."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


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
