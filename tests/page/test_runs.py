"""Which runs the page offers, and what it does with their own photos."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from anodice.errors import AnodiceError
from anodice.page.own_photos import class_mean, errors, examples, photo_root, read_own
from anodice.page.runs import open_run, usable_runs
from anodice.prediction.prediction import Unreadable


@pytest.fixture
def run(finished_run):
    return open_run(finished_run)


def test_finished_runs_are_offered_by_name_the_newest_first(finished_run, tmp_path):
    for age, name in enumerate(("runs/new", "multiruns/sweep/old")):
        shutil.copytree(finished_run, tmp_path / name)
        os.utime(tmp_path / name / "checkpoints" / "best.ckpt", (1e9 - age, 1e9 - age))
    (tmp_path / "runs" / "unfinished").mkdir()
    (tmp_path / "runs" / "unfinished" / "config.yaml").touch()
    assert list(usable_runs(tmp_path)) == ["new", "multiruns/sweep/old"]
    assert usable_runs(tmp_path / "nowhere") == {}


def test_a_run_without_scores_is_told(finished_run, tmp_path):
    broken = shutil.copytree(finished_run, tmp_path / "run")
    (broken / "scores.csv").unlink()
    with pytest.raises(AnodiceError, match=r"scores\.csv, which is missing; make it again with python evaluate\.py"):
        open_run(broken)


def test_examples_are_the_test_photos_anomalous_ones_first(run, dice_root):
    found = examples(run)
    assert photo_root(run) == dice_root
    assert sorted(found) == sorted(run.scores.published.path.tolist())
    assert "/ano/" in found[0]
    assert read_own(run, found[0]) == (dice_root / found[0]).read_bytes()


def test_no_other_file_is_read_in_place_of_an_example(run, writable_dice, monkeypatch):
    monkeypatch.setattr("anodice.page.own_photos.photo_root", lambda _: writable_dice)
    path = examples(run)[0]
    Image.new("L", (64, 64)).save(writable_dice / path, "PNG")
    assert "not the photo that it was" in read_own(run, path).reason
    (writable_dice / path).write_text("no photo")
    assert "cannot be decoded" in read_own(run, path).reason
    assert isinstance(read_own(run, "../../etc/passwd"), Unreadable)


def test_the_mean_of_a_class_is_that_of_its_normal_validation_photos(run, dice_root):
    mean, number = class_mean(run, "05")
    validation = run.scores.validation
    paths = validation.path[(validation.class_name == "05") & ~validation.label]
    expected = np.mean([np.asarray(Image.open(dice_root / path)) for path in paths], axis=0)
    assert number == len(paths) > 0
    assert np.abs(mean[..., 0] - expected).max() <= 0.5
    assert class_mean(run, "no class") is None


def test_errors_are_the_wrong_verdicts_on_test_misses_first(run):
    test, threshold = run.scores.published, run.predictor.threshold
    found = list(errors(test, threshold))
    wrong = threshold.flags(test.score, test.predicted) != test.label
    assert {path for path, _ in found} == set(test.path[wrong].tolist())
    assert [kind for _, kind in found] == sorted((kind for _, kind in found), reverse=True)


def test_galleries_are_those_that_are_there(run):
    assert set(run.galleries()) >= {"Misses", "False alarms", "Nearest calls"}
