"""How fast a training is, how long its first step takes to come, and how much memory it holds."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from anodice.data.datamodule import Batch


class Throughput(Callback):
    """Measures the training: its seconds, its images per second, how long the first step took to come, and its memory.

    Attributes:
        begun: when the job began, on the clock of `time.perf_counter`; from the making of the callback on, unless set.
        seconds: wall time of the training with its validations and all that is fitted; None before it has ended.
        images_per_second: over all training steps so far, without the validations; None before the first one, and for
            detectors without steps.
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
        return self._images / self._stepping if self._stepping > 0 else None

    def figures(self, device: torch.device) -> dict[str, float | None]:
        """What `metrics.json` tells of the training on this device: all of `MEASURED` but the last."""
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
        if not pl_module.automatic_optimization:  # nothing is learned in steps
            return
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

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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


def peak_memory_megabytes() -> float | None:
    """The most host memory that this process has ever held, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource  # Windows has none
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else 1024 * peak) / 1e6


def speed_and_memory(trainer: pl.Trainer) -> list[tuple[str, float]]:
    """Images per second so far, and the most memory held in 10^9 bytes: that of the GPU, where it trains on one."""
    speeds = [c.images_per_second for c in trainer.callbacks if isinstance(c, Throughput)]
    memory, on_gpu = peak_memory(trainer.strategy.root_device).values()
    held = memory if on_gpu is None else on_gpu
    found = [("images/s", next(iter(speeds), None)), ("GB", None if held is None else held / 1000)]
    return [(unit, value) for unit, value in found if value is not None]


def _highest(*peaks: float | None) -> float | None:
    return max((peak for peak in peaks if peak is not None), default=None)
