"""Loading a finished run: its detector and its photos, from the run folder alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from anodice.app import run_folder
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.models.detector import Detector
from anodice.training.checkpoints import load_weights


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
    if not detector.is_fitted:  # the training was killed before its end
        detector.fit(data.fit_batches(detector.device), data.held_out_batches(detector.device))
    return detector, data


def about(config: DictConfig, detector: Detector) -> dict[str, Any]:
    """What `metrics.json` starts with: what was trained, on what, and its size."""
    return {
        "model": config.name.model,
        "data": config.name.data,
        "split": config.name.get("split", "published"),
        "seed": config.seed,
        "parameters": sum(p.numel() for p in detector.parameters()),
    }


def _device(accelerator: str) -> torch.device:
    """Where the trainer of this config would put the detector."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
