"""Rows for a GPU, where there is one: training through train.py, its format, and scoring."""

from __future__ import annotations

import time
from functools import partial

import torch
from hydra.utils import instantiate

from anodice.models.detector import Detector
from benchmarks.rows import NotHereError, Row
from benchmarks.training import FAMILIES, enter, in_memory, precision_and_format, recipe, throughput

MANY = 256


def _training(model: str) -> Row:
    _check()
    return throughput(model, accelerator="gpu")


def _format(model: str) -> Row:
    _check()
    return precision_and_format(model, accelerator="gpu")


def _scoring(model: str) -> Row:
    _check()
    config = recipe(model, accelerator="gpu")
    detector: Detector = instantiate(config.model).to("cuda").eval()
    batches = [{name: values.to("cuda") for name, values in batch.items()} for batch in in_memory(config)]
    detector.fit(batches, batches)
    image = batches[0]["image"][:1]
    return Row(
        usual=lambda: _milliseconds(detector, image), ours=lambda: _milliseconds(detector, image.repeat(MANY, 1, 1, 1))
    )


def _check() -> None:
    if not torch.cuda.is_available():
        raise NotHereError("expected a GPU that torch can use, found none.")


def _milliseconds(detector: Detector, images: torch.Tensor) -> float:
    """Of an image, with its score back on the host."""
    rounds = 20
    with torch.inference_mode():
        detector(images).scores.cpu()
        start = time.perf_counter()
        for _ in range(rounds):
            detector(images).scores.cpu()
    return 1e3 * (time.perf_counter() - start) / rounds / len(images)


for _model in FAMILIES:
    enter(
        f"gpu_training_{_model}",
        f"A training step of {_model} on the GPU: a bare loop over tensors there, against train.py.",
        0.95,
        partial(_training, _model),
    )
    enter(
        f"gpu_format_{_model}",
        f"A training step of {_model} on the GPU: contiguous float32, against the recipe's precision and format.",
        1.0,
        partial(_format, _model),
    )
    enter(
        f"gpu_scoring_{_model}",
        f"The score of an image by {_model} on the GPU: one at a time, against {MANY} at a time.",
        None,
        partial(_scoring, _model),
    )
