"""Robustness of a run: the figures, the tables, and the script on a small run."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from anodice.app import run_folder
from anodice.app.files import write_json
from anodice.app.recipe import recipe
from anodice.augmentation.perturbations import PERTURBATIONS, Perturbation
from anodice.errors import AnodiceError
from anodice.evaluation.robustness import measure_robustness
from anodice.evaluation.run_results import THRESHOLDS
from anodice.models.detector import Detector, Scored
from anodice.programs.robustness import fixed_thresholds
from anodice.reporting.plots.severity import curves
from anodice.reporting.robustness import compare, tables
from anodice.thresholds.threshold import Threshold

SCRIPT = Path(__file__).parents[2] / "scripts" / "robustness.py"


class MeanLevel(Detector):
    """Scores an image by its mean grey level, and takes light ones for class 01."""

    classes = ("00", "01")

    def assess(self, images):
        means = images.double().mean((1, 2, 3))
        return Scored(images, means, (means > 0.5).long())


def threshold(value, rule="f1_max"):
    return Threshold(value, rule, normals=22, anomalies=8, fitted_on="validation", split_digest="abcdef0123")


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """The detector of this file is none of the package's."""
    monkeypatch.setenv("ANODICE_PACKAGES", "tests")


@pytest.fixture
def data(data_module, writable_dice):
    """Over a drawn set with two copies of training photos in its test folder."""
    for name in ("00", "07"):
        source = sorted((writable_dice / "train_set" / name).iterdir())[0]
        shutil.copy(source, writable_dice / "test_set" / name / f"copy_{source.name}")
    made = data_module(writable_dice)
    assert len(made.photos.split.leaked) == 2
    return made


@pytest.fixture
def measured(data):
    detector = MeanLevel(image_size=64, in_channels=1)
    thresholds = {"f1_max": threshold(0.5), "normals_only": threshold(0.6, "normals_only")}
    return measure_robustness(detector, data, thresholds, names=["brightness", "jpeg"], severities=[1, 3], seed=0)


def test_figures_are_those_of_the_clean_test_photos(measured, data):
    split = data.photos.split
    clean = [i for i in split.test if i not in split.leaked]
    labels = np.array([data.photos.records[i].anomalous for i in clean])
    means = np.array([data.photos.pixels[data.photos.rows[i]].mean() / 255 for i in clean])
    assert measured["images"] == {"normals": int((~labels).sum()), "anomalies": int(labels.sum())}
    higher = (means[labels][:, None] > means[~labels]).mean()
    assert measured["unchanged"]["auroc"] == pytest.approx(higher)
    at = measured["unchanged"]["at"]["f1_max"]
    assert at["tp"] == ((means >= 0.5) & labels).sum()
    assert at["fp"] == ((means >= 0.5) & ~labels).sum()
    assert at["f1"] == pytest.approx(2 * at["tp"] / (2 * at["tp"] + at["fp"] + at["fn"]))


def test_figures_follow_the_perturbation(data, monkeypatch):
    lighter = Perturbation(lambda images, amount, generators: images + amount, (0.1, 0.2, 0.3, 0.4, 1.0), "levels")
    monkeypatch.setitem(PERTURBATIONS, "lighter", lighter)
    detector = MeanLevel(image_size=64, in_channels=1)
    found = measure_robustness(
        detector, data, {"f1_max": threshold(0.99)}, names=["lighter"], severities=[1, 5], seed=0
    )
    normals, anomalies = found["images"]["normals"], found["images"]["anomalies"]
    white = found["perturbed"]["lighter"]["5"]
    assert white["auroc"] == 0.5
    assert (white["at"]["f1_max"]["fp"], white["at"]["f1_max"]["tp"]) == (normals, anomalies)
    assert found["unchanged"]["at"]["f1_max"]["fp"] == 0


