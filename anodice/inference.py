"""Loading a detector's weights, calibrating it, and scoring records with it: plain loops, the same in every command."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from anodice.data.datamodule import Batch, DiceDataModule
from anodice.models.detector import Detector
from anodice.runs import readable

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
    log.info("%s: epoch %d, step %d", readable(checkpoint), state["epoch"] + 1, state["global_step"])
