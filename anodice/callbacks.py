"""What happens around the training: calibration, validation figures, speed, seeds, progress, a tidy stop."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, ProgressBar, TQDMProgressBar

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError, unknown
from anodice.inference import calibrate
from anodice.metrics.sweep import sweep
from anodice.models.detector import Detector

log = logging.getLogger(__name__)

VALIDATION_FIGURES = ("val/auroc", "val/average_precision", "val/f1_max")
"""The figures of `ValidationFigures`; all are better when higher. The losses, `val/loss` and its terms, when lower."""


def check_monitor(callbacks: list[Callback], loss_names: list[str], *, labelled: bool) -> None:
    """Refuse, before the first batch, a callback that watches a figure which will never be logged.

    Raises:
        AnodiceError: an unknown name, the wrong mode, or a figure that needs anomalies where validation has none.
    """
    losses = [f"val/{name}" for name in loss_names]
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor is None:
            continue
        if monitor not in (*losses, *VALIDATION_FIGURES):
            raise unknown(f"figure to monitor for {type(callback).__name__}", monitor, [*losses, *VALIDATION_FIGURES])
        wanted = "max" if monitor in VALIDATION_FIGURES else "min"
        if callback.mode != wanted:
            raise AnodiceError(
                f"expected mode={wanted} to monitor {monitor}, got mode={callback.mode}; set mode={wanted}."
            )
        if monitor in VALIDATION_FIGURES and not labelled:
            raise AnodiceError(
                f"expected anomalous validation photos to monitor {monitor}, got none; monitor val/loss."
            )


class Calibrate(Callback):
    """Fits what is not learned by gradients before each validation, so that each checkpoint has its own."""

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        calibrate(pl_module, trainer.datamodule)


class ValidationFigures(Callback):
    """Logs AUROC, average precision and the highest F1 of the validation images, from all their scores at once."""

    def __init__(self) -> None:
        self._scores: list[torch.Tensor] = []
        self._labels: list[torch.Tensor] = []

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._scores, self._labels = [], []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: int
    ) -> None:
        self._scores.append(outputs["score"].cpu())
        self._labels.append(batch["label"].cpu())

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        labels = torch.cat(self._labels).numpy()
        if trainer.sanity_checking or not labels.any() or labels.all():
            return
        swept = sweep(torch.cat(self._scores).numpy(), labels)
        values = (swept.auroc, swept.average_precision, float(swept.f1[swept.best_f1()]))
        for name, value in zip(VALIDATION_FIGURES, values, strict=True):
            pl_module.log(name, value)


class Throughput(Callback):
    """Measures the training: seconds in all, and images per second of training steps (validation left out).

    Attributes:
        seconds: wall time of the training with its validations; None before it has ended.
        images_per_second: over all training steps so far.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._images, self._stepping = 0, 0.0
        self._last = 0.0
        self._start: float | None = None

    @property
    def images_per_second(self) -> float | None:
        """None before the first step."""
        return self._images / self._stepping if self._stepping > 0 else None

    def state_dict(self) -> dict[str, float]:
        """For the checkpoint: a resumed training counts on."""
        return {"seconds": self._seconds_now(), "images": self._images, "stepping": self._stepping}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.seconds, self._images, self._stepping = (state_dict[name] for name in ("seconds", "images", "stepping"))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self._images += len(batch["index"])
        self._stepping += now - self._last
        self._last = now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = time.perf_counter()
        if self.images_per_second is not None and trainer.logger is not None:
            trainer.logger.log_metrics({"train/images_per_second": self.images_per_second}, step=trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds, self._start = self._seconds_now(), None

    def _seconds_now(self) -> float:
        before = 0.0 if self.seconds is None else self.seconds
        return before if self._start is None else before + time.perf_counter() - self._start


class EpochCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint at the ends of epochs only: not after an interrupted one, which nothing could resume.

    Its `save_on_train_epoch_end` must be false.
    """

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            super().on_validation_end(trainer, pl_module)


class SeedEachEpoch(Callback):
    """Seeds torch anew at each epoch, so that a resumed training draws the same noise as one that was never stopped."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        state = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        torch.manual_seed(int(state.generate_state(1)[0]))


class StopOnInterrupt(Callback):
    """The first Ctrl-C ends the training after the current step; what follows (thresholds, report) still runs.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self._before: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers

        def stop(signum: int, frame: FrameType | None) -> None:
            log.warning(
                "interrupted: stopping after this step, then thresholds and report; press Ctrl-C again to abandon"
            )
            trainer.should_stop = True
            self._restore()

        self._before = signal.signal(signal.SIGINT, stop)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None


class _ProgressBar(TQDMProgressBar):
    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        found = {name: trainer.callback_metrics.get(name) for name in ("val/auroc", "val/f1_max")}
        metrics |= {name: f"{float(value):.4f}" for name, value in found.items() if value is not None}
        speed = _speed(trainer)
        return {**metrics, "images/s": round(speed)} if speed is not None else metrics


class _EpochLines(ProgressBar):
    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def enable(self) -> None:
        """Lightning's switch for one process among several."""
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit" or not self.enabled:
            return
        metrics = trainer.callback_metrics
        shown = [f"{name} {float(metrics[name]):.5g}" for name in ("val/loss", *VALIDATION_FIGURES) if name in metrics]
        speed = _speed(trainer)
        shown += [] if speed is None else [f"{speed:.0f} images/s"]
        log.info("epoch %d of %s: %s", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(shown))


def progress() -> Callback:
    """A bar in a terminal; one line per epoch elsewhere, where a bar would fill the log."""
    return _ProgressBar() if sys.stdout.isatty() else _EpochLines()


def _speed(trainer: pl.Trainer) -> float | None:
    return next((c.images_per_second for c in trainer.callbacks if isinstance(c, Throughput)), None)
