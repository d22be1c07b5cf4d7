"""Loading a detector's weights and scoring records with it: one plain loop, the same in every command."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from anodice.data.datamodule import DiceDataModule
from anodice.models.detector import Detector
from anodice.runs import readable

log = logging.getLogger(__name__)


def image_batches(data: DiceDataModule, loader: DataLoader, device: torch.device) -> Iterator[Tensor]:
    """The images of a loader, transformed for evaluation: (B, C, H, W) float32 in [0, 1] on the device."""
    for batch in loader:
        yield data.transform(batch["image"].to(device))


@torch.inference_mode()
def score_records(detector: Detector, data: DiceDataModule, indices: Sequence[int]) -> np.ndarray:
    """Scores (N,) float64 of the records with these indices, in this order."""
    detector.eval()
    loader = data.evaluation_loader(list(indices))
    scores = [detector(images)[1].cpu() for images in image_batches(data, loader, detector.device)]
    return torch.cat(scores).numpy() if scores else np.zeros(0)


def load_weights(detector: Detector, checkpoint: Path) -> None:
    """Load the weights and the calibration of a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    detector.load_state_dict(state["state_dict"])
    log.info("%s: epoch %d, step %d", readable(checkpoint), state["epoch"] + 1, state["global_step"])
