"""The script that puts a detector of anomalib beside a run; anomalib itself is not among our dependencies."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anodice.app.configs import composed
from anodice.errors import AnodiceError
from anodice.evaluation.run_results import read_scores

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    path = PROJECT / "scripts" / "beside_anomalib.py"
    specification = importlib.util.spec_from_file_location("beside_anomalib", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def call(command: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROJECT / command), *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_its_scores_get_thresholds_and_figures_as_ours_do_and_are_compared(script, dice_root, tmp_path, monkeypatch):
    logs = f"paths.log_dir={tmp_path}"
    data = ["data=dice11", f"data.root={dice_root}", "data.image_size=64", "split.validation_fraction=0.34"]
    call("train.py", "model=template", *data, logs, f"paths.cache_dir={tmp_path / 'cache'}", "trainer.accelerator=cpu")
    fitted = []

    def knows(detector, photos, fit, *, epochs):
        """In place of anomalib's: knows the anomalies, but one that it misses."""
        fitted.extend(fit)
        scores = np.array([float(record.anomalous) for record in photos.records])
        scores[next(i for i in photos.split.test if photos.records[i].anomalous)] = -1
        return scores, {"fit_seconds": 1.5, "score_milliseconds": 2.5}

    monkeypatch.setattr(script, "make", lambda name, settings, weights, image_size: torch.nn.Linear(3, 2))
    monkeypatch.setattr(script, "fit_and_score", knows)
    script.main(["run=latest", "--log-dir", str(tmp_path), "--detector", "Padim", "--per-class", "2", "n_features=7"])
    folder = tmp_path / "runs" / "anomalib_Padim"
    metrics, table = json.loads((folder / "metrics.json").read_text()), read_scores(folder)
    assert (metrics["model"], metrics["parameters"]) == ("anomalib's Padim", 8)
    assert (metrics["fit_seconds"], metrics["score_milliseconds"]) == (1.5, 2.5)
    clean = metrics["test"]["clean"]["at"]["f1_max"]
    assert (clean["fp"], clean["fn"]) == (0, 1)
    assert len(fitted) == 2 * 11
    assert set(table.score) == {-1.0, 0.0, 1.0}
    ours = next(run for run in (tmp_path / "runs").iterdir() if run != folder)
    told = call("evaluate.py", f"run=[{ours},{folder}]", "threshold=normals_only", logs)
    assert "anomalib_Padim" in told
    assert "Pairs of runs on the same clean test images" in told


def test_photos_are_written_as_our_detectors_see_them(script, data_module, dice_root, tmp_path):
    photos = data_module(dice_root).photos
    script._write(photos, [3, 5], tmp_path / "photos")
    assert sorted(path.name for path in (tmp_path / "photos").iterdir()) == ["3.png", "5.png"]
    with Image.open(tmp_path / "photos" / "5.png") as image:
        np.testing.assert_array_equal(np.asarray(image), photos.pixels[photos.rows[5], ..., 0])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["model=patchcore", "model.memory.coreset=0.1"],
            ("Patchcore", {"coreset_sampling_ratio": 0.1, "num_neighbors": 9, "layers": ["blocks.2", "blocks.4"]}),
        ),
        (
            ["model=padim", "model.backbone.layers=[blocks.1,blocks.2]", "model.memory.features=50"],
            ("Padim", {"n_features": 50, "layers": ["blocks.1", "blocks.2"]}),
        ),
    ],
    ids=["patchcore", "padim"],
)
def test_the_same_detector_has_the_same_parts(script, overrides, expected):
    config = composed("train", [*overrides, "model/backbone=timm", "model.backbone.weights=FILE"]).config
    name, settings, weights = script._counterpart(config)
    assert (name, settings) == (expected[0], {"backbone": "tf_efficientnet_lite0", **expected[1]})
    assert weights == Path("FILE")


@pytest.mark.parametrize("overrides", [["model=vae"], ["model=padim"], ["model=local_memory", "model/backbone=timm"]])
def test_of_other_detectors_there_is_none_that_is_the_same(script, overrides):
    with pytest.raises(
        AnodiceError, match=r"expected a run of model=patchcore or model=padim with model/backbone=timm"
    ):
        script._counterpart(composed("train", overrides).config)


def test_without_anomalib_there_is_a_sentence(script, monkeypatch):
    monkeypatch.setitem(sys.modules, "anomalib", None)
    with pytest.raises(AnodiceError, match="expected anomalib, which is not installed; pip install anomalib"):
        script.make("Padim", {}, None, 64)
