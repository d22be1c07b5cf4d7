"""What a person sees of a training while it goes on."""

from __future__ import annotations

import io
import logging
import sys
from types import SimpleNamespace

import pytest
import torch

from anodice.training import progress
from anodice.training.progress import Bar, EpochLines
from anodice.training.throughput import Throughput, peak_memory
from tests.training.test_throughput import CPU, stepped

STEPPING, ONE_PASS = SimpleNamespace(automatic_optimization=True), SimpleNamespace(automatic_optimization=False)


@pytest.fixture
def trainer():
    return SimpleNamespace(
        callbacks=[stepped(Throughput())],
        strategy=SimpleNamespace(root_device=CPU),
        callback_metrics={"val/auroc": torch.tensor(0.5), "val/f1_max": torch.tensor(0.75)},
        sanity_checking=False,
        state=SimpleNamespace(fn="fit"),
        current_epoch=0,
        max_epochs=3,
        num_training_batches=20,
        global_step=10,
        estimated_stepping_batches=60,
    )


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_a_line_per_epoch_counts_from_one_and_fits_a_narrow_terminal(trainer, caplog):
    trainer.current_epoch, trainer.max_epochs = 11, 12
    trainer.callback_metrics |= {"val/loss": torch.tensor(-20110.31), "val/auroc": torch.tensor(0.98769)}
    trainer.callbacks[0]._stepping = 16 / 412.4
    with caplog.at_level(logging.INFO):
        EpochLines().on_validation_end(trainer, STEPPING)
    memory = peak_memory(CPU)["peak_memory_megabytes"] / 1000
    assert lines(caplog) == [f"epoch 12 of 12: val loss -20110, AUROC 0.9877, F1 0.75, 412 images/s, {memory:.1f} GB"]
    assert len(lines(caplog)[0]) <= 80


def test_a_long_epoch_tells_how_far_it_is(trainer, caplog, monkeypatch):
    shown = EpochLines()
    with caplog.at_level(logging.INFO):
        shown.on_train_batch_end(trainer, STEPPING, None, {}, 4)
        monkeypatch.setattr("anodice.app.console._PATIENCE", 0)
        shown.on_train_batch_end(trainer, STEPPING, None, {}, 5)
    assert lines(caplog) == ["epoch 1 of 3: step 6 of 20"]


def test_a_long_validation_tells_how_far_it_is(trainer, caplog, monkeypatch):
    trainer.num_val_batches = [7]
    lines_alone, bar = EpochLines(), Bar()
    monkeypatch.setattr("anodice.app.console._PATIENCE", 0)
    with caplog.at_level(logging.INFO):
        lines_alone.on_validation_batch_end(trainer, STEPPING, None, {}, 1)
        bar.on_validation_batch_end(trainer, ONE_PASS, None, {}, 2)
    assert lines(caplog) == ["validating: batch 2 of 7", "validating: batch 3 of 7"]


def test_what_learns_in_one_pass_has_no_epoch(trainer, caplog):
    with caplog.at_level(logging.INFO):
        EpochLines().on_validation_end(trainer, ONE_PASS)
    assert lines(caplog)[0].startswith("fitted: AUROC 0.5, F1 0.75, ")


def test_without_an_end_no_last_epoch_is_told(trainer):
    trainer.max_epochs = -1
    assert progress.epoch_of(trainer) == "epoch 1"


def terminal(monkeypatch):
    """What is written to a terminal of 80 columns, from now on."""
    written = io.StringIO()
    written.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", written)
    for name, value in (("COLUMNS", "80"), ("TERM", "xterm"), ("TTY_COMPATIBLE", "1"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    return written


def test_the_bar_tells_epoch_loss_f1_speed_memory_and_time_left_in_80_columns(trainer, monkeypatch):
    screen = terminal(monkeypatch)
    trainer.callbacks[0]._stepping = 16 / 412.4
    bar = progress.progress()
    assert isinstance(bar, Bar)
    bar.on_train_start(trainer, STEPPING)
    bar.on_train_batch_end(trainer, STEPPING, {"loss": torch.tensor(0.123456)}, {}, 9)
    task = bar._bar.tasks[0]
    assert (task.description, task.completed, task.total) == ("epoch 1 of 3", 10, 60)
    bar._bar.refresh()
    bar.on_train_end(trainer, STEPPING)
    line = next(line for line in screen.getvalue().splitlines() if "loss 0.1235  F1 0.75  " in line)
    assert "images/s" in line
    assert " GB " in line
    assert line.endswith("left")


def test_a_training_without_an_end_has_a_bar_as_well(trainer, monkeypatch):
    terminal(monkeypatch)
    trainer.estimated_stepping_batches = float("inf")
    bar = Bar()
    bar.on_train_start(trainer, STEPPING)
    assert bar._bar.tasks[0].total is None
    bar.on_exception(trainer, STEPPING, KeyboardInterrupt())
    assert bar._bar is None


def test_outside_a_terminal_there_are_lines_alone():
    assert type(progress.progress()) is EpochLines
