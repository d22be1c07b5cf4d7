"""The photos that a run was validated and tested on, where they still are: examples, and means of classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anodice.app.run_folder import read_plain_config
from anodice.data.decode import decode_bytes, why_not
from anodice.dice.dataset import synthetic_folder
from anodice.evaluation.score_table import ScoreTable
from anodice.page.runs import OpenRun
from anodice.page.uploads import read_upload
from anodice.prediction.photos import Photo
from anodice.prediction.prediction import Unreadable
from anodice.thresholds.threshold import Threshold

_MOST = 50
"""Photos in the mean of a class."""


def photo_root(run: OpenRun) -> Path | None:
    """The folder of the run's photos; None where it is not here."""
    told = read_plain_config(run.folder)["data"]["root"]
    root = synthetic_folder(**_arguments(told)) if isinstance(told, Mapping) else Path(str(told))
    return root.absolute() if root.is_dir() else None


def examples(run: OpenRun) -> list[str]:
    """Paths of the test photos below the root, anomalous ones first; none where the photos are not here."""
    root = photo_root(run)
    test = run.scores.published
    order = np.argsort(~test.label, kind="stable")
    return [] if root is None else [path for path in test.path[order].tolist() if (root / path).is_file()]


def read_own(run: OpenRun, path: str) -> bytes | Unreadable:
    """The file of a photo that is in the run's scores; another photo in its place is refused."""
    root = photo_root(run)
    if root is None or not (root / path).resolve().is_relative_to(root.resolve()):
        return Unreadable(path, "is not in the folder of the run's photos any more")
    try:
        data = (root / path).read_bytes()
        content = decode_bytes(data, image_size=run.predictor.settings.frame, in_channels=1).content
    except Exception as error:  # Pillow's readers raise all sorts of errors on broken files
        return Unreadable(path, why_not(error))
    if content not in run.scores.content[run.scores.path == path]:
        return Unreadable(path, "is not the photo that it was when the run was scored")
    return data


def class_mean(run: OpenRun, class_name: str) -> tuple[NDArray[np.uint8], int] | None:
    """The mean (H, W, C) of normal validation photos of a class, and of how many; None where none is here."""
    validation = run.scores.validation
    paths = validation.path[(validation.class_name == class_name) & ~validation.label][:_MOST]
    files = {path: read_own(run, path) for path in paths.tolist()}
    read = [read_upload(path, data, run.predictor.settings) for path, data in files.items() if isinstance(data, bytes)]
    photos = [photo for photo in read if isinstance(photo, Photo)]
    if not photos:
        return None
    seen = np.stack([prediction.photo for prediction in run.predictor.score(photos)])  # upright, as the detector sees
    return np.rint(seen.mean(0)).astype(np.uint8), len(photos)


def errors(test: ScoreTable, threshold: Threshold) -> Iterator[tuple[str, str]]:
    """Paths of the test photos that a threshold gets wrong, and which way: misses first, the worst first."""
    misses, false_alarms = test.errors(threshold)
    yield from ((str(path), "missed") for path in test.path[misses])
    yield from ((str(path), "false alarm") for path in test.path[false_alarms])


def _arguments(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if not key.startswith("_")}
