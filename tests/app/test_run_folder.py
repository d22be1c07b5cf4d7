"""Run folders are claimed once, found by name, and missed with the nearest names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anodice.app import run_folder
from anodice.errors import AnodiceError


def make_run(logs: Path, name: str, *, age: int, best: bool = True) -> Path:
    run = logs / "runs" / name
    (run / "checkpoints").mkdir(parents=True)
    (run / run_folder.CONFIG).write_text("seed: 0\n")
    os.utime(run / run_folder.CONFIG, (1e9 - age, 1e9 - age))
    if best:
        (run / run_folder.BEST).touch()
    return run


def test_a_folder_is_claimed_once(tmp_path):
    names = [Path(run_folder.claim_folder(str(tmp_path / "runs" / "a"))).name for _ in range(3)]
    assert names == ["a", "a_2", "a_3"]


def test_latest_is_the_newest_usable_run(tmp_path):
    make_run(tmp_path, "old", age=20)
    wanted = make_run(tmp_path, "newer", age=10)
    make_run(tmp_path, "broken", age=0, best=False)
    assert run_folder.find_run("latest", tmp_path) == wanted


def test_a_run_is_found_by_path_and_by_name(tmp_path):
    run = make_run(tmp_path, "2026_vae", age=0)
    assert run_folder.find_run(str(run), tmp_path) == run
    assert run_folder.find_run("2026_vae", tmp_path) == run


def test_a_wrong_name_tells_the_nearest(tmp_path):
    make_run(tmp_path, "2026_vae_dice11", age=0)
    with pytest.raises(AnodiceError, match="nearest runs are 2026_vae_dice11"):
        run_folder.find_run("2026_vae_dice1", tmp_path)


def test_no_run_at_all_tells_how_to_make_one(tmp_path):
    with pytest.raises(AnodiceError, match=r"train one with python train.py"):
        run_folder.find_run("latest", tmp_path)


def test_an_unfinished_run_tells_what_is_there(tmp_path):
    run = make_run(tmp_path, "broken", age=0, best=False)
    with pytest.raises(AnodiceError, match=r"expected checkpoints/best\.ckpt .* found checkpoints, config.yaml"):
        run_folder.find_run(str(run), tmp_path)


def test_environment_names_versions_and_device():
    found = run_folder.environment("cpu")
    assert found["device"] == "cpu"
    assert found["packages"]["torch"]
