"""Verdicts by another threshold, their table and their CSV; what a browser sends, and its names."""

from __future__ import annotations

import csv
import io

import pytest

from anodice.page.first_training import RECIPES, FirstTraining, progress_of
from anodice.page.pictures import SIDE, overlay, picture
from anodice.page.predictions import as_csv, distance_rows, judged, ratio_sentence, region_rows, rows, worst_first
from anodice.page.runs import open_run
from anodice.page.thresholds import at_value
from anodice.page.uploads import quoted, read_upload, refusal, shown_name
from anodice.prediction.explanation import Explanation
from anodice.prediction.photos import Photo
from anodice.prediction.prediction import Unreadable
from tests.odd_files import ODD, claimed

NAMES = ["two\nlines.png", "../../up.png", "-rf.png", "<script>alert(1)</script>.png", "=1+1.png", "", "`x`", "é" * 300]


@pytest.fixture(scope="module")
def run(finished_run):
    return open_run(finished_run)


@pytest.fixture(scope="module")
def explanation(run, dice_root):
    data = sorted((dice_root / "test_set" / "ano").iterdir())[0].read_bytes()
    return run.predictor.explain(read_upload("die.png", data, run.predictor.settings))


def test_another_threshold_gives_what_the_predictor_gives_with_it(run, explanation):
    prediction = explanation.prediction
    for value in (prediction.score - 1e-6, prediction.score, prediction.score + 1e-6):
        found = judged(prediction, at_value(value, {}))
        assert found.anomalous == (prediction.score >= value)
        assert found.cut == value
        assert bool(found.regions) <= found.anomalous
        assert len(region_rows(found)) == len(found.regions)
    assert judged(prediction, run.predictor.threshold).as_dict() == prediction.as_dict()


def test_the_table_has_the_strangest_first_and_the_csv_computes_nothing(explanation):
    strange = judged(explanation.prediction, at_value(-10.0, {}))
    calm = judged(explanation.prediction, at_value(10.0, {}))
    formula = type(strange)(**{**vars(strange), "name": "=1+1"})
    assert worst_first([calm, strange]) == [1, 0]
    assert [row["verdict"] for row in rows([calm, strange])] == ["anomalous", "normal"]
    read = list(csv.DictReader(io.StringIO(as_csv([formula, calm]))))
    assert [row["photo"] for row in read] == ["'=1+1", "die.png"]
    assert float(read[0]["score"]) == strange.score


def test_distances_stand_beside_the_thresholds_the_nearest_first(run, explanation):
    found = distance_rows(explanation, run.predictor.threshold)
    assert [row["class"] for row in found if row["taken for"]] == [found[0]["class"]]
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)


@pytest.mark.parametrize(
    ("losses", "words"), [((0.3, 0.5), "0.600 is at most 0.70, anomalous"), ((0.4, 0.5), "0.800 is above 0.70, normal")]
)
def test_the_rule_of_the_ratio_in_words(explanation, losses, words):
    assert words in ratio_sentence(Explanation(explanation.prediction, losses=losses))


def test_pictures_have_one_size(explanation):
    pictures = (picture(explanation.prediction.photo), picture(explanation.template), overlay(explanation.prediction))
    assert {one.size for one in pictures} == {(SIDE, SIDE)}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_on_a_line_and_as_code(name, run):
    shown = shown_name(name)
    assert 0 < len(shown) <= 80
    assert shown.isprintable()
    assert quoted(shown).count("`") == 2
    assert read_upload(name, b"", run.predictor.settings).name == shown


@pytest.mark.parametrize("data", [b"", b"text", ODD["palette"][:60], claimed(30_000, 30_000)])
def test_what_is_no_photo_gets_a_sentence(data, run):
    found = read_upload("odd.png", data, run.predictor.settings)
    assert isinstance(found, Unreadable)
    assert refusal(found).startswith("`odd.png` ")
    assert refusal(found).endswith("; give a JPEG, PNG, BMP, TIFF or WEBP.")


@pytest.mark.parametrize("kind", ODD)
def test_odd_photos_get_a_verdict(kind, run):
    photo = read_upload(kind, ODD[kind], run.predictor.settings)
    assert isinstance(photo, Photo)
    assert run.predictor.explain(photo).prediction.verdict in ("normal", "anomalous")


def test_a_training_tells_how_far_it_is():
    epochs = ["epoch 1 of 2: val loss 3", "epoch 2 of 2: step 7 of 80", "epoch 2 of 2: val loss 2"]
    said = [
        "",
        "drawing the synthetic dice",
        "photos under /x",
        *epochs,
        "looking for near duplicates",
        "how to read it: x",
    ]
    shares = [progress_of("\n".join(said[: k + 1]), running=True).share for k in range(len(said))]
    assert shares == pytest.approx([0, 0.1, 0.2, 0.55, 0.55, 0.9, 0.9, 1])
    assert shares[-1] == 1


@pytest.mark.slow
def test_a_training_that_fails_says_why(tmp_path):
    training = FirstTraining(tmp_path / "it's", ("model=vea",))
    training._process.wait(120)
    assert training.progress().failed
    assert "there is no model=vea" in training.progress().stage
    assert all("model=vae" in words for words in RECIPES.values())
