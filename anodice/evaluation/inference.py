"""Loading a run's detector, calibrating it, and scoring records with it: plain loops, the same in every command."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from torch import Tensor
from torch.utils.data import DataLoader

from anodice.app import run_folder
from anodice.data.datamodule import Batch, DiceDataModule
from anodice.errors import AnodiceError
from anodice.models.detector import Detector, Scored

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
def score_records(
    detector: Detector,
    data: DiceDataModule,
    indices: Sequence[int],
    *,
    change: Callable[[Batch], Tensor] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Score the records with these indices, in this order.

    Args:
        change: from a batch to the images that are scored in place of its own.

    Returns:
        scores (N,) float64, and the names (N,) of the classes that the detector takes them for, empty where it tells no
        classes apart.
    """
    detector.eval()
    scores, classes = [np.zeros(0)], [np.zeros(0, dtype=str)]
    for batch in Batches(data, data.evaluation_loader(list(indices)), detector.device):
        scored = detector(batch["image"] if change is None else change(batch))
        scores.append(scored.scores.cpu().numpy())
        classes.append(class_names(detector, scored))
    return np.concatenate(scores), np.concatenate(classes)


def class_names(detector: Detector, scored: Scored) -> np.ndarray:
    """The names (N,) of the classes that the detector takes the images for; empty where it tells no classes apart."""
    if scored.classes is None:
        return np.full(len(scored.scores), "")
    return np.array(detector.classes)[scored.classes.cpu().numpy()]


def load_weights(detector: Detector, checkpoint: Path) -> None:
    """Load the weights and the calibration of a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    detector.load_state_dict(state["state_dict"])
    log.info("%s: epoch %d, step %d", run_folder.readable(checkpoint), state["epoch"] + 1, state["global_step"])


def save_weights(detector: Detector, checkpoint: Path) -> None:
    """Put the detector's weights and calibration into a checkpoint in place of its own; the rest of it stays."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state["state_dict"] = detector.state_dict()
    new = checkpoint.with_suffix(".new")
    torch.save(state, new)
    new.replace(checkpoint)


def load_run(run: Path, root: str | None) -> tuple[Detector, DiceDataModule]:
    """The detector of a finished run with its best weights, where its trainer would put it, and the run's photos.

    Args:
        root: where the photos are now; None where the run found them.

    Raises:
        AnodiceError: the photos are not those of the run.
    """
    config = run_folder.read_config(run)
    if root is not None:
        config.data.root = root
    config.data.augmentation = None  # for training only
    data: DiceDataModule = instantiate(config.data)
    expected = json.loads((run / run_folder.SPLIT).read_text())["digest"]
    if data.photos.split.digest != expected:
        raise AnodiceError(
            f"expected the photos that {run} was trained on (split {expected}), but those in {data.photos.walked.root} "
            f"give the split {data.photos.split.digest}; bring the photos back as they were, or train a new run."
        )
    detector: Detector = instantiate(config.model)
    load_weights(detector, run / run_folder.BEST)
    detector.to(_device(config.trainer.accelerator)).eval()
    if not detector.has_learned:  # the training was killed before its end
        calibrate(detector, data)
    return detector, data


def _device(accelerator: str) -> torch.device:
    """Where the trainer of this config would put the detector."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
