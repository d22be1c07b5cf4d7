"""Fixtures that many tests share: a small drawn photo set, the data module over one, the real photos."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from anodice.data.datamodule import DiceDataModule
from anodice.data.layouts import dice11
from anodice.dice.dataset import write_synthetic


@pytest.fixture(scope="session")
def dice_root(tmp_path_factory):
    """A small drawn set that all tests share; `writable_dice` is the one to change."""
    return write_synthetic(
        tmp_path_factory.mktemp("drawn") / "dice",
        seed=0,
        train_per_class=6,
        train_anomalies=12,
        test_per_class=2,
        test_anomalies=8,
        size=64,
    )


@pytest.fixture
def writable_dice(dice_root, tmp_path):
    """A copy of the drawn set for one test."""
    return Path(shutil.copytree(dice_root, tmp_path / "dice"))


@pytest.fixture
def data_module(tmp_path):
    """Makes the data module over a root, with a cache of the test's own; keywords change its arguments."""

    def make(root, **changes):
        arguments = {
            "layout": dice11,
            "orientation": None,
            "image_size": 64,
            "in_channels": 1,
            "batch_size": 8,
            "steps_per_epoch": None,
            "validation_fraction": 0.25,
            "test_fraction": 0.25,
            "border_radius": None,
            "seed": 0,
            "cache_dir": str(tmp_path / "cache"),
            "augmentation": None,
        }
        return DiceDataModule(root=str(root), **(arguments | changes))

    return make


@pytest.fixture(scope="session")
def real_dice_root():
    """The folder of real photos that DICE_ROOT names."""
    named = os.environ.get("DICE_ROOT")
    if not named:
        pytest.skip("needs real photos: set DICE_ROOT to their folder")
    if not Path(named).is_dir():
        pytest.skip(f"needs real photos: DICE_ROOT is {named}, which is no folder")
    return Path(named)
