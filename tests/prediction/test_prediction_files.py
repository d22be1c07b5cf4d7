"""What a prediction leaves on disk, and what it says at its end."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.evaluation.map_scale import MapScale
from anodice.prediction.prediction import Prediction, Region, Unreadable
from anodice.prediction.prediction_files import PredictionFiles, read_lines
from anodice.prediction.tally import SHOWN, Tally
from anodice.thresholds.threshold import Threshold


def prediction(name: str, score: float, *, cut: float = 1.0, class_name: str | None = None) -> Prediction:
    return Prediction(
        name=name,
        score=score,
        threshold=Threshold(cut, "f1_max", 3, 2, "validation", "abc"),
        cut=cut,
        anomalous=score >= cut,
        class_name=class_name,
        face=None,
        map=np.zeros((8, 8), dtype=np.float32),
        regions=(Region((1, 2, 3, 4), 4, 0.5), Region((5, 5, 6, 6), 1, 0.25)) if score >= cut else (),
        photo=np.zeros((8, 8, 1), dtype=np.uint8),
        size=(8, 8),
        scale=MapScale(0.0, 1.0, 0.2, "validation: 3 normal"),
    )


def test_rows_and_lines_say_the_same(tmp_path):
    odd = 'a,"b"\n=c.png'
    with PredictionFiles(tmp_path / "out", maps=True) as files:
        files.add(prediction(odd, 1 / 3))
        files.add(Unreadable("x.png", "empty file"))
        files.add(prediction("../up/-b.png", 2.0, class_name="05"))
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [line["path"] for line in lines] == [odd, "x.png", "../up/-b.png"]
    assert [row["verdict"] for row in rows] == ["normal", "unreadable", "anomalous"]
    assert float(rows[0]["score"]) == lines[0]["score"] == 1 / 3
    assert (rows[1]["score"], rows[1]["reason"]) == ("", "empty file")
    assert (rows[2]["class"], rows[2]["regions"]) == ("05", "1 2 3 4; 5 5 6 6")
    assert lines[2]["regions"][0] == {"box": [1, 2, 3, 4], "area": 4, "peak": 0.5}
    pictures = sorted(path.name for path in (tmp_path / "out" / "maps").iterdir())
    assert pictures == ["000001_a_b_c.png", "000003_-b.png"]


def test_a_line_that_was_cut_is_written_anew(tmp_path):
    with PredictionFiles(tmp_path, maps=False) as files:
        for name in "abc":
            files.add(prediction(name, 0.5))
    whole = (tmp_path / "predictions.jsonl").read_bytes()
    (tmp_path / "predictions.jsonl").write_bytes(whole[:-20])
    assert [row["path"] for row in read_lines(tmp_path / "predictions.jsonl")] == ["a", "b"]
    with PredictionFiles(tmp_path, maps=False) as files:
        assert files.count == 2
        files.add(prediction("c", 0.5))
    assert (tmp_path / "predictions.jsonl").read_bytes() == whole
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.csv", "predictions.jsonl"]


def test_somebody_elses_file_is_left_alone(tmp_path):
    (tmp_path / "predictions.jsonl").write_text('{"mine": 1}\n{"mine": 2}\n')
    with pytest.raises(AnodiceError, match="line 1 is none; name another folder"):
        PredictionFiles(tmp_path, maps=False)
    assert (tmp_path / "predictions.jsonl").read_text() == '{"mine": 1}\n{"mine": 2}\n'


def test_the_summary_counts_all_and_shows_the_strangest_by_their_distance_from_the_threshold(tmp_path):
    tally = Tally()
    for k in range(SHOWN + 5):
        tally.add(prediction(f"n{k}", k / 100))
    tally.add(prediction("far", 9.0, cut=8.9, class_name="a"))
    tally.add(prediction("near\nline", 5.0, cut=1.0, class_name="b"))
    tally.add(Unreadable("bad", "empty file"))
    lines = tally.summary(tmp_path).splitlines()
    assert lines[0].split() == [
        "verdict",
        "score",
        "threshold",
        "class",
        "regions",
        "photo,",
        "the",
        "strangest",
        "first",
    ]
    assert lines[1].endswith("near\\nline")
    assert lines[2].endswith("far")
    assert lines[3].endswith("n24")
    assert lines[SHOWN + 1] == "... and 7 more"
    assert (tally.photos, tally.anomalous, tally.normal, tally.unreadable) == (SHOWN + 7, 2, SHOWN + 5, 1)
    assert f"{SHOWN + 7} photos: 2 anomalous, {SHOWN + 5} normal" in lines[SHOWN + 3]
    assert lines[SHOWN + 4 : SHOWN + 6] == ["1 file left out:", "  bad empty file"]
    assert max(map(len, lines[: SHOWN + 1])) <= 80


def test_a_long_name_is_cut_at_its_front(tmp_path):
    tally = Tally()
    tally.add(prediction("x" * 200 + "/end.png", 2.0))
    row = tally.summary(tmp_path).splitlines()[1]
    assert row.endswith("x/end.png")
    assert (len(row), "…" in row) == (80, True)
