"""The time to a score: the detector as it is, against torch.compile and exported models, photo by photo and in batches.

Photos come as uint8 arrays, and maps, scores and classes go back as arrays, whatever computes them. What counts is the
processor's time on one core, to which other jobs add little: `taskset -c 0 python scripts/benchmark.py --only=...`.
"""

from __future__ import annotations

import time
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray

from anodice.app.conf import CONF
from anodice.app.process import cores
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.evaluation.map_scale import MapScale
from anodice.models.detector import Detector
from anodice.prediction import from_export
from anodice.prediction.agreement import TOLERANCE, agreement
from anodice.prediction.export import export
from anodice.prediction.exported import SUFFIXES
from anodice.prediction.from_run import DetectorNetwork
from anodice.prediction.network import Network
from anodice.prediction.settings import Settings
from anodice.thresholds.fitted import FittedThresholds
from anodice.thresholds.rules import Manual
from benchmarks.rows import NotHereError, Row
from benchmarks.training import enter, folder, recipe

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
BATCHES = (1, 64)
RUNTIMES = {"compile": "torch.compile", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}
_ASKED = {("onnx", 1): 1.5}
_SECONDS = 0.3
_CALLS = 5
"""How long each side of a row works in a round, and how often at least."""


def _latency(model: str, runtime: str, batch: int) -> Row:
    if cores() != 1:
        raise NotHereError(f"expected one core, got {cores()}; start it with taskset -c 0.")
    ours, settings, photos = _detector(model)
    theirs = _network(model, runtime)
    found = agreement(ours, theirs, photos, settings)
    if not found.holds:
        raise AnodiceError(f"expected scores that agree within {TOLERANCE:g}, got {found.sentence()}.")
    part = photos[:batch]
    return Row(usual=lambda: _milliseconds(ours, part), ours=lambda: _milliseconds(theirs, part))


def _milliseconds(network: Network, photos: NDArray[np.uint8]) -> float:
    """Of a photo, with its map and class; the quickest of many calls."""
    network(photos)  # whatever came before used the cache for itself
    times, start = [], time.process_time()
    while len(times) < _CALLS or time.process_time() - start < _SECONDS:
        begin = time.process_time()
        network(photos)
        times.append(time.process_time() - begin)
    return 1e3 * min(times) / len(photos)


@cache
def _detector(model: str) -> tuple[DetectorNetwork, Settings, NDArray[np.uint8]]:
    """A detector that is fitted but not trained, which takes as long, and photos of validation and test."""
    config = recipe(model)
    torch.manual_seed(0)
    detector: Detector = instantiate(config.model).eval()
    data: DiceDataModule = instantiate(config.data)
    detector.fit(data.fit_batches(), data.held_out_batches())
    photos = data.photos
    others = [*photos.split.validation, *photos.split.test]
    pixels = np.resize(photos.pixels[photos.rows[others]], (max(BATCHES), *photos.pixels.shape[1:]))
    network = DetectorNetwork(detector)
    value = float(np.median(network(pixels).scores))
    threshold = Manual(value).fit([], [], fitted_on="nothing", split_digest="")
    settings = Settings(
        run=model,
        model=model,
        data="synthetic",
        image_size=config.data.image_size,
        in_channels=config.data.in_channels,
        orientation=None,
        classes=detector.classes or (),
        faces={},
        scale=MapScale(0.0, 1.0, 1.0, "nothing"),
        thresholds=FittedThresholds(threshold, {threshold.rule: threshold}, {}),
        threshold=threshold,
    )
    return network, settings, pixels


@cache
def _network(model: str, runtime: str) -> Network:
    ours, settings, _ = _detector(model)
    if runtime == "compile":
        warnings.filterwarnings("ignore", module="torch")
        return DetectorNetwork(torch.compile(ours.detector, dynamic=False))
    file = Path(folder().name) / f"{model}{SUFFIXES[runtime]}"
    try:
        export(ours.detector, settings, file, format=runtime)
        return from_export.load(file, None, trusted=False)[0]
    except AnodiceError as error:
        raise NotHereError(str(error)) from error


for _model in MODELS:
    for _runtime, _name in RUNTIMES.items():
        for _batch in BATCHES:
            enter(
                f"latency_{_runtime}_{_model}_{_batch}",
                f"A score of {_model}, {_batch} at a time: the detector as it is, against {_name}.",
                _ASKED.get((_runtime, _batch)),
                partial(_latency, _model, _runtime, _batch),
            )
