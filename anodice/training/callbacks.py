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

from anodice.app.process import peak_memory_megabytes
from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.inference import calibrate
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
    """Fits what is not learned by gradients before each validation, so that each checkpoint has its own.

    A detector that `learns_once` is left alone.
    """

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        if not pl_module.learns_once:
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
    """Measures the training: its seconds, its images per second, how long the first step took to come, and its memory.

    Attributes:
        begun: when the job began, on the clock of `time.perf_counter`; from the making of the callback on, unless set.
        seconds: wall time of the training with its validations; None before it has ended.
        images_per_second: over all training steps so far, without the validations.
    """

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.seconds: float | None = None
        self._images, self._stepping = 0, 0.0
        self._last = 0.0
        self._start: float | None = None
        self._to_first_step: float | None = None
        self._peaks: dict[str, float | None] = {}

    @property
    def images_per_second(self) -> float | None:
        """None before the first step."""
        return self._images / self._stepping if self._stepping > 0 else None

    def figures(self, device: torch.device) -> dict[str, float | None]:
        """What `metrics.json` tells of the training on this device: all of `reports.MEASURED` but the last."""
        return {
            "fit_seconds": self.seconds,
            "fit_images_per_second": self.images_per_second,
            "seconds_to_first_step": self._to_first_step,
            **self._peaks_now(device),
        }

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint: a resumed training counts on."""
        return {
            "seconds": self._seconds_now(),
            "images": self._images,
            "stepping": self._stepping,
            "to_first_step": self._to_first_step,
            "peaks": self._peaks,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds, self._images, self._stepping = (state_dict[name] for name in ("seconds", "images", "stepping"))
        # Checkpoints from before these were measured have none.
        self._to_first_step, self._peaks = state_dict.get("to_first_step"), state_dict.get("peaks", {})

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)  # an earlier job of the process may have held more

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if self._images == 0:
            self._to_first_step = now - self.begun
        self._images += len(batch["index"])
        self._stepping += now - self._last
        self._last = now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = time.perf_counter()
        self._peaks = self._peaks_now(pl_module.device)
        if self.images_per_second is not None and trainer.logger is not None:
            trainer.logger.log_metrics({"train/images_per_second": self.images_per_second}, step=trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds, self._start = self._seconds_now(), None

    def _seconds_now(self) -> float:
        before = 0.0 if self.seconds is None else self.seconds
        return before if self._start is None else before + time.perf_counter() - self._start

    def _peaks_now(self, device: torch.device) -> dict[str, float | None]:
        """The peaks so far, those from before the training was resumed among them."""
        return {name: _highest(peak, self._peaks.get(name)) for name, peak in peak_memory(device).items()}


def peak_memory(device: torch.device) -> dict[str, float | None]:
    """The most memory held so far, in 10^6 bytes, by the process and by torch on the GPU; None for what is lacking."""
    on_gpu = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    return {"peak_memory_megabytes": peak_memory_megabytes(), "peak_gpu_memory_megabytes": on_gpu}


def _highest(*peaks: float | None) -> float | None:
    return max((peak for peak in peaks if peak is not None), default=None)


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
    def __init__(self) -> None:
        super().__init__()
        self._loss: torch.Tensor | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._loss = outputs["loss"]
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        if self._loss is not None:
            metrics["loss"] = f"{float(self._loss):.4g}"
        found = {name: trainer.callback_metrics.get(name) for name in ("val/auroc", "val/f1_max")}
        metrics |= {name: f"{float(value):.4f}" for name, value in found.items() if value is not None}
        return metrics | _speed_and_memory(trainer)


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
        shown += [f"{value} {unit}" for unit, value in _speed_and_memory(trainer).items()]
        log.info("epoch %d of %s: %s", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(shown))


def progress() -> Callback:
    """A bar in a terminal; one line per epoch elsewhere, where a bar would fill the log."""
    return _ProgressBar() if sys.stdout.isatty() else _EpochLines()


def _speed_and_memory(trainer: pl.Trainer) -> dict[str, int]:
    """Images per second so far, and the most memory held: that of the GPU, where it trains on one."""
    speeds = [c.images_per_second for c in trainer.callbacks if isinstance(c, Throughput)]
    memory, on_gpu = peak_memory(trainer.strategy.root_device).values()
    found = {"images/s": next(iter(speeds), None), "MB": memory if on_gpu is None else on_gpu}
    return {unit: round(value) for unit, value in found.items() if value is not None}
