"""The walk: what is a record, what is skipped and why, what a wrong root is told."""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from anodice.data.layouts import dice11
from anodice.data.records import Folder, Layout, session_of, walk
from anodice.errors import AnodiceError

CLASSES = [f"{k:02d}" for k in range(11)]


def _walk(root):
    return walk(root, dice11(Path(root)))


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
    return [record.path for record in _walk(root).records]


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
    walked = _walk(root)
    assert walked.skipped == ((f"train_set/00/{name}", reason),)
    assert [record.path for record in walked.records] == ["train_set/00/first.png"]


def test_skipped_files_are_counted_by_reason(root):
    for name in ("a.png", "b.jpg", "c"):
        _put(root, f"test_set/05/{name}", b"")
    _put(root, "train_set/ano/.DS_Store", b"x")
    assert Counter(why for _, why in _walk(root).skipped) == {"empty file": 3, "hidden file": 1}


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "JPEG"), ("a.jpg", "PNG"), ("a", "PNG"), ("a.txt", "BMP"), ("a.PNG", "TIFF")]
)
def test_the_extension_does_not_matter(root, name, kind):
    _put(root, f"train_set/01/{name}", _image(kind))
    assert f"train_set/01/{name}" in _paths(root)


@pytest.mark.parametrize("name", ["extra/00/a.png", "train_set/11/a.png", "train_set/a.png", "train_set/00/more/a.png"])
def test_folders_outside_the_layout_are_not_read(root, name):
    _put(root, name, _image())
    walked = _walk(root)
    assert [record.path for record in walked.records] == ["train_set/00/first.png"]
    assert walked.skipped == ()


def test_records_come_by_split_class_number_and_name(root):
    for name in ("test_set/10/a.png", "test_set/02/b.png", "test_set/02/a.png", "test_set/ano/a.png"):
        _put(root, name, _image())
    expected = ["train_set/00/first.png", "test_set/02/a.png", "test_set/02/b.png", "test_set/10/a.png"]
    assert _paths(root) == [*expected, "test_set/ano/a.png"]


def test_classes_fold_to_faces(root):
    for class_name in (*CLASSES, "ano"):
        _put(root, f"train_set/{class_name}/a.png", _image())
    faces = {record.class_name: record.face for record in _walk(root).records}
    ones_to_fives = {"00": 1, "01": 2, "02": 2, "03": 3, "04": 3, "05": 4, "06": 5}
    assert faces == {**ones_to_fives, "07": 6, "08": 6, "09": 6, "10": 6, "ano": None}


def test_only_the_anomaly_folder_is_anomalous(root):
    _put(root, "train_set/ano/a.png", _image())
    assert {r.class_name: r.anomalous for r in _walk(root).records} == {"00": False, "ano": True}


@pytest.mark.parametrize(
    ("name", "session"),
    [
        ("16_09_21_05_011.png", "16_09_21"),
        ("16_09_21_anomalies_3.png", "16_09_21"),
        *((name, "unknown") for name in ("img_25197_cropped.jpg", "IMG-7.png", "photo.png", "DSC0001.JPG")),
        *((name, "unknown") for name in ("PXL_20220126_1.jpg", "P1020304.jpg", "0007.png", "_MG_1.png")),
        ("monday_7.png", "monday"),
        ("tray2-001.png", "tray2"),
    ],
)
def test_session_comes_from_the_file_name(name, session):
    assert session_of(name) == session


def test_the_file_hash_tells_files_apart(root):
    _put(root, "train_set/00/copy.png", _image())
    _put(root, "train_set/00/other.png", _image("JPEG"))
    hashes = {record.path.split("/")[-1]: record.file_hash for record in _walk(root).records}
    assert hashes["copy.png"] == hashes["first.png"] != hashes["other.png"]


