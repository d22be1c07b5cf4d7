"""Checkpoints: when they are written, what is in them, and the best one's weights at the end of a training."""

from __future__ import annotations

import logging
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, ModelCheckpoint

from anodice.models.detector import Detector
from anodice.models.loading import load_weights

log = logging.getLogger(__name__)


class EpochCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint at the ends of epochs only: not after an interrupted one, which nothing could resume.

    By default its files lie in `checkpoints/` of the trainer's folder, whatever loggers there are. Its
    `save_on_train_epoch_end` must be false.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.dirpath is None:  # Lightning would ask the first logger
            self.dirpath = str(Path(trainer.default_root_dir) / "checkpoints")
        super().setup(trainer, pl_module, stage)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_last_batch:
            super().on_validation_end(trainer, pl_module)


class BestWeights(Checkpoint):
    """Puts the weights of the trainer's first ModelCheckpoint into the detector when the training ends.

    As a Checkpoint it comes after all other callbacks: none of them changes the weights any more.

    What the detector then fits to its photos goes into that checkpoint as well. Where a training ended before there was
    one, the weights as they are become the best.
    """

    def __init__(self) -> None:
        self._was_fitted = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        checkpoint = _first(trainer)
        if checkpoint is None:
            return
        best = Path(checkpoint.best_model_path)
        if best.is_file():
            load_weights(pl_module, best)
        else:
            log.warning("the training ended within its first epoch; its weights are kept as they are")
        self._was_fitted = pl_module.is_fitted and best.is_file()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        checkpoint = _first(trainer)
        if checkpoint is None:
            return
        if Path(checkpoint.best_model_path).is_file():
            if not self._was_fitted:
                save_weights(pl_module, Path(checkpoint.best_model_path))
            return
        checkpoint.best_model_path = str(Path(checkpoint.dirpath) / f"{checkpoint.filename}{checkpoint.FILE_EXTENSION}")
        trainer.save_checkpoint(checkpoint.best_model_path)


def _first(trainer: pl.Trainer) -> ModelCheckpoint | None:
    return next((c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)), None)


class FittedCheckpoint(Callback):
    """Writes `checkpoints/best.ckpt` and `last.ckpt`, the same, once a detector without training steps is fitted.

    Lightning's ModelCheckpoint writes nothing where no step was taken.
    """

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        for name in ("best", "last"):
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / f"{name}.ckpt")


def save_weights(detector: Detector, checkpoint: Path) -> None:
    """Put what the detector holds into a checkpoint in place of its own; the rest of it stays."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state["state_dict"] = detector.state_dict()
    new = checkpoint.with_suffix(".new")
    torch.save(state, new)
    new.replace(checkpoint)
