"""The detector of a finished run, from its config and its checkpoint: nothing but parts of this package is built."""

from __future__ import annotations

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule

from anodice.app.recipe import make, recipe
from anodice.errors import AnodiceError, first_line
from anodice.models.detector import Detector

log = logging.getLogger(__name__)


def load_detector(
    told: Mapping[str, Any], checkpoint: Path, *, data: Mapping[str, Any] | None = None, accelerator: str = "auto"
) -> Detector:
    """The detector of a run, ready to score, where a trainer with this accelerator would put it.

    Args:
        told: how it was made, as in the run's config: plain values.
        data: how its data module was made; None to leave open which photos it was trained on.

    Raises:
        AnodiceError: a config that names something foreign, or a checkpoint that is damaged or of another detector.
    """
    detector = make(told)
    if not isinstance(detector, Detector):
        raise AnodiceError(f"expected a detector in the run's config, got {told.get('_target_')!r}; train a new run.")
    load_weights(detector, checkpoint, data=data)
    return detector.to(device_of(accelerator)).eval()


def load_weights(detector: Detector, checkpoint: Path, *, data: Mapping[str, Any] | None = None) -> None:
    """Load the weights of a checkpoint, and what was fitted to photos.

    Args:
        data: see `load_detector`.

    Raises:
        AnodiceError: a checkpoint that is damaged, holds more than numbers, or is of another detector.
    """
    state = read_checkpoint(checkpoint)
    check_alike(detector, state, checkpoint)
    if data is not None:
        kept = {name: value for name, value in data.items() if name not in _ELSEWHERE}
        _check_same("data", kept, state.get(LightningDataModule.CHECKPOINT_HYPER_PARAMS_KEY), checkpoint)
    try:
        detector.load_state_dict(state["state_dict"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise AnodiceError(
            f"expected the weights of the run's {type(detector).__name__} in {checkpoint}, which are others "
            f"({first_line(error)}); copy the run folder again, or train a new run."
        ) from error
    log.info("%s: epoch %d, step %d", checkpoint.name, state["epoch"] + 1, state["global_step"])


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU: numbers, words and tensors, nothing that runs.

    Raises:
        AnodiceError: it is missing or damaged, or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums that it writes
            wrong = archive.testzip()
        if wrong is not None:
            raise zipfile.BadZipFile(f"the checksum of {wrong} differs")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on random bytes the readers of both raise all sorts of errors
        why = _PAYLOAD if isinstance(error, pickle.UnpicklingError) else first_line(error)
        raise AnodiceError(
            f"expected a checkpoint in {path}, which cannot be loaded ({why}); copy the run folder again, or train a "
            "new run."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(state.get(name), int) for name in ("epoch", "global_step")):
        raise AnodiceError(f"expected a checkpoint of Lightning in {path}, got something else; train a new run.")
    return state


_PAYLOAD = "it holds more than numbers, words and tensors, which may run code"
_ELSEWHERE = ("root", "cache_dir", "augmentation", "batch_size", "steps_per_epoch", "seed")
"""What of a data module may be another one after the training."""


def check_alike(detector: Detector, state: Mapping[str, Any], checkpoint: Path) -> None:
    """Raise where a checkpoint tells of another detector, such as one of another code length."""
    _check_same("model", recipe(detector), state.get(LightningModule.CHECKPOINT_HYPER_PARAMS_KEY), checkpoint)


def _check_same(what: str, now: Any, then: Any, checkpoint: Path) -> None:
    """Raise where a config says something else than what a checkpoint was trained with, where that is known."""
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        for name in now.keys() & then.keys() - {"_target_"}:  # names move
            _check_same(f"{what}.{name}", now[name], then[name], checkpoint)
    elif now != then and then is not None:
        raise AnodiceError(
            f"expected {what}={then} in the run's config.yaml, as {checkpoint} was trained, got {now}; put the config "
            "back as it was, or train a new run."
        )


def device_of(accelerator: str) -> torch.device:
    """Where a trainer with this accelerator would put a detector."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
