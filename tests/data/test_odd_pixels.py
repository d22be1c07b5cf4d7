"""Pixels of unusual kinds are read as people see them, or refused with a reason."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from anodice.data.decode import decode, decode_image
from anodice.data.layouts import dice11
from anodice.data.records import walk

RAMP = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)


def read(tmp_path, values, name="a.tif"):
    Image.fromarray(values).save(tmp_path / name)
    return decode(tmp_path / name, image_size=16, in_channels=1).pixels[..., 0]


def test_floats_of_0_to_1_are_grey_levels(tmp_path):
    assert (read(tmp_path, RAMP) == np.arange(256).reshape(16, 16)).all()


def test_sixteen_bits_keep_their_upper_eight(tmp_path):
    values = (np.arange(256, dtype=np.uint16) * 256).reshape(16, 16)
    assert (read(tmp_path, values, "a.png") == np.arange(256).reshape(16, 16)).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (RAMP * 255, "its pixels are of 0 to 255"),
        (np.where(RAMP > 0.5, np.nan, RAMP), "no numbers or infinite"),
        (np.where(RAMP > 0.5, np.inf, RAMP), "no numbers or infinite"),
        ((RAMP * 255).astype(np.int32), "more than 16 bits"),
        ((RAMP * 1e9).astype(np.int32), "more than 16 bits"),
    ],
)
def test_numbers_of_an_unknown_range_are_refused(values, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        read(tmp_path, values)


@pytest.mark.parametrize(("alpha", "grey"), [(255, 40), (0, 255), (128, 147)])
def test_what_shows_through_lies_on_white(alpha, grey):
    pixel = np.array([40, 40, 40, alpha], dtype=np.uint8)
    image = Image.fromarray(np.broadcast_to(pixel, (8, 8, 4)).copy())
    assert decode_image(image, image_size=8, in_channels=1).pixels.flat[0] == pytest.approx(grey, abs=1)


def test_files_that_cannot_be_read_are_named_and_stop_nothing(writable_dice):
    folder = writable_dice / "train_set" / "02"
    count = len(list(folder.iterdir()))
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "around").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    with open(os.fsencode(folder) + b"/\xff.png", "wb") as file:  # noqa: PTH123
        file.write(next(folder.glob("*.png")).read_bytes())
    found = walk(writable_dice, dice11(writable_dice))
    assert sum(record.path.startswith("train_set/02/") for record in found.records) == count
    reasons = {path.rpartition("/")[2]: reason for path, reason in found.skipped}
    assert {name: reason.partition(" (")[0] for name, reason in reasons.items()} == {
        "loop.png": "cannot be read",
        "gone.png": "cannot be read",
        "\N{REPLACEMENT CHARACTER}.png": "its name is not UTF-8; rename it",
    }
