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

from anodice.errors import AnodiceError

log = logging.getLogger(__name__)


class SeedEachEpoch(Callback):
    """Seeds torch anew at each epoch, so that a resumed training draws the same noise as one that was never stopped."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        state = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        torch.manual_seed(int(state.generate_state(1)[0]))


class FiniteLoss(Callback):
    """Ends a training whose loss is no number any more: nothing that comes after would be one.

    Args:
        every_n_steps: how often to look, besides the last step of each epoch; a look waits for the GPU.
    """

    def __init__(self, *, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps
        self._losses: list[torch.Tensor] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the loss of the step, and look at all that were kept.

        Raises:
            AnodiceError: one of them is not finite.
        """
        if outputs:  # detectors that learn without gradients have none
            self._losses.append(outputs["loss"].detach())
        if self._losses and (len(self._losses) >= self.every_n_steps or trainer.is_last_batch):
            finite = torch.isfinite(torch.stack(self._losses)).tolist()
            first = trainer.fit_loop.total_batch_idx + 2 - len(finite)
            losses, self._losses = self._losses, []
            if not all(finite):
                self._refuse(trainer, first + finite.index(False), float(losses[finite.index(False)]))

    def _refuse(self, trainer: pl.Trainer, step: int, loss: float) -> None:
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        raise AnodiceError(
            f"expected a finite loss, got {loss} at step {step} (epoch {trainer.current_epoch + 1}) with a learning "
            f"rate of {rate:.3g}: the training diverged; lower optimizer.lr, or set trainer.gradient_clip_val=1."
        )


class StopOnInterrupt(Callback):
    """The first Ctrl-C ends the training after the current step; what follows (thresholds, report) still runs.

    A second Ctrl-C interrupts at once.

    Attributes:
        interrupted: whether the training was ended so.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._before: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers

        def stop(signum: int, frame: FrameType | None) -> None:
            log.warning(
                "interrupted: stopping after this step, then thresholds and report; press Ctrl-C again to abandon"
            )
            trainer.should_stop = self.interrupted = True
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
