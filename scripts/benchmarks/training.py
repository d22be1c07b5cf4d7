"""Rows on the speed of training: train.py against a bare loop, and the recipe's format against the plain one."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from itertools import cycle
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback

from anodice import runs
from anodice.configs import defaults
from anodice.data.datamodule import Batch
from anodice.models.detector import TrainedDetector
from anodice.training import fastest_precision
from benchmarks.rows import Row, row

FAMILIES = ("conv_ae", "vae", "ae_classifier", "inception_cae", "defect_unet")
STEPS, STEADY = 14, 4
"""Steps of a call, and the first of those that count."""
PHOTOS = {"train_per_class": 16, "train_anomalies": 4, "test_per_class": 1, "test_anomalies": 1}
OFF = ("best", "last", "progress", "panels")
"""Callbacks that do nothing within an epoch, or draw a bar."""


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """For the drawn dice and the logs; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="anodice-benchmark-")


def recipe(model: str, *changes: str) -> DictConfig:
    """What `train.py model=MODEL` would run, on few drawn dice and for one short epoch on the CPU."""
    runs.register_resolvers()
    photos = [f"data.root.{name}={count}" for name, count in PHOTOS.items()]
    short = [f"data.steps_per_epoch={STEPS}", "trainer.max_epochs=1", "trainer.accelerator=cpu", f"model={model}"]
    config = defaults("train", [*photos, *short, f"paths.cache_dir={folder().name}", *changes])
    config.trainer.precision = fastest_precision("cpu")
    return config


def in_memory(config: DictConfig) -> list[Batch]:
    """The training batches as tensors, images in [0, 1], not augmented."""
    data = instantiate(config.data)
    return [{**batch, "image": data.transform(batch["image"])} for batch in data.train_dataloader()]


def bare(config: DictConfig, batches: list[Batch], *, half: bool) -> float:
    """Milliseconds of a step of a plain PyTorch loop, with autocast to bfloat16 where `half`."""
    torch.manual_seed(0)
    detector: TrainedDetector = instantiate(config.model).train()
    optimizer, schedule = detector.optimizer(detector.parameters(), STEPS)
    ends = []
    for _, batch in zip(range(STEPS), cycle(batches), strict=False):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = detector.loss_terms(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        ends.append(time.perf_counter())
    return _steady(ends)


def through_lightning(config: DictConfig) -> float:
    """Milliseconds of a step as `train.py` does it: batches, augmentation, callbacks and logger included."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    times = _StepTimes()
    callbacks = [instantiate(c) for name, c in config.callbacks.items() if name not in OFF and c is not None]
    trainer: pl.Trainer = instantiate(
        config.trainer,
        callbacks=[*callbacks, times],
        logger=[instantiate(logger, save_dir=folder().name) for logger in config.logger.values()],
        default_root_dir=folder().name,
        enable_checkpointing=False,
        enable_progress_bar=False,
        limit_val_batches=0,
    )
    trainer.fit(instantiate(config.model), datamodule=instantiate(config.data))
    return _steady(times.ends)


class _StepTimes(Callback):
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        self.ends.append(time.perf_counter())


def _steady(ends: list[float]) -> float:
    return 1e3 * median(after - before for before, after in zip(ends[STEADY:], ends[STEADY + 1 :], strict=False))


def _throughput(model: str) -> Callable[[], Row]:
    def prepare() -> Row:
        config = recipe(model)
        batches, half = in_memory(config), config.trainer.precision == "bf16-mixed"
        return Row(usual=lambda: bare(config, batches, half=half), ours=lambda: through_lightning(config))

    prepare.__doc__ = f"A training step of {model}: a bare loop over tensors in memory, against train.py."
    return prepare


def _format(model: str) -> Callable[[], Row]:
    def prepare() -> Row:
        config, plain = recipe(model), recipe(model, "model.channels_last=false")
        batches, half = in_memory(config), config.trainer.precision == "bf16-mixed"
        return Row(usual=lambda: bare(plain, batches, half=False), ours=lambda: bare(config, batches, half=half))

    prepare.__doc__ = f"A training step of {model}: contiguous float32, against the recipe's precision and format."
    return prepare


for _model in FAMILIES:
    row(f"training_{_model}", reach=0.95, unit="ms")(_throughput(_model))
    row(f"format_{_model}", reach=1.0, unit="ms")(_format(_model))
