"""Run folders from before the parts had their present names: kept as they were, and judged the same."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from anodice.app.earlier_configs import in_present_names
from anodice.app.run_folder import read_config
from anodice.errors import AnodiceError
from anodice.models.conv_ae import ConvAE
from anodice.models.loading import load_weights
from anodice.models.memory_detector import EncoderMemory
from anodice.programs.evaluate import evaluate_runs

KEPT = Path(__file__).parents[1] / "kept"
RUNS = {"conv_ae": ConvAE, "patchcore": EncoderMemory}


@pytest.fixture(params=RUNS)
def run(request, tmp_path):
    """A copy of a kept run folder."""
    return Path(shutil.copytree(KEPT / request.param, tmp_path / request.param))


def rows(run):
    with (run / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_detector_is_made_and_its_weights_fit(run):
    detector = instantiate(read_config(run).model)
    load_weights(detector, run / "checkpoints" / "best.ckpt")
    assert type(detector) is RUNS[run.name]
    assert detector.is_fitted


def test_a_rule_from_a_stranger_is_not_built(run, dice_root, tmp_path):
    config = OmegaConf.load(run / "config.yaml")
    config.data.cache_dir = str(tmp_path / "cache")
    config.threshold = {"_target_": "pathlib.Path.touch", "self": str(tmp_path / "executed")}
    OmegaConf.save(config, run / "config.yaml")
    asked = {"run": str(run), "data": {"root": str(dice_root)}, "paths": {"log_dir": str(tmp_path)}}
    with pytest.raises(AnodiceError, match=r"got 'pathlib\.Path\.touch', which is not built"):
        evaluate_runs(OmegaConf.create(asked))
    assert not (tmp_path / "executed").exists()


def test_evaluating_again_gives_the_same_scores_thresholds_and_figures(run, dice_root, tmp_path):
    config = OmegaConf.load(run / "config.yaml")
    config.data.cache_dir = str(tmp_path / "cache")
    config.threads = 1
    OmegaConf.save(config, run / "config.yaml")
    before = {name: (run / name).read_text() for name in ("threshold.json", "metrics.json")}
    kept = rows(run)
    asked = {"run": str(run), "data": {"root": str(dice_root)}, "paths": {"log_dir": str(tmp_path)}}
    evaluate_runs(OmegaConf.create(asked))
    again = rows(run)
    assert {row["near_leaked"] for row in again} <= {"0", "1"}
    assert [{**row, "score": None} for row in kept] == [
        {**{k: row[k] for k in kept[0]}, "score": None} for row in again
    ]
    # Another processor may round otherwise in the last digits; on that of the kept run they are equal.
    for row, old in zip(again, kept, strict=True):
        assert float(row["score"]) == pytest.approx(float(old["score"]), rel=2e-5)
    found, expected = json.loads((run / "metrics.json").read_text()), json.loads(before["metrics.json"])
    for part in ("published", "clean"):
        # What f1_max was when the run was made is the plain maximum today.
        rules = ((found, "f1_max_plain"), (expected, "f1_max"))
        at = [metrics["test"][part]["at"][rule] for metrics, rule in rules]
        assert [at[0][name] for name in ("tp", "fp", "fn", "tn")] == [at[1][name] for name in ("tp", "fp", "fn", "tn")]
        assert at[0]["f1"] == at[1]["f1"]


def test_a_config_of_today_comes_back_as_it_is(run):
    today = read_config(run)
    assert in_present_names(today) == today


def test_every_name_in_a_kept_config_is_there(run):
    def names(node):
        if isinstance(node, dict):
            yield from ([node["_target_"]] if "_target_" in node else [])
            for value in node.values():
                yield from names(value)

    told = OmegaConf.to_container(read_config(run), resolve=True)
    found = list(names({key: told[key] for key in ("data", "model", "callbacks", "threshold")}))
    assert len(found) > 15
    for name in found:
        module, _, attribute = name.rpartition(".")
        assert hasattr(__import__(module, fromlist=[attribute]), attribute), name
