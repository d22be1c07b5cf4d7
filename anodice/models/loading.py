"""The detector of a finished run, from its config and its checkpoint: nothing but parts of this package is built."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from anodice.app.recipe import make
from anodice.errors import AnodiceError, first_line
from anodice.models.detector import Detector

log = logging.getLogger(__name__)


def load_detector(told: Mapping[str, Any], checkpoint: Path, *, accelerator: str = "auto") -> Detector:
    """The detector of a run, ready to score, where a trainer with this accelerator would put it.

    Args:
        told: how it was made, as in the run's config: plain values.

    Raises:
        AnodiceError: a config that names something foreign, or a checkpoint that is damaged or of another detector.
    """
    detector = make(told)
    if not isinstance(detector, Detector):
        raise AnodiceError(f"expected a detector in the run's config, got {told.get('_target_')!r}; train a new run.")
    load_weights(detector, checkpoint)
    return detector.to(device_of(accelerator)).eval()


def load_weights(detector: Detector, checkpoint: Path) -> None:
    """Load the weights of a checkpoint, and what was fitted to photos.

    Raises:
        AnodiceError: a checkpoint that is damaged, holds more than numbers, or is of another detector.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        detector.load_state_dict(state["state_dict"])
    except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise AnodiceError(
            f"expected the weights of the run's {type(detector).__name__} in {checkpoint}, which cannot be loaded "
            f"({first_line(error)}); copy the run folder again, or train a new run."
        ) from error
    log.info("%s: epoch %d, step %d", checkpoint.name, state["epoch"] + 1, state["global_step"])


def device_of(accelerator: str) -> torch.device:
    """Where a trainer with this accelerator would put a detector."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
