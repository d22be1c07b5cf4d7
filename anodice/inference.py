"""Scoring records with a detector: one plain loop, the same in training, after training and in evaluate.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from anodice.data.datamodule import DiceDataModule
from anodice.models.detector import Detector


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
