"""Loading a finished run: its detector and its photos, from the run folder alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from anodice.app import run_folder
from anodice.app.files import check
from anodice.app.recipe import make
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.models.detector import Detector
from anodice.models.loading import load_detector
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import Learned


def load_run(run: Path, root: str | None) -> tuple[Detector, DiceDataModule]:
    """The detector of a finished run with its best weights, where its trainer would put it, and the run's photos.

    Args:
        root: where the photos are now; None where the run found them.

    Raises:
        AnodiceError: the photos are not those of the run, or its config names something foreign.
    """
    config = run_folder.read_config(run)
    data = load_photos(run, root)
    told = OmegaConf.to_container(config.model)
    kept = OmegaConf.to_container(config.data)
    best = check(run, run_folder.BEST)
    detector = load_detector(told, best, data=kept, accelerator=config.trainer.accelerator)
    if not detector.is_fitted:  # the training was killed before its end
        detector.fit(data.fit_batches(detector.device), data.held_out_batches(detector.device))
    return detector, data


def load_photos(run: Path, root: str | None) -> DiceDataModule:
    """The photos of a finished run; see `load_run`."""
    config = run_folder.read_config(run)
    if root is not None:
        config.data.root = root
    config.data.augmentation = None  # for training only
    data = make(OmegaConf.to_container(config.data))
    check_photos(run, data)
    return data


def check_photos(run: Path, data: DiceDataModule) -> None:
    """Raise where the photos are not those of a run: some that it was trained on might be tested.

    Raises:
        AnodiceError: the photos, or the run's `split.json`, are others.
    """
    expected = run_folder.read_digest(run)
    if data.photos.split.digest != expected:
        raise AnodiceError(
            f"expected the photos that {run} was trained on (split {expected}), but those in {data.photos.walked.root} "
            f"give the split {data.photos.split.digest}; bring the photos back as they were, or train a new run."
        )


def about(config: DictConfig, detector: Detector) -> dict[str, Any]:
    """What `metrics.json` starts with: what was trained, on what, and its size."""
    return {
        "model": config.name.model,
        "data": config.name.data,
        "split": config.name.get("split", "published"),
        "seed": config.seed,
        "parameters": sum(p.numel() for p in detector.parameters()),
    }


def told_limits(rule: Rule, detector: Detector) -> Rule:
    """The rule, with what the detector learned where it is `Learned`."""
    return replace(rule, values=detector.limits) if isinstance(rule, Learned) else rule
