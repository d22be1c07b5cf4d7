"""The walk: what is a record, what is skipped and why, what a wrong root is told."""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter

import pytest
from PIL import Image

from anodice.data.records import ANOMALIES, LAYOUTS, Layout, session_of, walk
from anodice.errors import AnodiceError

LAYOUT = LAYOUTS["dice11"]


def _image(kind="PNG"):
    stream = io.BytesIO()
    Image.new("L", (8, 8), 90).save(stream, kind)
    return stream.getvalue()


def _put(root, name, data):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def root(tmp_path):
    """The smallest folder that is accepted: one normal training photo."""
    root = tmp_path / "photos" / "dice"
    _put(root, "train_set/00/first.png", _image())
    (root / "test_set").mkdir()
    return root


def _paths(root):
    return [record.path for record in walk(root, LAYOUT).records]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (".DS_Store", b"\0\0\0\1Bud1", "hidden file"),
        (".hidden.png", _image(), "hidden file"),
        ("._first.png", b"\0\5\x16\7 AppleDouble", "hidden file"),
        ("empty.png", b"", "empty file"),
        ("notes.png", b"dice, taken on Monday", "not an image (expected JPEG, PNG, BMP, TIFF, WEBP)"),
    ],
)
def test_what_is_no_photo_is_skipped_and_named(root, name, data, reason):
    _put(root, f"train_set/00/{name}", data)
    walked = walk(root, LAYOUT)
    assert walked.skipped == ((f"train_set/00/{name}", reason),)
    assert [record.path for record in walked.records] == ["train_set/00/first.png"]


def test_skipped_files_are_counted_by_reason(root):
    for name in ("a.png", "b.jpg", "c"):
        _put(root, f"test_set/05/{name}", b"")
    _put(root, "train_set/ano/.DS_Store", b"x")
    assert Counter(why for _, why in walk(root, LAYOUT).skipped) == {"empty file": 3, "hidden file": 1}


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "JPEG"), ("a.jpg", "PNG"), ("a", "PNG"), ("a.txt", "BMP"), ("a.PNG", "TIFF")]
)
def test_the_extension_does_not_matter(root, name, kind):
    _put(root, f"train_set/01/{name}", _image(kind))
    assert f"train_set/01/{name}" in _paths(root)


@pytest.mark.parametrize("name", ["extra/00/a.png", "train_set/11/a.png", "train_set/a.png", "train_set/00/more/a.png"])
def test_folders_outside_the_layout_are_not_read(root, name):
    _put(root, name, _image())
    walked = walk(root, LAYOUT)
    assert [record.path for record in walked.records] == ["train_set/00/first.png"]
    assert walked.skipped == ()


def test_records_come_by_split_class_number_and_name(root):
    for name in ("test_set/10/a.png", "test_set/02/b.png", "test_set/02/a.png", "test_set/ano/a.png"):
        _put(root, name, _image())
    expected = ["train_set/00/first.png", "test_set/02/a.png", "test_set/02/b.png", "test_set/10/a.png"]
    assert _paths(root) == [*expected, "test_set/ano/a.png"]


def test_classes_sort_by_number_and_anomalies_come_last():
    assert LAYOUT.classes == ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", ANOMALIES]
    assert Layout(splits={}, faces={"10": 1, "9": 2, "100": 3}).classes == ["9", "10", "100", ANOMALIES]


def test_classes_fold_to_faces(root):
    for class_name in LAYOUT.classes:
        _put(root, f"train_set/{class_name}/a.png", _image())
    faces = {record.class_name: record.face for record in walk(root, LAYOUT).records}
    ones_to_fives = {"00": 1, "01": 2, "02": 2, "03": 3, "04": 3, "05": 4, "06": 5}
    assert faces == {**ones_to_fives, "07": 6, "08": 6, "09": 6, "10": 6, "ano": None}


def test_only_the_anomaly_folder_is_anomalous(root):
    _put(root, "train_set/ano/a.png", _image())
    assert {r.class_name: r.anomalous for r in walk(root, LAYOUT).records} == {"00": False, "ano": True}


@pytest.mark.parametrize(
    ("name", "session"),
    [
        ("16_09_21_05_011.png", "16_09_21"),
        ("16_09_21_anomalies_3.png", "16_09_21"),
        ("img_25197_cropped.jpg", "img"),
        ("IMG-7.png", "IMG"),
        ("photo.png", "photo"),
    ],
)
def test_session_comes_from_the_file_name(name, session):
    assert session_of(name) == session


def test_the_file_hash_tells_files_apart(root):
    _put(root, "train_set/00/copy.png", _image())
    _put(root, "train_set/00/other.png", _image("JPEG"))
    hashes = {record.path.split("/")[-1]: record.file_hash for record in walk(root, LAYOUT).records}
    assert hashes["copy.png"] == hashes["first.png"] != hashes["other.png"]


def test_class_folders_without_a_photo_are_reported(root):
    _put(root, "train_set/03/.DS_Store", b"x")
    for class_name in LAYOUT.classes:
        _put(root, f"test_set/{class_name}/a.png", _image())
        if class_name not in ("03", "07"):  # 07 is not even there
            _put(root, f"train_set/{class_name}/a.png", _image())
    assert walk(root, LAYOUT).empty == ("train_set/03", "train_set/07")


def test_a_relative_root_and_a_string_are_accepted(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert walk("dice", LAYOUT).root == root


def test_missing_root_names_the_folder_that_exists(tmp_path):
    with pytest.raises(AnodiceError, match=rf"the folder does not exist \({re.escape(str(tmp_path))} does\)"):
        walk(tmp_path / "no" / "dice", LAYOUT)


def test_root_that_is_a_file(tmp_path):
    _put(tmp_path, "dice.zip", b"PK")
    with pytest.raises(AnodiceError, match="that is a file"):
        walk(tmp_path / "dice.zip", LAYOUT)


def test_empty_root(tmp_path):
    with pytest.raises(AnodiceError, match="the folder is empty"):
        walk(tmp_path, LAYOUT)


def test_wrong_root_shows_what_is_missing_what_is_there_and_the_expected_tree(tmp_path):
    _put(tmp_path, "train_set/00/a.png", _image())
    _put(tmp_path, "readme.txt", b"hello")
    with pytest.raises(AnodiceError, match=r"expected test_set/ in .*, found readme.txt, train_set/;") as error:
        walk(tmp_path, LAYOUT)
    assert "ROOT/{train_set,test_set}/{00..10,ano}/<photos>" in str(error.value)


@pytest.mark.parametrize("wrong", ["..", "train_set"], ids=["one level too high", "one level too low"])
def test_root_one_level_off_points_at_the_right_folder(root, wrong):
    with pytest.raises(AnodiceError, match=re.escape(f"{root} has that layout")):
        walk((root / wrong).resolve(), LAYOUT)


def test_root_without_normal_training_photos(tmp_path):
    for name, data in (("train_set/ano/a.png", _image()), ("test_set/00/a.png", _image()), ("train_set/00/b.png", b"")):
        _put(tmp_path, name, data)
    with pytest.raises(AnodiceError, match=r"expected normal photos under .*train_set, found none .*1 files were skip"):
        walk(tmp_path, LAYOUT)


def test_folders_that_may_be_meant_as_classes_are_named(dice_root, tmp_path):
    root = tmp_path / "dice"
    shutil.copytree(dice_root, root)
    for name in ("train_set/5", "test_set/anomalies", "train_set/.cache"):
        (root / name).mkdir()
    assert walk(root, LAYOUT).unread == ("train_set/5", "test_set/anomalies")
