"""What is said before a training begins, besides what was found in the folder of photos."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch

from anodice.models.detector import Detector


def start_page(detector: Detector, trainer: pl.Trainer, *, folder: Path) -> str:
    """What is about to be trained, how, and where it will lie.

    Args:
        folder: of the run, as people read it.
    """
    threads = torch.get_num_threads()
    device = f"{trainer.strategy.root_device}, {threads} thread{'s' if threads > 1 else ''}"
    lines = {
        "detector": detector.describe(),
        "training": _length(detector, trainer),
        "device": f"{device}, precision {trainer.precision}",
        "run": str(folder),
    }
    return "\n".join(f"{name + ':':10}{what}" for name, what in lines.items())


def _length(detector: Detector, trainer: pl.Trainer) -> str:
    if not detector.automatic_optimization:
        return "one pass over the photos"
    if trainer.max_epochs is None or trainer.max_epochs < 0:
        return "epochs without end; Ctrl-C ends it and keeps its best"
    return f"up to {trainer.max_epochs} epoch{'' if trainer.max_epochs == 1 else 's'}"
