"""Rows on the speed of training: train.py against a bare loop, and the recipe's format against the plain one."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from itertools import cycle
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback

from anodice.app import run_folder
from anodice.app.configs import defaults
from anodice.data.datamodule import Batch
from anodice.models.detector import TrainedDetector
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


def recipe(model: str, *changes: str, accelerator: str = "cpu") -> DictConfig:
    """What `train.py model=MODEL` would run, on few drawn dice and for one short epoch."""
    run_folder.register_resolvers()
    photos = [f"data.root.{name}={count}" for name, count in PHOTOS.items()]
    short = [f"data.steps_per_epoch={STEPS}", "trainer.max_epochs=1", f"trainer.accelerator={accelerator}"]
    return defaults("train", [*photos, *short, f"model={model}", f"paths.cache_dir={folder().name}", *changes])


def in_memory(config: DictConfig) -> list[Batch]:
    """The training batches as tensors, images in [0, 1], not augmented."""
    data = instantiate(config.data)
    return list(data.train_dataloader())


def bare(config: DictConfig, batches: list[Batch], *, half: bool, device: str = "cpu") -> float:
    """Milliseconds of a step of a plain PyTorch loop, with autocast to bfloat16 where `half`."""
    torch.manual_seed(0)
    detector: TrainedDetector = instantiate(config.model).train().to(device)
    batches = [{name: values.to(device) for name, values in batch.items()} for batch in batches]
    optimizer, schedule = detector.optimizer(detector.parameters(), STEPS)
    ends = []
    for _, batch in zip(range(STEPS), cycle(batches), strict=False):
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss = detector.loss_terms(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        ends.append(_when_done(device))
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
        self.ends.append(_when_done(pl_module.device.type))


def _when_done(device: str) -> float:
    """Now, when all that was asked of the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _steady(ends: list[float]) -> float:
    return 1e3 * median(after - before for before, after in zip(ends[STEADY:], ends[STEADY + 1 :], strict=False))


def throughput(model: str, *, accelerator: str = "cpu") -> Row:
    config = recipe(model, accelerator=accelerator)
    batches, settings = in_memory(config), _bare_settings(config)
    return Row(usual=lambda: bare(config, batches, **settings), ours=lambda: through_lightning(config))


def precision_and_format(model: str, *, accelerator: str = "cpu") -> Row:
    config = recipe(model, accelerator=accelerator)
    plain = recipe(model, "model.channels_last=false", accelerator=accelerator)
    batches, settings = in_memory(config), _bare_settings(config)
    return Row(
        usual=lambda: bare(plain, batches, **settings | {"half": False}),
        ours=lambda: bare(config, batches, **settings),
    )


def _bare_settings(config: DictConfig) -> dict[str, Any]:
    device = "cuda" if config.trainer.accelerator == "gpu" else "cpu"
    return {"half": config.trainer.precision == "bf16-mixed", "device": device}


def enter(name: str, about: str, reach: float | None, prepare: Callable[[], Row]) -> None:
    """Enter a row of milliseconds."""

    def described() -> Row:
        return prepare()

    described.__doc__ = about
    row(name, reach=reach, unit="ms")(described)


for _model in FAMILIES:
    enter(
        f"training_{_model}",
        f"A training step of {_model}: a bare loop over tensors in memory, against train.py.",
        0.95,
        partial(throughput, _model),
    )
    enter(
        f"format_{_model}",
        f"A training step of {_model}: contiguous float32, against the recipe's precision and format.",
        1.0,
        partial(precision_and_format, _model),
    )
