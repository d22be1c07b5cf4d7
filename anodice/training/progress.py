"""How a training goes on: a line per epoch, and in a terminal a bar below them."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from anodice.app.console import Told, at_terminal
from anodice.data.datamodule import Batch
from anodice.training.throughput import speed_and_memory

log = logging.getLogger(__name__)

_SHOWN = {"val/loss": "val loss", "val/auroc": "AUROC", "val/f1_max": "F1"}
_REFRESH = 0.2
"""Seconds between two looks at the loss: each waits for the device."""


def progress() -> Callback:
    """Lines and a bar in a terminal; lines alone elsewhere, and where jobs run side by side."""
    return Bar() if at_terminal() else EpochLines()


class EpochLines(ProgressBar):
    """A line in the log for each epoch: loss, validation figures, speed and memory; one on its way where it is long."""

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self._told = Told()

    def enable(self) -> None:
        """Lightning's switch for one process among several."""
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if self.enabled and pl_module.automatic_optimization and self._told.is_due():
            log.info("%s: step %d of %d", epoch_of(trainer), batch_idx + 1, trainer.num_training_batches)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int, *_: Any
    ) -> None:
        if self.enabled and trainer.state.fn == "fit" and self._told.is_due():
            log.info("validating: batch %d of %d", batch_idx + 1, sum(trainer.num_val_batches))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit" or not self.enabled:
            return
        shown = [*_figures(trainer, _SHOWN), *_cost(trainer)]
        log.info("%s: %s", epoch_of(trainer) if pl_module.automatic_optimization else "fitted", ", ".join(shown))
        self._told = Told()


class Bar(EpochLines):
    """A bar over the whole training: the epoch, the loss of the last step, the last validation's F1, the time left."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progress | None = None
        self._looked = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.enabled or not pl_module.automatic_optimization:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[shown]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        self._bar = Progress(*columns, transient=True, expand=True, speed_estimate_period=300, console=Console())
        steps = trainer.estimated_stepping_batches
        total = steps if math.isfinite(steps) else None
        self._bar.add_task(epoch_of(trainer), total=total, completed=trainer.global_step, shown="")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if self._bar is None or time.monotonic() - self._looked < _REFRESH:
            return
        self._looked = time.monotonic()
        shown = [*_loss(outputs), *_figures(trainer, {"val/f1_max": "F1"}), *_cost(trainer)]
        self._show(trainer, epoch_of(trainer), shown="  ".join(shown))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._show(trainer, "validating")

    def on_validation_batch_end(self, *given: Any) -> None:
        if self._bar is None:  # as while detectors without steps are trained
            super().on_validation_batch_end(*given)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()

    def _show(self, trainer: pl.Trainer, description: str, **fields: str) -> None:
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, description=description, completed=trainer.global_step, **fields)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def epoch_of(trainer: pl.Trainer) -> str:
    """`epoch 3 of 12`, counted from 1."""
    known = trainer.max_epochs is not None and trainer.max_epochs > 0
    return f"epoch {trainer.current_epoch + 1}" + (f" of {trainer.max_epochs}" if known else "")


def _loss(outputs: Any) -> list[str]:
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return [f"loss {_short(float(loss))}"] if isinstance(loss, torch.Tensor) else []


def _figures(trainer: pl.Trainer, names: dict[str, str]) -> list[str]:
    metrics = trainer.callback_metrics
    return [f"{word} {_short(float(metrics[name]))}" for name, word in names.items() if name in metrics]


def _cost(trainer: pl.Trainer) -> list[str]:
    return [f"{value:.1f} GB" if unit == "GB" else f"{value:.0f} {unit}" for unit, value in speed_and_memory(trainer)]


def _short(value: float) -> str:
    """Up to seven characters that tell enough.

    >>> _short(0.98765), _short(0.00123456), _short(-20110.3)
    ('0.9877', '0.001235', '-20110')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
