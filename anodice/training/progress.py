"""How a training goes on: a bar in a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ProgressBar, TQDMProgressBar

from anodice.data.datamodule import Batch
from anodice.training.monitors import VALIDATION_FIGURES
from anodice.training.throughput import speed_and_memory

log = logging.getLogger(__name__)


def progress() -> Callback:
    """A bar in a terminal; one line per epoch elsewhere, where a bar would fill the log."""
    return Bar() if sys.stdout.isatty() else EpochLines()


class Bar(TQDMProgressBar):
    """Lightning's bar with the loss of the last step, the validation figures, the speed and the memory."""

    def __init__(self) -> None:
        super().__init__()
        self._loss: torch.Tensor | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._loss = outputs["loss"] if outputs else None
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        if self._loss is not None:
            metrics["loss"] = f"{float(self._loss):.4g}"
        found = {name: trainer.callback_metrics.get(name) for name in ("val/auroc", "val/f1_max")}
        metrics |= {name: f"{float(value):.4f}" for name, value in found.items() if value is not None}
        return metrics | speed_and_memory(trainer)


class EpochLines(ProgressBar):
    """A line in the log for each epoch: losses, validation figures, speed and memory."""

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def enable(self) -> None:
        """Lightning's switch for one process among several."""
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit" or not self.enabled:
            return
        metrics = trainer.callback_metrics
        shown = [f"{name} {float(metrics[name]):.5g}" for name in ("val/loss", *VALIDATION_FIGURES) if name in metrics]
        shown += [f"{value} {unit}" for unit, value in speed_and_memory(trainer).items()]
        epochs = f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        log.info("%s: %s", epochs if pl_module.automatic_optimization else "fitted", ", ".join(shown))