def test_class_folders_without_a_photo_are_reported(root):
    _put(root, "train_set/03/.DS_Store", b"x")
    for class_name in (*CLASSES, "ano"):
        _put(root, f"test_set/{class_name}/a.png", _image())
        if class_name not in ("03", "07"):  # 07 is not even there
            _put(root, f"train_set/{class_name}/a.png", _image())
    assert _walk(root).empty == ("train_set/03", "train_set/07")


def test_a_relative_root_and_a_string_are_accepted(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert _walk("dice").root == root


def test_missing_root_names_the_folder_that_exists(tmp_path):
    with pytest.raises(AnodiceError, match=rf"the folder does not exist \({re.escape(str(tmp_path))} does\)"):
        _walk(tmp_path / "no" / "dice")


def test_root_that_is_a_file(tmp_path):
    _put(tmp_path, "dice.zip", b"PK")
    with pytest.raises(AnodiceError, match="that is a file"):
        _walk(tmp_path / "dice.zip")


def test_empty_root(tmp_path):
    with pytest.raises(AnodiceError, match="the folder is empty"):
        _walk(tmp_path)


def test_wrong_root_shows_what_is_missing_what_is_there_and_the_expected_tree(tmp_path):
    _put(tmp_path, "train_set/00/a.png", _image())
    _put(tmp_path, "readme.txt", b"hello")
    with pytest.raises(AnodiceError, match=r"expected test_set/ in .*, found readme.txt, train_set/;") as error:
        _walk(tmp_path)
    assert "ROOT/{train_set,test_set}/{00..10,ano}/<photos>" in str(error.value)


@pytest.mark.parametrize("wrong", ["..", "train_set"], ids=["one level too high", "one level too low"])
def test_root_one_level_off_points_at_the_right_folder(root, wrong):
    with pytest.raises(AnodiceError, match=re.escape(f"{root} has that layout")):
        _walk((root / wrong).resolve())


def test_root_without_normal_training_photos(tmp_path):
    for name, data in (("train_set/ano/a.png", _image()), ("test_set/00/a.png", _image()), ("train_set/00/b.png", b"")):
        _put(tmp_path, name, data)
    with pytest.raises(AnodiceError, match=r"expected normal photos under .*train_set, found none .*1 files were skip"):
        _walk(tmp_path)


def test_folders_that_may_be_meant_as_classes_are_named(dice_root, tmp_path):
    root = tmp_path / "dice"
    shutil.copytree(dice_root, root)
    for name in ("train_set/11", "test_set/anomalies", "train_set/.cache"):
        (root / name).mkdir()
    assert _walk(root).unread == ("train_set/11", "test_set/anomalies")


def _one_folder(root, **changes):
    """The only record of a folder that is read as told."""
    layout = Layout((Folder("x", "any", "good", False, **changes),), ("good",), ("x",), "ROOT/x")
    return walk(root, layout).records[0]


@pytest.mark.parametrize("mask", ["a_mask.png", "a.png"])
def test_masks_are_found_by_the_stem_of_the_photo(tmp_path, mask):
    _put(tmp_path, "x/a.jpg", _image("JPEG"))
    _put(tmp_path, f"marks/{mask}", _image())
    assert _one_folder(tmp_path, masks="marks").mask == f"marks/{mask}"


def test_a_photo_without_a_mask_has_none(tmp_path):
    _put(tmp_path, "x/a.jpg", _image("JPEG"))
    _put(tmp_path, "marks/b_mask.png", _image())
    assert _one_folder(tmp_path, masks="marks").mask is None
    assert _one_folder(tmp_path, masks="missing").mask is None
    assert _one_folder(tmp_path).mask is None


def test_a_misspelt_folder_brings_the_nearest_name(tmp_path):
    _put(tmp_path, "y/good/a.png", _image())
    layout = Layout((), (), ("y/godo",), "ROOT/y/godo")
    with pytest.raises(AnodiceError, match=r"expected y/godo/ in .* \(did you mean y/good/\?\)"):
        walk(tmp_path, layout)
