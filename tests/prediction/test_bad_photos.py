"""Files that are no photos, or odd ones: each is answered, nothing crashes, hangs or fills the memory."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from anodice.data.decode import MOST_PIXELS
from anodice.prediction.photos import Photo, files_of, photo_of_bytes, read_photo
from anodice.prediction.prediction import Unreadable
from tests.odd_files import ODD, claimed, encoded, grey, mutated

FORM = {"image_size": 32, "in_channels": 1}


@pytest.mark.parametrize("kind", ODD)
def test_odd_photos_are_photos(kind):
    found = photo_of_bytes(ODD[kind], kind, **FORM)
    assert isinstance(found, Photo)
    if kind not in ("1x1", "CMYK"):  # JPEG loses a little
        plain = photo_of_bytes(encoded(grey(), "PNG"), "plain", **FORM)
        assert np.array_equal(found.pixels, plain.pixels)


def test_a_photo_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter clockwise
    lying = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (32, 1)))
    found = photo_of_bytes(encoded(lying, "PNG", exif=exif), "turned", **FORM)
    assert found.size == (32, 64)
    assert (found.pixels[1:, 0, 0] > found.pixels[:-1, 0, 0]).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot identify image file"),
        (b"text", "cannot identify image file"),
        (encoded(grey(), "PNG")[:60], "cannot be decoded (image file is truncated)"),
        (encoded(grey(), "GIF"), "cannot identify image file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "cannot identify image file"),
        (claimed(30_000, 30_000), "cannot be decoded"),
        (claimed(10_001, 10_000), "10001x10000 pixels, more than 100,000,000"),
    ],
    ids=["empty", "text", "truncated", "GIF", "program", "bomb", "large"],
)
def test_what_is_no_photo_is_told(content, reason):
    found = photo_of_bytes(content, "name", **FORM)
    assert isinstance(found, Unreadable)
    assert reason in found.reason
    assert MOST_PIXELS == 100_000_000


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    told = {
        name: read_photo(tmp_path / name, **FORM).reason for name in ("pipe.png", "empty.png", "folder.png", "gone.png")
    }
    assert told == {
        "pipe.png": "is no ordinary file",
        "empty.png": "empty file",
        "folder.png": "is no ordinary file",
        "gone.png": "is no file any more",
    }


def test_a_folder_is_walked_without_its_hidden_files_pipes_and_linked_folders(tmp_path):
    for name in ("b.png", "a b.png", "-c.png", "d\ne.png", ".hidden.png", "._twin.png", "sub/f.png", ".git/g.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in files_of(tmp_path)]
    assert found == ["-c.png", "a b.png", "b.png", "d\ne.png", "sub/f.png"]


@pytest.mark.slow
def test_mutated_files_are_all_answered():
    """2,000 files of six formats with bytes changed, cut out and doubled."""
    read = 0
    for data in mutated(2000):
        found = photo_of_bytes(data, "mutated", **FORM)
        assert isinstance(found, Photo | Unreadable)
        if isinstance(found, Photo):
            read += 1
            assert (found.pixels.shape, found.pixels.dtype) == ((32, 32, 1), np.uint8)
        else:
            assert 10 < len(found.reason) < 300
    assert 100 < read < 1900
