"""What a person sees in TensorBoard besides the curves: panels of a fixed sample, final figures, hparams."""

from __future__ import annotations

from collections.abc import Mapping
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
from anodice.inference import image_batches
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
        normals, anomalies: how many of each, spread evenly over the validation split.
    """

    def __init__(self, *, every_n_epochs: int, normals: int, anomalies: int) -> None:
        self.every_n_epochs, self.normals, self.anomalies = every_n_epochs, normals, anomalies

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Detector) -> None:
        writer = writer_of(trainer)
        if writer is None or trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        sample = fixed_sample(trainer.datamodule, normals=self.normals, anomalies=self.anomalies)
        figure = sample_panels(pl_module, trainer.datamodule, sample)
        writer.add_figure("validation/panels", figure, global_step=trainer.global_step)


def fixed_sample(data: DiceDataModule, *, normals: int, anomalies: int) -> list[int]:
    """Indices of validation records, evenly spread over the normals (which are in class order) and the anomalies."""
    records, validation = data.photos.records, data.photos.split.validation
    sample: list[int] = []
    for wanted, anomalous in ((normals, False), (anomalies, True)):
        there = [i for i in validation if records[i].anomalous == anomalous]
        places = np.linspace(0, len(there) - 1, min(wanted, len(there))).round().astype(int)
        sample += [there[k] for k in places]
    return sample


@torch.inference_mode()
def sample_panels(detector: Detector, data: DiceDataModule, sample: list[int]) -> Figure:
    """Panels of these records; the colours span the 0.1 % to 99.9 % quantile of their normal maps, doubled upwards.

    The scale is the same for all columns: scaled one by one, a normal image would glow as brightly as an anomalous one.
    """
    detector.eval()
    images = torch.cat(list(image_batches(data, data.evaluation_loader(sample), detector.device)))
    maps, scores = detector(images)
    reconstruct = getattr(detector, "reconstruct", None)
    records = [data.photos.records[i] for i in sample]
    captions = [f"{r.class_name}  {s:.3g}" for r, s in zip(records, scores.tolist(), strict=True)]
    calm = maps[torch.tensor([not r.anomalous for r in records], device=maps.device)]
    low, high = np.quantile(_array(calm if len(calm) > 0 else maps), [0.001, 0.999])
    return panels(
        _array(images),
        None if reconstruct is None else _array(reconstruct(images)),
        _array(maps),
        captions,
        scale=(float(low), float(high + (high - low))),
    )


def write_final(
    trainer: pl.Trainer, config: Mapping[str, Any], metrics: dict[str, Any], figures: Mapping[str, Figure]
) -> None:
    """Write the final figures, and the hyper-parameters with the final numbers: so runs compare in the HPARAMS tab."""
    writer = writer_of(trainer)
    if writer is None:
        return
    for name, figure in figures.items():
        writer.add_figure(f"final/{name}", figure, global_step=trainer.global_step)
    numbers = _final_numbers(metrics)
    for summary in hparams(_told_apart(config), numbers):
        writer.file_writer.add_summary(summary)
    for name, value in numbers.items():
        writer.add_scalar(name, value, global_step=trainer.global_step)
    writer.flush()


def _told_apart(config: Mapping[str, Any]) -> dict[str, Any]:
    """What tells runs apart: the names of the options, and the numbers of the groups that they were chosen from."""
    groups = ("seed", "data", "augmentation", "score", "threshold", "optimizer", "trainer")
    model = {key: value for key, value in config["model"].items() if key not in ("score", "optimizer")}
    flat = flatten({"model": model} | {group: config[group] for group in groups})
    flat = {name: value for name, value in flat.items() if not name.startswith(("data.augmentation.", "data.root."))}
    return dict(config["name"]) | {name: value for name, value in flat.items() if isinstance(value, int | float)}


def _final_numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of the clean test images at the run's own threshold, those that can be had."""
    clean = metrics["test"]["clean"]
    row = clean["at"][metrics["threshold"]]
    found = {"auroc": clean["auroc"], "average_precision": clean["average_precision"]}
    found |= {name: row[name] for name in ("f1", "precision", "recall")}
    return {f"test/{name}": float(value) for name, value in found.items() if value is not None}


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
