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

from anodice.app.stopping import NAMES
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
    """The first Ctrl-C or SIGTERM ends the training after the current step; thresholds and report still come.

    A second one interrupts at once.

    Attributes:
        signal: the number of the one that ended the training; None where none did.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Not before: Lightning sets handlers of its own, and takes what it finds for what to put back at the end.
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers

        def stop(number: int, frame: FrameType | None) -> None:
            log.warning(
                "interrupted by %s: stopping after this step, then thresholds and report; once more to abandon",
                NAMES[signal.Signals(number)],
            )
            trainer.should_stop, self.signal = True, number
            self._restore()

        heard = [number for number in NAMES if signal.getsignal(number) is not signal.SIG_IGN]  # as of jobs of shells
        self._before = {number: signal.signal(number, stop) for number in heard}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
