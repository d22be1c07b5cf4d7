"""`predict.py` as people run it."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anodice.evaluation.run_results import read_scores

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # each test starts processes


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, str(PROJECT / "predict.py"), f"paths.log_dir={folder / 'logs'}", "threads=1", *options]


def call(folder: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(command(folder, *options), capture_output=True, text=True, timeout=300, cwd=folder)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def lines_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_a_folder_is_scored_as_its_evaluation_was(finished_run, dice_root, tmp_path):
    (tmp_path / "photos").mkdir()
    told = {path: score for path, score in zip(*columns(finished_run), strict=True) if path.startswith("test_set/")}
    for number, path in enumerate(told):
        shutil.copy(dice_root / path, tmp_path / "photos" / f"{number:03d}.png")
    (tmp_path / "photos" / "text.png").write_text("no photo")
    code, text = call(tmp_path, f"run={finished_run}", "photos=photos", "out=found", "maps=true")
    assert code == 0, text
    found = lines_of(tmp_path / "found")
    assert [one["score"] for one in found[:-1]] == pytest.approx(list(told.values()), rel=1e-6)
    assert found[-1] == {
        "path": "photos/text.png",
        "verdict": "unreadable",
        "reason": "cannot be decoded (cannot identify image file)",
    }
    with (tmp_path / "found" / "predictions.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [one["path"] for one in found]
    assert len(list((tmp_path / "found" / "maps").iterdir())) == len(told)
    anomalous = sum(one["verdict"] == "anomalous" for one in found)
    assert f"{len(told)} photos: {anomalous} anomalous, {len(told) - anomalous} normal" in text
    assert "1 file left out:" in text
    assert max(len(line) for line in text.splitlines() if line.startswith(("verdict", "anomalous", "normal"))) <= 80

    code, text = call(tmp_path, f"run={finished_run}", "photos=photos", "out=found")
    assert (code, "expected a folder without predictions, got out=found" in text) == (2, True)
    assert lines_of(tmp_path / "found") == found


def columns(run: Path) -> tuple[list[str], list[float]]:
    table = read_scores(run)
    return table.path.tolist(), table.score.tolist()


def test_exit_status_and_thresholds(finished_run, dice_root, tmp_path, called):
    photo = sorted((dice_root / "test_set" / "05").iterdir())[0]
    asked = ("predict", "paths.log_dir=logs", f"run={finished_run}", f"photos={photo}", "threads=1")
    high = ("threshold=manual", "threshold.value=1e9")
    low = ("threshold=manual", "threshold.value=-1e9")
    assert called(*asked, *high, "fail_on=anomaly")[0] == 0
    assert called(*asked, *low)[0] == 0
    code, text = called(*asked, *low, "fail_on=anomaly")
    assert (code, "manual: -1e+09" in text, "1 photo: 1 anomalous, 0 normal" in text) == (1, True, True)
    code, text = called(*asked, "threshold=recall_at", "threshold.target=1.0")
    assert code == 0
    assert "recall_at:" in text
    assert len(list((tmp_path / "logs" / "predictions").iterdir())) == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["photos=nowhere"], "expected photos at nowhere, which does not exist"),
        ([], "expected a value for photos, got none; set it with photos=VALUE"),
        (["photos=text"], "but none of 1 files is one"),
        (["photos=text", "fail_on=anomalies"], "did you mean 'anomaly'?"),
        (["photos=text", "threshold=oracle"], "got oracle, which is fitted on the test photos"),
        (["photos=text", "run=nothing"], "expected a run folder, got 'nothing'"),
        (["photo=text"], "there is no option 'photo'; did you mean 'photos'?"),
    ],
)
def test_mistakes_are_a_sentence(finished_run, tmp_path, called, options, told):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("no photo")
    run = [] if any(option.startswith("run=") for option in options) else [f"run={finished_run}"]
    code, text = called("predict", "threads=1", *run, *options)
    assert (code, told in text, "Traceback" in text) == (2, True, False), text


def test_a_watch_scores_each_photo_once_and_goes_on_after_a_kill(finished_run, dice_root, tmp_path):
    arriving, out = tmp_path / "arriving", tmp_path / "out"
    arriving.mkdir()
    photos = sorted((dice_root / "test_set" / "ano").iterdir())[:4]

    def watched(ends: signal.Signals, *, until: int) -> int:
        process = subprocess.Popen(
            command(tmp_path, f"run={finished_run}", "photos=arriving", "out=out", "watch=true"),
            stdout=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        for _ in range(600):
            if (out / "predictions.jsonl").exists() and len(lines_of(out)) >= until:
                break
            time.sleep(0.1)
        process.send_signal(ends)
        return process.wait(timeout=60)

    for photo in photos[:2]:
        shutil.copy(photo, arriving)
    assert watched(signal.SIGKILL, until=2) == -signal.SIGKILL
    for photo in photos[2:]:
        shutil.copy(photo, arriving)
    assert watched(signal.SIGINT, until=4) == 0
    assert [Path(one["path"]).name for one in lines_of(out)] == [photo.name for photo in photos]
