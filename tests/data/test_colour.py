"""Whether photos have colour, as far as it can be told from some of them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

from anodice.app.configs import compose
from anodice.data.colour import channels_of
from anodice.data.layouts import folder

LAYOUT = partial(folder, normal=["good"], anomalous=[], test_normal=[], test_anomalous=[])


@pytest.fixture
def write(tmp_path):
    def photos(*pictures, suffix="png"):
        (tmp_path / "good").mkdir(exist_ok=True)
        for k, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / "good" / f"{k}.{suffix}")
        return tmp_path

    return photos


def _noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_grey_photos_have_one_channel_however_they_are_stored(write):
    grey = _noise(80, 80)
    assert channels_of(LAYOUT, write(grey)) == 1
    assert channels_of(LAYOUT, write(np.repeat(grey[..., None], 3, 2))) == 1
    assert channels_of(LAYOUT, write(np.repeat(grey[..., None], 3, 2), suffix="jpg")) == 1


def test_one_photo_with_colour_is_enough(write):
    grey, red = _noise(80, 80), np.full((80, 80, 3), (200, 40, 40), np.uint8)
    assert channels_of(LAYOUT, write(grey, red, grey)) == 3
    root = str(write())
    assert compose("data=folder", f"data.root={root}", "data.layout.normal=[good]").data.in_channels == 3


def test_what_cannot_be_read_is_grey(write, tmp_path):
    assert channels_of(LAYOUT, tmp_path / "missing") == 1
    root = write(np.full((8, 8, 3), (200, 40, 40), np.uint8))
    (root / "good" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert channels_of(LAYOUT, root) == 1