def test_figures_do_not_depend_on_the_batch_size(data_module, dice_root):
    detector = MeanLevel(image_size=64, in_channels=1)
    found = [
        measure_robustness(detector, data, {"f1_max": threshold(0.5)}, names=["glare", "shift"], severities=[5], seed=0)
        for data in (data_module(dice_root, batch_size=1), data_module(dice_root, batch_size=29))
    ]
    assert found[0] == found[1]


def test_thresholds_of_classes_are_applied_by_class(data):
    by_class = Threshold(9.0, "per_class", 22, 8, "validation", "abcd", by_class={"00": 9.0, "01": 0.0})
    detector = MeanLevel(image_size=64, in_channels=1)
    found = measure_robustness(
        detector, data, {"per_class": by_class, "f1_max": threshold(0.5)}, names=["noise"], severities=[2], seed=0
    )
    for row in (found["unchanged"], found["perturbed"]["noise"]["2"]):
        assert row["at"]["per_class"] == row["at"]["f1_max"]


def test_means_average_the_perturbations(measured):
    for severity in ("1", "3"):
        rows = [found[severity] for found in measured["perturbed"].values()]
        mean = measured["mean"][severity]
        assert mean["auroc"] == pytest.approx(np.mean([row["auroc"] for row in rows]))
        assert mean["at"]["f1_max"]["f1"] == pytest.approx(np.mean([row["at"]["f1_max"]["f1"] for row in rows]))


def test_tables_name_every_perturbation_and_threshold(measured):
    text = tables(measured)
    assert text.count("| brightness ") == text.count("| jpeg ") == 3
    assert "| perturbation | 1 " in text
    assert "normals_only: 0.6" in text
    at = measured["perturbed"]["jpeg"]["3"]["at"]["f1_max"]
    assert f"{at['f1']:.3f} ({at['fp']} + {at['fn']})" in text
    assert "60, 40, 25, 15, 10 (quality)" in text
    assert "glare" not in text


def test_without_anomalies_false_alarms_are_still_counted(measured):
    def without(row):
        at = {rule: {**found, "f1": None, "fn": 0} for rule, found in row["at"].items()}
        return {"auroc": None, "at": at}

    perturbed = {n: {s: without(row) for s, row in rows.items()} for n, rows in measured["perturbed"].items()}
    changed = {**measured, "unchanged": without(measured["unchanged"]), "perturbed": perturbed}
    alarms = measured["unchanged"]["at"]["f1_max"]["fp"]
    assert f"n/a ({alarms} + 0)" in tables(changed)
    curves(changed, title="no anomalies")


def test_compare_shows_severity_3_of_every_run(measured):
    rows = compare({"one": measured, "two": measured}).splitlines()
    assert rows[0] == "AUROC at severity 3:"
    assert [row.split("|")[1].strip() for row in rows[4:]] == ["one", "two"]
    assert f"{measured['mean']['3']['auroc']:.4f}" in rows[4]


def test_curves_start_at_the_unchanged_photos(measured):
    figure = curves(measured, title="mean level")
    assert [axis.get_title() for axis in figure.axes] == ["AUROC", "F1 at f1_max", "F1 at normals_only"]
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 1, 3]
    assert line.get_ydata()[0] == measured["unchanged"]["auroc"]


def _thresholds_file(folder, **rules):
    content = {
        name: {**found.as_dict(), "chosen": chosen, "sentence": found.sentence()}
        for name, (found, chosen) in rules.items()
    }
    write_json(folder / THRESHOLDS, content)


def test_fixed_thresholds_are_the_chosen_one_and_that_of_the_normals(tmp_path):
    normal = threshold(2.0, "normals_only")
    everything = threshold(-1.0, "flag_everything")
    _thresholds_file(
        tmp_path, normals_only=(normal, False), flag_everything=(everything, False), f1_max=(threshold(1.0), True)
    )
    assert fixed_thresholds(tmp_path) == {"f1_max": threshold(1.0), "normals_only": normal}
    assert list(fixed_thresholds(tmp_path)) == ["f1_max", "normals_only"]
    _thresholds_file(tmp_path, f1_max=(threshold(1.0), False), normals_only=(normal, True))
    assert fixed_thresholds(tmp_path) == {"normals_only": normal}


