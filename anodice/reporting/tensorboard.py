"""What a person sees in TensorBoard while a training goes on: curves, scores of each epoch, a fixed sample of photos.

With another logger, or none, there is nothing to see and nothing breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from anodice.models.detector import Detector, TrainedDetector
from anodice.reporting.visualise import sample


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


def write_start(trainer: pl.Trainer, detector: Detector, texts: Mapping[str, str]) -> None:
    """Write what is known before the first step: texts for the Text tab, and what Custom Scalars opens on.

    Args:
        texts: by name, shown as they are.
    """
    writer = writer_of(trainer)
    if writer is None:
        return
    for name, text in texts.items():
        writer.add_text(name, f"```\n{text}\n```", global_step=0)
    writer.add_custom_scalars({"progress": layout(detector)})


def layout(detector: Detector) -> dict[str, list[Any]]:
    """The charts of the Custom Scalars tab, by title: terms of different units never share an axis."""
    charts = {title: [f"val/{name}"] for title, name in _QUALITY.items()}
    if isinstance(detector, TrainedDetector):
        charts |= {name: [f"train/{name}", f"val/{name}"] for name in detector.loss_names}
        charts["images per second"] = ["train/images_per_second"]
    return {title: ["Multiline", [f"^{tag}$" for tag in tags]] for title, tags in charts.items()}


_QUALITY = {"AUROC": "auroc", "F1": "f1_max", "average precision": "average_precision"}


class Scores(Callback):
    """Writes how the validation scores of normal and anomalous photos spread, and their precision over recall."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        writer = writer_of(trainer)
        if writer is None or trainer.sanity_checking:
            return
        scores, labels = (values.cpu().numpy() for values in pl_module.validation_scores)
        for name, part in (("normal", scores[~labels]), ("anomalous", scores[labels])):
            if np.isfinite(part).all() and len(part) > 0:
                writer.add_histogram(f"val/scores_{name}", part, global_step=trainer.global_step, bins="auto")
        add_pr_curve(writer, "val/precision_recall", scores, labels, step=trainer.global_step)


def add_pr_curve(
    writer: SummaryWriter, tag: str, scores: NDArray[np.float64], labels: NDArray[np.bool_], *, step: int
) -> None:
    """Write the curve of scores (N,) with labels (N,), where there are both; its "thresholds" are shares of ranks.

    The tab takes values in [0, 1] alone.
    """
    if np.isfinite(scores).all() and labels.any() and not labels.all():
        places = np.unique(scores, return_inverse=True)[1]
        writer.add_pr_curve(tag, labels, places / max(places.max(), 1), global_step=step)


class Panels(Callback):
    """Draws input, reconstruction and anomaly map of the same validation photos as the training goes on.

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
        for name, shown in sample(pl_module, trainer.datamodule, of_each=self.of_each).items():
            for k, figure in enumerate(shown.cards(self.of_each), start=1):
                writer.add_figure(f"watched/{name}_{k}", figure, global_step=trainer.global_step)
