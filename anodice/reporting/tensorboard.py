"""What a person sees in TensorBoard besides the curves: panels of a fixed sample, final figures, hparams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from matplotlib.figure import Figure
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from anodice.models.detector import Detector
from anodice.reporting.visualise import sample_panels


class RunFolderLogger(TensorBoardLogger):
    """Lightning's TensorBoard logger with its files straight in the run folder, beside `config.yaml`.

    Args:
        save_dir: the run folder.
    """

    def __init__(self, *, save_dir: str) -> None:
        super().__init__(save_dir=save_dir, name="", version="", default_hp_metric=False)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Without the `epoch` that Lightning adds to everything: a curve that tells nothing."""
        super().log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step)

    def save(self) -> None:
        """Without the parent's `hparams.yaml`: `config.yaml` tells it all."""
        self.experiment.flush()


def writer_of(trainer: pl.Trainer) -> SummaryWriter | None:
    """The trainer's TensorBoard writer; None where it logs elsewhere or nowhere."""
    found = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return found[0].experiment if found else None


class Panels(Callback):
    """Draws input | reconstruction | anomaly map of the same validation photos as the training goes on.

    Args:
        every_n_epochs: how often.
        of_each: how many normal and how many anomalous photos.
    """

    def __init__(self, *, every_n_epochs: int, of_each: int) -> None:
        self.every_n_epochs, self.of_each = every_n_epochs, of_each

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        writer = writer_of(trainer)
        if writer is None or trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        for name, figure in sample_panels(pl_module, trainer.datamodule, of_each=self.of_each).items():
            writer.add_figure(f"validation/{name}", figure, global_step=trainer.global_step)


def write_final(
    trainer: pl.Trainer, told: Mapping[str, Any], metrics: dict[str, Any], figures: Mapping[str, Figure]
) -> None:
    """Write the final figures, and the hyper-parameters with the final numbers: so runs compare in the HPARAMS tab.

    Args:
        told: the hyper-parameters, by name.
    """
    writer = writer_of(trainer)
    if writer is None:
        return
    for name, figure in figures.items():
        writer.add_figure(f"final/{name}", figure, global_step=trainer.global_step)
    # "." is the folder of the run: by default the numbers would become a run of their own.
    writer.add_hparams(dict(told), _final_numbers(metrics), run_name=".", global_step=trainer.global_step)
    writer.flush()


def _final_numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of the clean test images at the run's own threshold, those that can be had."""
    clean = metrics["test"]["clean"]
    row = clean["at"][metrics["threshold"]]
    found = {name: row[name] for name in ("f1", "precision", "recall")}  # the first is shown without a click
    found |= {"auroc": clean["auroc"], "average_precision": clean["average_precision"]}
    part = "test_oracle" if metrics["threshold"] == "oracle" else "test"  # nobody takes an upper bound for a result
    return {f"{part}/{name}": float(value) for name, value in found.items() if value is not None}
