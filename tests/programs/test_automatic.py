"""`model=auto` becomes a plain config: that of the detector by hand, told to nobody but the log."""

from __future__ import annotations

import json
import logging

import pytest
from omegaconf import OmegaConf

from anodice.app.configs import composed
from anodice.evaluation.score_table import read_scores
from anodice.objects.dataset import write_object
from anodice.prediction.predictor import Predictor
from anodice.programs.automatic import automatic
from anodice.programs.evaluate import evaluate_runs
from anodice.programs.train import train
from tests.runs import configured


@pytest.fixture
def bolts(tmp_path):
    return write_object(tmp_path / "bolts", kind="bolts", train=34, test_good=4, test_flawed=2, size=64)


def _resolved(config):
    return OmegaConf.to_container(config, resolve=True)


def test_on_dice_it_is_the_config_by_hand_to_the_last_key(dice_root, tmp_path):
    words = ["data=dice11", f"data.root={dice_root}", f"paths.cache_dir={tmp_path}"]
    chosen = automatic(composed("train", ["model=auto", *words]).config, ["model=auto", *words])
    assert _resolved(chosen) == _resolved(composed("train", ["model=local_memory", *words]).config)
    resolved = OmegaConf.create(_resolved(composed("train", ["model=auto", *words]).config))
    assert _resolved(automatic(resolved)) == _resolved(chosen)


def test_other_models_are_left_alone():
    config = composed("train", ["model=vae"]).config
    assert automatic(config) is config


def test_settings_by_hand_are_kept_and_three_sentences_are_told(bolts, tmp_path, caplog):
    words = ["model=auto", "data=mvtec", f"data.root={bolts}", f"paths.cache_dir={tmp_path}", "data.image_size=64"]
    words += ["augmentation=none", "model.pretrained=false"]
    with caplog.at_level(logging.INFO, "anodice.programs.automatic"):
        chosen = automatic(composed("train", words).config, words)
    assert (chosen.name.model, chosen.data.image_size, chosen.augmentation) == ("local_memory", 64, None)
    assert chosen.data.orientation._target_ == "anodice.data.pose.LongAxis"
    assert len(caplog.messages) == 3
    assert "at any angle with a long axis" in caplog.messages[0]
    assert "data.image_size=64, augmentation=none" in caplog.messages[2]


def test_a_run_is_trained_evaluated_and_predicted_as_any_other(bolts, tmp_path):
    words = ["model=auto", "data=mvtec", "model.detector=padim", "model.pretrained=false", "figure_formats=[]"]
    train(configured(bolts, tmp_path, *words), tmp_path / "run", changes=words)
    run = tmp_path / "run"
    told = read_scores(run / "scores.csv")
    assert json.loads((run / "metrics.json").read_text())["model"] == "padim"
    assert "auto" not in (run / "config.yaml").read_text().replace("accelerator: auto", "").replace("threads: auto", "")
    evaluate_runs(OmegaConf.create({"run": str(run), "data": {"root": None}, "paths": {"log_dir": str(tmp_path)}}))
    assert (read_scores(run / "scores.csv").score == told.score).all()
    predictor = Predictor.from_run(run)
    found = predictor([bolts / path for path in told.path])  # turned as in training
    assert [one.score for one in found] == pytest.approx(told.score.tolist(), rel=1e-3)
