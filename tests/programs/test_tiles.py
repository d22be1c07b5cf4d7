"""Trainings on the tiles of large photos: scored, evaluated, predicted and exported alike."""

from __future__ import annotations

import json

import pytest
from omegaconf import OmegaConf

from anodice.evaluation.score_table import read_scores
from anodice.objects.dataset import write_object
from anodice.prediction.export import export
from anodice.prediction.predictor import Predictor
from anodice.programs.evaluate import evaluate_runs
from anodice.programs.loading import load_run
from anodice.programs.train import train
from tests.runs import configured


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("conv_ae", marks=pytest.mark.slow),
        pytest.param("local_memory", marks=pytest.mark.slow),
        "template",
    ],
)
def test_tiles_give_one_map_and_one_score_for_each_photo(model, tmp_path):
    root = write_object(tmp_path / "rulers", kind="rulers", train=33, test_good=4, test_flawed=2, size=64)
    options = ["data=mvtec", "data.tile=[1,3]", f"model={model}", "figure_formats=[]"]
    options += ["model.comparison=mse"] if model == "template" else []
    train(configured(root, tmp_path, *options), tmp_path / "run")
    run = tmp_path / "run"
    told = read_scores(run / "scores.csv")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["published"]["pixels"]["auroc"] is not None

    evaluate_runs(OmegaConf.create({"run": str(run), "data": {"root": None}, "paths": {"log_dir": str(tmp_path)}}))
    assert (read_scores(run / "scores.csv").score == told.score).all()

    predictor = Predictor.from_run(run, threshold=float(told.score.min()))
    found = predictor([root / path for path in told.path])
    assert [one.score for one in found] == pytest.approx(told.score.tolist(), rel=1e-3, abs=1e-7)
    assert {one.map.shape for one in found} == {(64, 176)}
    assert {one.size for one in found} == {(192, 64)}
    assert all(0 <= region.box[0] < region.box[2] <= 192 for one in found for region in one.regions)

    if model == "template":
        pytest.importorskip("onnxruntime")
        detector, _ = load_run(run, None)
        export(detector.cpu(), predictor.settings, tmp_path / "model.onnx", format="onnx")
        again = Predictor.from_export(tmp_path / "model.onnx")([root / path for path in told.path])
        assert [one.score for one in again] == pytest.approx(told.score.tolist(), rel=1e-3)
