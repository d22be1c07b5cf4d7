"""The synthetic data set on disk: layout, masks, the same bytes for the same seed, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from anodice.dice import dataset
from anodice.dice.dataset import write_synthetic
from anodice.dice.defects import DEFECTS
from anodice.dice.renderer import CLASSES, SESSIONS
from anodice.errors import AnodiceError

SMALL = {"train_per_class": 4, "train_anomalies": 22, "test_per_class": 4, "test_anomalies": 11, "size": 64}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_synthetic(tmp_path_factory.mktemp("set") / "dice", seed=3, **SMALL)


def _digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _write(root):
    return str(write_synthetic(root, seed=3, **SMALL))


def test_layout_is_the_published_one_plus_masks(small):
    for split, per_class, anomalies in (("train_set", 4, 22), ("test_set", 4, 11)):
        for die_class in CLASSES:
            names = sorted(path.name for path in (small / split / die_class).iterdir())
            expected = [f"{SESSIONS[n % 4]}_{die_class}_{n:03d}.png" for n in range(per_class)]
            assert names == sorted(expected)
        photos = sorted(path.name for path in (small / split / "ano").iterdir())
        masks = sorted(path.name for path in (small / "ground_truth" / split / "ano").iterdir())
        assert photos == masks
        assert len(photos) == anomalies
        assert all("_anomalies_" in name for name in photos)
    record = json.loads((small / "synthetic.json").read_text())
    assert record == {"version": dataset.VERSION, "seed": 3, **SMALL}


def test_files_are_lossless_one_channel_png(small):
    for path in small.rglob("*.png"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (64, 64))
        if "ground_truth" in path.parts:
            assert set(np.unique(np.asarray(Image.open(path)))) == {0, 255}


def test_every_session_has_normals_and_anomalies(small):
    for split in ("train_set", "test_set"):
        names = [path.name for path in (small / split).rglob("*.png")]
        for session in SESSIONS:
            own = [name for name in names if name.startswith(session)]
            assert any("anomalies" in name for name in own)
            assert any("anomalies" not in name for name in own)


def test_kinds_and_classes_of_anomalies_are_balanced():
    schedule = dataset._schedule(110)
    assert schedule[:60] == dataset._schedule(60)
    for part, most in zip(zip(*schedule, strict=True), (1, 1, 6), strict=True):
        counts = [part.count(name) for name in set(part)]
        assert max(counts) - min(counts) <= most
    assert {die_class for die_class, _, _ in schedule} == set(CLASSES)
    assert {kind for _, kind, _ in schedule} == set(DEFECTS)


def test_no_two_photos_are_alike(small):
    digests = [digest for name, digest in _digests(small).items() if not name.startswith("ground_truth")]
    assert len(digests) == len(set(digests))


def test_same_seed_same_bytes_and_a_larger_set_holds_the_smaller(small, tmp_path):
    again = write_synthetic(tmp_path / "again", seed=3, **SMALL)
    assert _digests(again) == _digests(small)
    larger = write_synthetic(tmp_path / "larger", seed=3, **SMALL | {"train_per_class": 5, "test_anomalies": 13})
    smaller = {name: digest for name, digest in _digests(small).items() if name != "synthetic.json"}
    assert smaller.items() <= _digests(larger).items()
    other = write_synthetic(tmp_path / "other", seed=4, **SMALL)
    assert not set(_digests(other).values()) & set(smaller.values())


def test_a_complete_folder_is_left_alone(small):
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    assert write_synthetic(small, seed=3, **SMALL) == small
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*")} == before


def test_an_empty_folder_is_filled(tmp_path):
    write_synthetic(tmp_path, **dict.fromkeys(SMALL, 0) | {"size": 64, "test_per_class": 1})
    assert len(list(tmp_path.glob("test_set/*/*.png"))) == len(CLASSES)


def test_foreign_other_and_incomplete_folders_are_refused(small, tmp_path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    with pytest.raises(AnodiceError, match=r"foreign is there already but holds no complete synthetic set"):
        write_synthetic(tmp_path / "foreign", **SMALL)
    assert [path.name for path in (tmp_path / "foreign").iterdir()] == ["notes.txt"]
    with pytest.raises(AnodiceError, match="set of other arguments"):
        write_synthetic(small, seed=4, **SMALL)
    tiny = dict.fromkeys(SMALL, 0) | {"size": 64, "test_per_class": 1}
    root = write_synthetic(tmp_path / "part", **tiny)
    next(root.glob("test_set/05/*.png")).unlink()
    with pytest.raises(AnodiceError, match="part holds 10 PNG files where its synthetic set has 11"):
        write_synthetic(root, **tiny)


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(image, path):
        raise OSError("disk full")

    monkeypatch.setattr(dataset, "_save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_synthetic(tmp_path / "dice", **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_processes_that_start_together_both_end_with_the_set(small, tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        roots = list(pool.map(_write, [tmp_path / "dice"] * 2))
    assert roots == [str(tmp_path / "dice")] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["dice"]
    assert _digests(tmp_path / "dice") == _digests(small)


def test_the_slower_process_accepts_the_faster_ones_set(tmp_path, monkeypatch):
    tiny = dict.fromkeys(SMALL, 0) | {"size": 64, "test_per_class": 1}
    root, draw = tmp_path / "dice", dataset._draw

    def overtake(draft, plan):
        monkeypatch.setattr(dataset, "_draw", draw)
        write_synthetic(root, **tiny)
        draw(draft, plan)

    monkeypatch.setattr(dataset, "_draw", overtake)
    assert write_synthetic(root, **tiny) == root
    assert [path.name for path in tmp_path.iterdir()] == ["dice"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("train_per_class", -1, "train_per_class .* not -1"), ("seed", -2, "seed .* not -2"), ("size", 32, "at least 64")],
)
def test_impossible_numbers_are_refused(tmp_path, name, value, message):
    with pytest.raises(AnodiceError, match=message):
        write_synthetic(tmp_path / "dice", **SMALL | {name: value})
    assert list(tmp_path.iterdir()) == []
