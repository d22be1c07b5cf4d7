"""Fixtures that many tests share: a small drawn photo set, the data module over one, the real photos."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from pathlib import Path

import absl.logging
import pytest
import torch

from anodice.data.datamodule import DiceDataModule
from anodice.data.layouts import dice11
from anodice.data.splitting.strategies import Published
from anodice.dice.dataset import write_synthetic

# Some libraries bring absl, which closes the stream that it logs to when logging is configured: not pytest's own.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__
# Programs that tests stop by Ctrl-C would inherit from the shell of a background job that it is ignored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # small tensors gain nothing by more, and tests run side by side


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


@pytest.fixture(scope="session")
def finished_run(dice_root, tmp_path_factory):
    """The run folder of templates, which take a second to fit; nobody may change it."""
    from anodice.programs.train import train
    from tests.runs import configured

    folder = tmp_path_factory.mktemp("finished")
    train(configured(dice_root, folder, "model=template", "model.comparison=mse"), folder / "run")
    return folder / "run"


@pytest.fixture
def writable_dice(dice_root, tmp_path):
    """A copy of the drawn set for one test."""
    return Path(shutil.copytree(dice_root, tmp_path / "dice"))


@pytest.fixture
def own_photos(dice_root, tmp_path, monkeypatch):
    """`DIR/good` and `DIR/bad`, and photos in `NEW`, in the working directory."""
    for name, source in {"DIR/good": "train_set/00", "DIR/bad": "train_set/ano", "NEW": "test_set/00"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(dice_root / source)
    for photo in (dice_root / "train_set" / "05").iterdir():
        (tmp_path / "DIR" / "more").mkdir(exist_ok=True)
        (tmp_path / "DIR" / "more" / photo.name).symlink_to(photo)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def called(monkeypatch, capsys, tmp_path):
    """Calls a command as from the command line, in this process and the test's folder: (exit status, what it said)."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(program, *options):
        from anodice.programs import commands

        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        monkeypatch.setattr(sys, "argv", [f"{program}.py", *options])
        status = 0
        try:
            getattr(commands, program)()
        except SystemExit as left:
            status = left.code
        said = capsys.readouterr()
        return status, said.out + said.err

    yield call
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def data_module(tmp_path):
    """Makes the data module over a root, with a cache of the test's own; keywords change its arguments.

    Those of the published split may stand among them.
    """

    def make(root, **changes):
        own = {
            name: changes.pop(name)
            for name in ("validation_fraction", "test_fraction", "fit_per_class")
            if name in changes
        }
        shares = {"validation_fraction": 0.25, "test_fraction": 0.25, "seed": changes.get("seed", 0)} | own
        arguments = {"layout": dice11, "image_size": 64, "batch_size": 8, "cache_dir": str(tmp_path / "cache")}
        return DiceDataModule(str(root), **{"split": Published(**shares), **arguments, **changes})

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first: else the longest starts last, and one of two processes waits for it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
