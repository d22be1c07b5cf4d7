"""Ending a trial of a study early, where it falls behind the others."""

from __future__ import annotations

import optuna
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class Prune(Callback):
    """Tells a study the figure of each epoch, and ends the training where the study gives the trial up.

    Args:
        storage, study_name, number: where the study lies, and the trial in it.
        monitor: a figure that is logged each epoch and is better when higher, such as `val/average_precision`.
    """

    def __init__(self, *, storage: str, study_name: str, number: int, monitor: str) -> None:
        self.monitor, self.mode = monitor, "max"
        pruner = optuna.pruners.MedianPruner(n_warmup_steps=1)
        study = optuna.load_study(study_name=study_name, storage=storage, pruner=pruner)
        self._trial = optuna.Trial(study, study.trials[number]._trial_id)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the figure.

        Raises:
            TrialPruned: the study gives the trial up.
        """
        if trainer.sanity_checking:
            return
        value = float(trainer.callback_metrics[self.monitor])
        self._trial.report(value, trainer.current_epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned(f"{self.monitor} of {value:.4f} in epoch {trainer.current_epoch + 1}")
