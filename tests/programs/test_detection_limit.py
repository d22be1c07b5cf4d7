"""The script tells from which size and contrast on painted defects are found."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from anodice.app.recipe import recipe
from anodice.augmentation.graded_defects import GRADED_DEFECTS
from anodice.errors import AnodiceError
from anodice.models.detector import Detector, Scored
from anodice.programs import detection_limit as limits
from anodice.thresholds.rules import FlagEverything, Manual

PROJECT = Path(__file__).parents[2]


class Recognises(Detector):
    """Scores an image by the grey levels, summed up, by which it differs from the nearest photo that it knows."""

    known = torch.zeros(0)

    def assess(self, images):
        away = 255 * (images[:, None] - self.known).abs().sum(2, keepdim=True)  # (N, known, 1, H, W)
        scores, nearest = away.flatten(2).double().sum(2).min(1)
        return Scored(away[torch.arange(len(images)), nearest], scores)


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """The detector of this file is none of the package's."""
    monkeypatch.setenv("ANODICE_PACKAGES", "tests")


@pytest.fixture
def run(data_module, dice_root, tmp_path, monkeypatch):
    """Makes the folder of a run of `Recognises`, which knows all test photos, with the threshold of a rule."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    made = data_module(dice_root)
    model = {"_target_": f"{__name__}.Recognises", "image_size": 64, "in_channels": 1}
    told = {"seed": 0, "name": {"model": "recognises", "data": "dice11"}, "threshold": recipe(Manual(450.0))}
    config = {"data": recipe(made), "model": model, "trainer": {"accelerator": "cpu"}, **told}
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    (folder / "split.json").write_text(json.dumps({"digest": made.photos.split.digest}))
    torch.save({"state_dict": {}, "epoch": 0, "global_step": 0}, folder / "checkpoints" / "best.ckpt")
    pixels = made.photos.pixels[made.photos.rows[list(made.photos.split.test)]]
    monkeypatch.setattr(Recognises, "known", made.transform(torch.from_numpy(np.array(pixels))))

    def with_threshold(rule):
        fitted = rule.fit([], [], fitted_on="validation", split_digest="")
        entry = {**fitted.as_dict(), "chosen": True, "sentence": fitted.sentence()}
        (folder / "threshold.json").write_text(
            json.dumps({"other": {"value": None, "reason": "too few"}, rule.name: entry})
        )
        return folder

    return with_threshold


def _rows(folder, name):
    with (folder / "detection_limit" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_limits_are_where_contrast_times_area_reaches_the_threshold(run):
    folder = run(Manual(450.0))
    text = limits.detection_limit(folder, root=None, photos=10, seed=0)
    assert {p.name for p in (folder / "detection_limit").iterdir()} == {
        *("detection_limit.md", "detection_limit.png", "limits.csv", "recall.csv"),
    }
    assert "0 of 10 photos are left out" in text
    for row in _rows(folder, "recall"):
        kind, size, contrast = GRADED_DEFECTS[row["kind"]], float(row["size"]), float(row["contrast"])
        # The photos are half as wide as those that the sizes of the kinds are for.
        area = math.pi * size**2 / 4 if kind.width is None else size * kind.width / 2
        if row["recall"] != "" and not 0.85 < contrast * area / 450 < 1.15:
            assert float(row["recall"]) == (contrast * area > 450), row
    found = {(r["kind"], r["contrast"], r["share"]): r for r in _rows(folder, "limits")}
    strong = found["dark_blot", "160", "0.5"]
    # Between the painted diameters of 1.5 and 2, which have areas of 1.8 and 3.1.
    assert 1.5 <= float(strong["low"]) <= float(strong["size"]) <= float(strong["high"]) <= 2
    assert found["scratch", "10", "0.95"]["size"] == "inf"
    assert "dark scratch, 1 pixel wide" in text


def test_an_easy_run_finds_the_smallest_and_a_hard_one_finds_nothing(run):
    easy = limits.detection_limit(run(Manual(0.5)), root=None, photos=6, seed=0)
    assert "found half of the time already below a diameter of 0.5 pixels" in easy
    hard = limits.detection_limit(run(Manual(1e9)), root=None, photos=6, seed=0)
    assert "found half of the time not even at a diameter of 8 pixels" in hard
    assert all(kind.what in hard for kind in GRADED_DEFECTS.values())


def test_same_seed_same_report(run):
    folder = run(Manual(300.0))
    first = limits.detection_limit(folder, root=None, photos=6, seed=1)
    assert limits.detection_limit(folder, root=None, photos=6, seed=1) == first


def test_a_threshold_that_flags_normal_photos_is_refused(run):
    with pytest.raises(AnodiceError, match=r"at least 5 clean normal test photos .* got 0 of 22"):
        limits.detection_limit(run(FlagEverything()), root=None, photos=60, seed=0)


def test_too_few_photos_are_refused(run):
    with pytest.raises(AnodiceError, match="at least 5 photos to paint on, got 4"):
        limits.detection_limit(run(Manual(1e9)), root=None, photos=4, seed=0)


def test_a_run_without_threshold_is_to_be_evaluated_first(run):
    folder = run(Manual(1e9))
    (folder / "threshold.json").unlink()
    with pytest.raises(AnodiceError, match=r"threshold.json, which is missing; make it again with python evaluate.py"):
        limits.detection_limit(folder, root=None, photos=6, seed=0)


def test_the_script_says_in_a_sentence_what_is_wrong(tmp_path):
    command = [
        sys.executable,
        str(PROJECT / "scripts" / "detection_limit.py"),
        "run=latest",
        "--log-dir",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: expected a run with checkpoints/best.ckpt under")