def test_a_rule_that_could_not_be_fitted_is_left_out(tmp_path):
    _thresholds_file(tmp_path, f1_max=(threshold(1.0), True))
    content = json.loads((tmp_path / THRESHOLDS).read_text())
    content["normals_only"] = {"value": None, "rule": "normals_only", "reason": "too few"}
    write_json(tmp_path / THRESHOLDS, content)
    assert list(fixed_thresholds(tmp_path)) == ["f1_max"]


def test_a_run_without_thresholds_is_refused(tmp_path):
    with pytest.raises(AnodiceError, match=r"threshold.json, which is missing; make it again with python evaluate.py"):
        fixed_thresholds(tmp_path)


@pytest.fixture
def run(dice_root, data, tmp_path):
    """A run folder as a training leaves it, of a detector that learns nothing."""
    folder = tmp_path / "run"
    (folder / run_folder.CHECKPOINTS).mkdir(parents=True)
    config = OmegaConf.create(
        {
            "seed": 0,
            "name": {"model": "mean_level", "data": "dice11"},
            "data": recipe(data),
            "model": {"_target_": f"{__name__}.MeanLevel", "image_size": 64, "in_channels": 1},
            "trainer": {"accelerator": "cpu"},
            "threshold": {"_target_": "anodice.thresholds.f1.F1Max"},
        }
    )
    OmegaConf.save(config, folder / run_folder.CONFIG)
    torch.save({"state_dict": {}, "epoch": 0, "global_step": 1}, folder / run_folder.BEST)
    _thresholds_file(folder, f1_max=(threshold(0.5), True), normals_only=(threshold(0.6, "normals_only"), False))
    write_json(folder / run_folder.SPLIT, {"digest": data.photos.split.digest})
    return folder


@pytest.fixture
def script():
    """The main function of the script."""
    spec = importlib.util.spec_from_file_location("robustness_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_the_script_writes_tables_figures_and_picture(script, run, capsys):
    script([f"run={run}", "--only", "blur,glare", "--severities", "3,1"])
    written = run / "robustness"
    assert {p.name for p in written.iterdir()} == {"robustness.json", "robustness.md", "robustness.png"}
    found = json.loads((written / "robustness.json").read_text())
    assert list(found["perturbed"]) == ["blur", "glare"]
    assert list(found["perturbed"]["blur"]) == ["1", "3"]
    printed = capsys.readouterr().out
    assert tables(found) in (written / "robustness.md").read_text()
    assert tables(found) in printed
    assert "AUROC at severity" not in printed  # which compares runs


def test_the_script_compares_several_runs(script, run, tmp_path, capsys):
    second = Path(shutil.copytree(run, tmp_path / "second"))
    chosen = ["--only", "noise", "--severities", "2", "--output", str(tmp_path / "table.md")]
    script([f"run={run}", f"run={second}", str(run), *chosen])
    text = (tmp_path / "table.md").read_text()
    assert text.splitlines()[0] == "AUROC at severity 2:"
    assert len(text.splitlines()) == 2 + 2 + 2  # a run named twice is measured once
    assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--only", "glar"], "there is no perturbation 'glar'; did you mean 'glare'?"),
        (["--severities", "3,6"], "expected --severities out of 1,2,3,4,5, got 3,6"),
        (["--seed", "-1"], "expected --seed of at least 0, got -1"),
        ([], "there is no run under"),
    ],
)
def test_mistakes_end_in_a_sentence(options, sentence, script, tmp_path):
    with pytest.raises(AnodiceError, match=re.escape(sentence)):
        script(["run=nothing", "--log-dir", str(tmp_path), *options])
