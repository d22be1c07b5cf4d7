"""What happens around the training: seeds, and a tidy stop."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

log = logging.getLogger(__name__)


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
