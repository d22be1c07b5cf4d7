"""What a person sees in TensorBoard besides the curves: panels of a fixed sample, final figures, hparams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from anodice.configs import flatten
from anodice.data.datamodule import DiceDataModule
from anodice.figures.panels import panels
from anodice.inference import Batches
from anodice.models.detector import Detector


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


@torch.inference_mode()
def sample_panels(detector: Detector, data: DiceDataModule, *, of_each: int) -> dict[str, Figure]:
    """Panels of normal and of anomalous validation photos, evenly spread over the split: the same at every call.

    One colour scale for all, from the 0.1 % to the 99.9 % quantile of the normal maps, doubled upwards: scaled one by
    one, a normal image would glow as brightly as an anomalous one.
    """
    detector.eval()
    groups = {"panels_normal": _spread(data, False, of_each), "panels_anomalous": _spread(data, True, of_each)}
    seen = {}
    for name, indices in groups.items():
        if indices:
            loader = data.evaluation_loader(indices)
            images = torch.cat([batch["image"] for batch in Batches(data, loader, detector.device)])
            seen[name] = (images, *detector(images)[:2])
    low, high = np.quantile(_array(seen["panels_normal"][1]), [0.001, 0.999])
    scale = (float(low), float(high + (high - low)))
    reconstruct = getattr(detector, "reconstruct", None)
    figures = {}
    for name, (images, maps, scores) in seen.items():
        records = [data.photos.records[i] for i in groups[name]]
        captions = [f"{r.class_name}  {s:.3g}" for r, s in zip(records, scores.tolist(), strict=True)]
        reconstructions = None if reconstruct is None else _array(reconstruct(images))
        figures[name] = panels(_array(images), reconstructions, _array(maps), captions, scale=scale)
    return figures


def _spread(data: DiceDataModule, anomalous: bool, count: int) -> list[int]:
    """Indices of `count` validation records, evenly spread over the normals (which are in class order) or anomalies."""
    records = data.photos.records
    there = [i for i in data.photos.split.validation if records[i].anomalous == anomalous]
    places = np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)
    return [there[k] for k in places]


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
    numbers = _final_numbers(metrics)
    for summary in hparams(dict(told), numbers):
        writer.file_writer.add_summary(summary)
    for name, value in numbers.items():
        writer.add_scalar(name, value, global_step=trainer.global_step)
    writer.flush()


def hyper_parameters(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """What tells runs apart: the options chosen, the seed, the numbers of model and optimizer, and what was overridden.

    Args:
        config: resolved.
        overrides: those of the command line, `key=value`.
    """
    flat = flatten(config)
    keys = ["seed", "trainer.max_epochs", *(key for key in flat if key.startswith(("model.", "optimizer.")))]
    keys = [key for key in keys if not key.startswith(("model.score.", "model.optimizer."))]
    keys += [override.partition("=")[0].lstrip("+") for override in overrides]
    numbers = {key: flat[key] for key in keys if type(flat.get(key)) in (int, float)}  # a bool is no number here
    return dict(config["name"]) | numbers


def _final_numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of the clean test images at the run's own threshold, those that can be had."""
    clean = metrics["test"]["clean"]
    row = clean["at"][metrics["threshold"]]
    found = {name: row[name] for name in ("f1", "precision", "recall")}  # the first is shown without a click
    found |= {"auroc": clean["auroc"], "average_precision": clean["average_precision"]}
    return {f"test/{name}": float(value) for name, value in found.items() if value is not None}


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
