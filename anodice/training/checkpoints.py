"""Checkpoints: when they are written, what is in them, and the best one's weights at the end of a training."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from anodice.app.files import check, replacing
from anodice.app.run_folder import BEST, LAST
from anodice.errors import AnodiceError
from anodice.models.detector import Detector
from anodice.models.loading import check_alike, load_weights, read_checkpoint

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
        trainer.save_checkpoint(
            checkpoint.best_model_path, weights_only=True
        )  # nothing could go on from within an epoch


def _first(trainer: pl.Trainer) -> ModelCheckpoint | None:
    return next((c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)), None)


def resume_point(run: Path, detector: Detector) -> Path | None:
    """The checkpoint that a cut training goes on from; None where it was cut before its first one.

    That is `last.ckpt`, or, where it is damaged or was not written, `best.ckpt`.

    Raises:
        AnodiceError: both are damaged, or of another detector than the config's.
    """
    problems: list[str] = []
    for name in (LAST, BEST):
        if not (run / name).is_file():
            continue
        try:
            path = check(run, name)
            state = read_checkpoint(path)
        except AnodiceError as error:
            problems.append(str(error))
            continue
        if "optimizer_states" not in state:  # the weights of an epoch that was cut short
            continue
        check_alike(detector, state, path)
        if name == BEST:
            why = problems[0] if problems else f"{LAST} was not written"
            log.warning("going on from %s, at the end of epoch %d: %s", BEST, state["epoch"] + 1, why)
        return path
    if problems:
        raise AnodiceError(problems[0])
    return None


class FittedCheckpoint(Callback):
    """Writes `checkpoints/best.ckpt` and `last.ckpt`, the same, once a detector without training steps is fitted.

    Lightning's ModelCheckpoint writes nothing where no step was taken.
    """

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        for name in ("best", "last"):
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / f"{name}.ckpt")


def save_weights(detector: Detector, checkpoint: Path) -> None:
    """Put what the detector holds into a checkpoint in place of its own; the rest of it stays."""
    state = read_checkpoint(checkpoint)
    state["state_dict"] = detector.state_dict()
    WholeFiles().save_checkpoint(state, checkpoint)


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them.

    Lightning's own are written to the folder for temporary files, and copied where that is another file system: a kill
    or a full disk would leave half a file.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        if storage_options is not None:
            raise TypeError(f"expected no storage_options for a file, got {storage_options}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()  # torch's own writer tells a full disk as an error within itself
        torch.save(checkpoint, content)
        with replacing(Path(path)) as beside:
            beside.write_bytes(content.getbuffer())
