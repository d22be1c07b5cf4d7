"""The mean of the weights over the steps of a training, which often generalises better than the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, StochasticWeightAveraging, WeightAveraging
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from anodice.errors import AnodiceError
from anodice.models.detector import TrainedDetector


class AveragedWeights(Callback):
    """Validates, keeps and tests the mean of the network's weights; the steps go on from the weights themselves.

    Lightning's WeightAveraging takes the means of all buffers, among them those that a detector fits to photos.

    Args:
        decay: of an exponential moving average (EMA), in (0, 1); None for the equal mean of all steps (SWA, Izmailov et
            al. 2018).
        start: the share of the steps after which averaging begins, in [0, 1).

    Raises:
        AnodiceError: a decay or a start outside of its range.
    """

    def __init__(self, *, decay: float | None, start: float) -> None:
        if decay is not None and not 0 < decay < 1:
            raise AnodiceError(f"expected decay in (0, 1) or null to average weights, got {decay!r}; 0.99 is usual.")
        if not 0 <= start < 1:
            raise AnodiceError(f"expected start in [0, 1) to average weights, got {start!r}; 0.5 is usual.")
        self.decay, self.start = decay, start
        self._average: AveragedModel | None = None
        self._swapped = False
        """Whether the network holds the mean, and `_average` the weights to go on from."""

    def setup(self, trainer: pl.Trainer, pl_module: TrainedDetector, stage: str) -> None:
        if stage == "fit":
            mean = None if self.decay is None else get_ema_avg_fn(self.decay)
            self._average = AveragedModel(pl_module.network, avg_fn=mean, use_buffers=True)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: TrainedDetector) -> None:
        self._average.to(pl_module.device)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: TrainedDetector) -> None:
        if self._swapped:
            self._swap(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: TrainedDetector, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._swapped:  # a validation within the epoch
            self._swap(pl_module)
        if trainer.global_step > self.start * trainer.estimated_stepping_batches:
            self._average.update_parameters(pl_module.network)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: TrainedDetector) -> None:
        """From here until the next step the network holds the mean: checkpoints are written in between."""
        if self._average is not None and self._average.n_averaged > 0 and not self._swapped:
            self._swap(pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average.state_dict(), "swapped": self._swapped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._average.load_state_dict(state_dict["average"])
        self._swapped = state_dict["swapped"]

    @torch.no_grad()
    def _swap(self, detector: TrainedDetector) -> None:
        ours, theirs = (chain(m.parameters(), m.buffers()) for m in (self._average.module, detector.network))
        for one, other in zip(ours, theirs, strict=True):
            kept = one.clone()
            one.copy_(other)
            other.copy_(kept)
        self._swapped = not self._swapped


def check_averaging(callbacks: Sequence[Callback]) -> None:
    """Refuse Lightning's own callbacks for this: the best weights, which are tested, would not be the mean.

    Raises:
        AnodiceError: one of them is among the callbacks.
    """
    for callback in callbacks:
        if isinstance(callback, StochasticWeightAveraging | WeightAveraging):
            raise AnodiceError(
                f"expected callbacks=ema or callbacks=swa to average weights, got Lightning's "
                f"{type(callback).__name__}, whose mean would not be in checkpoints/best.ckpt."
            )
