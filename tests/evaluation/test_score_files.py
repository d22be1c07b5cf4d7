"""Scores of any program: what a CSV file may hold, and what is said of one that cannot be read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from anodice import evaluate
from anodice.app.conf import CONF
from anodice.errors import AnodiceError
from anodice.evaluation.score_files import read_score_file
from anodice.programs.evaluate import evaluate_runs


def written(folder, name="mine.csv", *, count=120, gap=2.0, seed=0, columns=()):
    """A file of so many photos, a quarter of them anomalous; further columns: name -> value of photo k and label."""
    rng = np.random.default_rng(seed)
    rows = [",".join(["path", "score", "label", *(head for head, _ in columns)])]
    for k in range(count):
        label = k % 4 == 0
        score = rng.normal() + gap * label
        rows.append(",".join([f"p{k}.png", repr(score), str(int(label)), *(str(of(k)) for _, of in columns)]))
    path = folder / name
    path.write_text("\n".join(rows) + "\n")
    return path


SPLIT = ("split", lambda k: ("val", "Test", "train")[k % 3])


def test_the_least_file_is_divided_by_halves_and_says_so(tmp_path):
    found, about = read_score_file(written(tmp_path))
    for part in (found.validation, found.published):
        assert (part.label.sum(), (~part.label).sum()) == (15, 45)
    assert "half of the photos of each label, chosen by a hash of their names" in about
    shuffled = written(tmp_path, "other.csv", seed=1)
    lines = shuffled.read_text().splitlines()
    shuffled.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    again = read_score_file(shuffled).table  # the same photos in the same part
    assert dict(zip(again.path.tolist(), again.split.tolist(), strict=True)) == dict(
        zip(found.path.tolist(), found.split.tolist(), strict=True)
    )


def test_groups_are_not_torn_apart(tmp_path):
    found = read_score_file(written(tmp_path, columns=[("group", lambda k: f"burst{k // 8}")])).table
    parts = {}
    for group, split in zip(found.group.tolist(), found.split.tolist(), strict=True):
        parts.setdefault(group, set()).add(split)
    assert {len(there) for there in parts.values()} == {1}


def test_a_split_of_its_own_is_kept_and_what_was_learned_from_left_out(tmp_path):
    found, about = read_score_file(written(tmp_path, columns=[SPLIT, ("class", lambda k: f"c{k % 2}")]))
    assert set(found.split.tolist()) == {"validation", "test"}
    assert len(found) == 80
    assert "40 of the training are left out" in about
    assert set(found.class_name.tolist()) == {"c0", "c1"}


def test_the_table_has_the_figures_of_scikit_learn_and_thresholds_from_validation(tmp_path):
    one = evaluate(written(tmp_path, columns=[SPLIT]))
    test, validation = one.scores.clean, one.scores.validation
    clean = one.metrics["test"]["clean"]
    assert clean["auroc"] == pytest.approx(roc_auc_score(test.label, test.score))
    assert clean["average_precision"] == pytest.approx(average_precision_score(test.label, test.score))
    assert list(clean["at"]) == ["f1_max", "normals_only", "oracle", "flag_everything"]
    flags = test.score >= one.threshold.value
    assert clean["at"]["f1_max"]["f1"] == pytest.approx(f1_score(test.label, flags))
    best = max(f1_score(validation.label, validation.score >= value) for value in validation.score)
    assert one.threshold.detail["highest_f1"] == pytest.approx(best)
    reached = f1_score(validation.label, validation.score >= one.threshold.value)
    assert one.threshold.detail["f1"] == pytest.approx(reached)
    assert clean["at"]["f1_max"]["f1_low"] < clean["at"]["f1_max"]["f1"] < clean["at"]["f1_max"]["f1_high"]
    assert "- Scores: mine.csv, 40 photos of validation and 40 of test" in one.report()


def test_copies_of_training_photos_are_left_out_of_the_clean_test(tmp_path):
    one = evaluate(written(tmp_path, columns=[SPLIT, ("leaked", lambda k: int(k == 1))]))
    published, clean = (one.metrics["test"][name] for name in ("published", "clean"))
    assert published["normals"] - clean["normals"] == 1
    assert "Published test: with copies of training images (1)" in one.report()


def test_near_copies_are_left_out_of_the_distinct_test(tmp_path):
    near = ("near_leaked", lambda k: int(k in (4, 7)))  # both of the test, 4 is anomalous
    one = evaluate(written(tmp_path, columns=[SPLIT, near]))
    parts = {name: (part["normals"], part["anomalies"]) for name, part in one.metrics["test"].items()}
    assert parts == {"published": (30, 10), "clean": (30, 10), "distinct": (29, 9)}
    assert one.metrics["near_leaked"] == 2


def test_several_files_are_compared_photo_by_photo(tmp_path):
    good = written(tmp_path, "good.csv", gap=4.0)
    poor = written(tmp_path, "poor.csv", gap=1.0, seed=1)
    both = evaluate([good, poor], "threshold=normal_quantile")
    assert {one.threshold.rule for one in both.values()} == {"normal_quantile"}
    text = both.report()
    assert "good and poor differ on" in text
    assert "n/a" in text  # of the parameters nobody knows


def test_the_command_tells_the_table_and_writes_it(tmp_path, caplog):
    path = written(tmp_path)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", overrides=[f"scores={path}", f"out={tmp_path / 'out'}"])
    with caplog.at_level("INFO", logger="anodice"):
        evaluate_runs(config)
    assert "| oracle (hindsight) |" in caplog.text
    assert {"metrics.json", "report.md", "scores.csv", "threshold.json"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["parameters"] is None
    assert (tmp_path / "out" / "figures" / "test_roc.png").is_file()


BAD = {
    "path,score\na,1\n": "label is missing among path, score",
    "path,anomaly_score,label\na,1,0\n": "is anomaly_score the score",
    "path;score;label\na;0,5;1\n": "expected commas between the columns of .*, got ';'",
    "path,score,label\na,high,1\n": "expected a finite number .* column score .*, got 'high' in row 2",
    "path,score,label\na,1,0\nb,nan,1\n": "got 'nan' in row 3",
    "path,score,label\na,inf,1\n": "got 'inf' in row 2",
    "path,score,label\na,1,maybe\n": "expected 0 .normal. or 1 .anomalous. in the column label .* got 'maybe' in row 2",
    "path,score,label\na,0,5,1\n": "expected 3 values in row 2 .* got 4",
    "path,score,label\na,1,0\na,2,1\n": "expected each photo once .* got a 2 times",
    "path,score,label,split\na,1,0,test\n": "expected rows of validation and of test .* none of validation",
    "path,score,label,split\na,1,0,dev\n": "expected validation or test in the column split .* got 'dev'",
    "path,score,label\n": "the names of the columns alone",
    "": "label is missing among none",
    "path,score,label\na,1,0\nb,2,0\nc,3,0\n": "expected normal and anomalous images to fit f1_max on",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_file_ends_in_one_sentence(text, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(AnodiceError, match=BAD[text]) as told:
        evaluate(path)
    assert "\n" not in str(told.value)


def test_files_that_are_no_text_or_not_there(tmp_path):
    (tmp_path / "utf16.csv").write_bytes("path,score,label\n".encode("utf-16"))
    for name in ("utf16.csv", "missing.csv"):
        with pytest.raises(AnodiceError, match="expected a CSV file in UTF-8 with the columns path, score, label"):
            evaluate(tmp_path / name)


def test_a_mark_of_the_byte_order_and_other_words_for_labels_are_read(tmp_path):
    rows = [f"p{k}.png,{k},{'Anomalous' if k > 5 else 'normal'}" for k in range(12)]
    (tmp_path / "excel.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["Path, Score ,LABEL", *rows]).encode())
    assert evaluate(tmp_path / "excel.csv").metrics["test"]["clean"]["auroc"] == 1.0
