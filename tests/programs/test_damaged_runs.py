"""Damaged run folders: each command ends in a sentence or gives the figures of before, never others."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from anodice.app.files import forget_checksums
from anodice.errors import AnodiceError
from anodice.models.loading import read_checkpoint
from anodice.prediction.predictor import Predictor
from anodice.programs.evaluate import evaluate_runs
from anodice.programs.train import train

FILES = ("config.yaml", "metrics.json", "split.json", "threshold.json", "prediction.json", "scores.csv")
CHECKPOINTS = ("checkpoints/best.ckpt", "checkpoints/last.ckpt")


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES = {
    "halved": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "a list": lambda data: b"[1, 2]\n",
    "a word": lambda data: b"abc",
    "random": lambda data: random.Random(0).randbytes(len(data)),
    "flipped": _flipped,
    "zeros": lambda data: data[:100] + bytes(min(4096, len(data) - 200)) + data[min(4196, len(data) - 100) :],
    "removed": None,
}


@pytest.fixture
def run(finished_run, tmp_path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("anodice.programs.train._draw", lambda *drawn: None)
    monkeypatch.setattr("anodice.programs.evaluate.save_figures", lambda *drawn, **options: None)


def damage(path: Path, how: str) -> None:
    change = DAMAGES[how]
    data = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(data))


def evaluated(run: Path, **options) -> dict:
    asked = {"run": str(run), "data": {"root": None}, "paths": {"log_dir": str(run.parent)}, "rescore": False}
    return next(iter(evaluate_runs(OmegaConf.create(asked | options)).values())).metrics


def whole(metrics: dict) -> dict:
    return {name: value for name, value in metrics.items() if name != "score_milliseconds"}


@pytest.mark.parametrize("noted", [True, False], ids=["with checksums", "of before"])
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", [*FILES, *CHECKPOINTS])
def test_no_command_gives_other_figures_of_a_damaged_run(name, how, noted, run, dice_root):
    if not noted:
        if how == "flipped" and name not in CHECKPOINTS:
            pytest.skip("a digit for a digit: without a checksum nobody can tell")
        (run / "checksums.json").unlink()
    before = whole(json.loads((run / "metrics.json").read_text()))
    photo = next((dice_root / "test_set" / "ano").iterdir())
    score = Predictor.from_run(run)(photo).score
    damage(run / name, how)
    answered, told = 0, []
    for command in ("predict", "tell", "threshold"):
        try:
            if command == "predict":
                assert Predictor.from_run(run)(photo).score == score
            else:
                rule = {"_target_": "anodice.thresholds.f1.F1Max"} if command == "threshold" else None
                found = whole(evaluated(run, threshold=rule))
                assert found["test"] == before["test"]
            answered += 1
        except AnodiceError as error:
            told.append(str(error))
    assert not any("\n" in words for words in told)
    # Nothing but a training to go on with reads the last checkpoint; figures that are missing are made anew.
    assert answered < 3 or name == "checkpoints/last.ckpt" or (name, how) == ("metrics.json", "removed")


@pytest.mark.parametrize("name", ["metrics.json", "scores.csv", "threshold.json", "prediction.json"])
def test_scoring_again_makes_the_results_anew(name, run):
    before = json.loads((run / "metrics.json").read_text())
    damage(run / name, "halved")
    found = evaluated(run, rescore=True)
    assert found["test"] == before["test"]
    assert Predictor.from_run(run).threshold.value == before["test"]["clean"]["at"]["f1_max"]["threshold"]
    if name == "metrics.json":
        assert found["fit_seconds"] is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (lambda line: ",".join([*line.split(",")[:5], "true", *line.split(",")[6:]]), "label"),
        (lambda line: ",".join([*line.split(",")[:6], "abc", *line.split(",")[7:]]), "score"),
        (lambda line: ",".join([*line.split(",")[:6], "nan", *line.split(",")[7:]]), "score"),
        (lambda line: line.replace(",", ";"), "expected 13 values"),
        (lambda line: line[:20], "expected 13 values"),
        (lambda line: line.replace(",test,", ",train,"), "split"),
    ],
)
def test_each_value_of_the_scores_is_checked(line, told, run):
    (run / "checksums.json").unlink()
    lines = (run / "scores.csv").read_text().splitlines()
    (run / "scores.csv").write_text("\n".join([*lines[:-1], line(lines[-1])]) + "\n")
    with pytest.raises(AnodiceError, match=told):
        evaluated(run)


def test_rows_that_are_missing_are_counted(run):
    (run / "checksums.json").unlink()
    lines = (run / "scores.csv").read_text().splitlines()
    (run / "scores.csv").write_text("\n".join(lines[:-5]) + "\n")
    with pytest.raises(AnodiceError, match=r"holds 22 normal and 3 anomalous rows of published, where metrics\.json"):
        evaluated(run)


def resumed(run: Path, *changes: str) -> None:
    given = OmegaConf.create({"resume": str(run), "threads": 1})
    train(given, run, changes=changes)


@pytest.mark.parametrize("how", ["flipped", "removed"])
def test_a_cut_training_goes_on_from_the_checkpoint_that_is_whole(how, run, caplog):
    before = (run / "scores.csv").read_bytes()
    damage(run / "checkpoints/last.ckpt", how)
    resumed(run)
    assert "going on from checkpoints/best.ckpt" in caplog.text
    assert (run / "scores.csv").read_bytes() == before


def test_with_no_whole_checkpoint_nothing_is_written_over(run):
    for name in CHECKPOINTS:
        damage(run / name, "halved")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(AnodiceError, match=r"last\.ckpt as it was written, but its checksum differs"):
        resumed(run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_was_cut_before_its_first_checkpoint_starts_over(run, caplog):
    before = (run / "scores.csv").read_bytes()
    shutil.rmtree(run / "checkpoints")
    resumed(run)
    assert "was cut before its first checkpoint: it starts over" in caplog.text
    assert (run / "scores.csv").read_bytes() == before


def test_photos_that_changed_are_told_before_anything_is_written(run, writable_dice):
    with_others = OmegaConf.load(run / "config.yaml")
    with_others.data.root = str(writable_dice)
    OmegaConf.save(with_others, run / "config.yaml")
    forget_checksums(run, "config.yaml")
    next((writable_dice / "train_set" / "03").iterdir()).unlink()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(AnodiceError, match="bring the photos back as they were"):
        resumed(run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("model.image_size", 32, "expected model.image_size=64"),
        ("model.comparison", "ncc", "expected model.comparison="),
        ("data.image_size", 32, r"expected data\.image_size=64|model\.image_size"),
        ("model.classes", "abc", "expected model.classes=|arguments that make"),
        ("data.root", "${oc.env:HOME}", r"got data\.root: \$\{oc\.env:HOME\}"),
        ("data.border_radius", "wide", "arguments that make|expected"),
    ],
)
def test_a_config_that_was_changed_by_hand_is_told(key, value, told, run):
    config = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(config, key, value)
    OmegaConf.save(config, run / "config.yaml")
    (run / "checksums.json").unlink()
    with pytest.raises(AnodiceError, match=told):
        evaluated(run, rescore=True)


def test_aliases_by_which_a_small_config_grows_are_refused(run):
    lines = ["a0: &a0 [x, x]", *(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 40))]
    (run / "config.yaml").write_text("\n".join(lines) + "\n" + (run / "config.yaml").read_text())
    (run / "checksums.json").unlink()
    with pytest.raises(AnodiceError, match="aliases"):
        Predictor.from_run(run)


class _Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


def test_a_mailed_run_executes_nothing_where_it_is_gone_on_with(run, tmp_path):
    (run / "checksums.json").unlink()
    mark = tmp_path / "executed"
    whole_config = (run / "config.yaml").read_text()
    for key in ("model", "callbacks.more", "trainer", "logger.more", "threshold", "data.layout"):
        config = OmegaConf.create(whole_config)
        OmegaConf.update(config, key, {"_target_": "pathlib.Path.touch", "self": str(mark)}, force_add=True)
        OmegaConf.save(config, run / "config.yaml")
        with pytest.raises(AnodiceError, match=r"got 'pathlib\.Path\.touch', which is not built|damaged"):
            resumed(run)
    (run / "config.yaml").write_text(whole_config)
    for name in CHECKPOINTS:
        torch.save({"state_dict": _Payload(mark), "epoch": 1, "global_step": 1}, run / name)
    with pytest.raises(AnodiceError, match="it holds more than numbers, words and tensors"):
        resumed(run)
    with pytest.raises(AnodiceError, match="it holds more than numbers, words and tensors"):
        read_checkpoint(run / CHECKPOINTS[0])
    assert not mark.exists()


def test_environment_variables_are_not_looked_up_from_a_run(run, monkeypatch):
    monkeypatch.setenv("SECRET", "of mine")
    (run / "checksums.json").unlink()
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("  model: template", "  model: ${oc.env:SECRET}"))
    for command in (Predictor.from_run, resumed, lambda run: evaluated(run, rescore=True)):
        with pytest.raises(AnodiceError, match=r"name\.model: \$\{oc\.env:SECRET\}") as told:
            command(run)
        assert "of mine" not in str(told.value)
