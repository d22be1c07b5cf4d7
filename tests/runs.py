"""Configs of small trainings, as `train.py` would get them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from anodice.app.configs import composed

NEEDS = {
    "threshold=manual": ["threshold.value=1.0"],
    "threshold=oracle": ["allow_oracle=true"],
    "split=session": ["split.test=[16_09_21]"],
    "model=local_memory": ["model.memory.views=100"],
    "model.loss=bce": ["model.network.sigmoid=true"],
}
"""What an option cannot do without."""


def skip_without_extras(overrides: Iterable[str]) -> None:
    """Skip the test where an option needs what is not installed."""
    if "model/backbone=timm" in overrides:
        pytest.importorskip("timm", reason="needs the extra pretrained: pip install 'anodice[pretrained]'")


def configured(root: Path, folder: Path, *overrides: str) -> DictConfig:
    """The config as `train.py` would get it; `folder / "run"` is made, to train into."""
    skip_without_extras(overrides)
    data = [] if any(o.startswith("data=") for o in overrides) else ["data=dice11"]
    small = [f"data.root={root}", "data.image_size=64", "data.batch_size=8", "data.steps_per_epoch=2", "logger=none"]
    small += ["split.validation_fraction=0.34", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    small += [f"paths.log_dir={folder}", f"paths.cache_dir={folder / 'cache'}"]
    small += [needed for option in overrides for needed in NEEDS.get(option, [])]
    config = composed("train", [*data, *small, *overrides]).config
    (folder / "run").mkdir()
    return config
