"""The fingerprint tells objects in one pose, at any angle, and textures apart, by the photos to learn from alone."""

from __future__ import annotations

import pytest

from anodice.data.fingerprint import fingerprint
from anodice.data.layouts import mvtec
from anodice.data.pose import LongAxis
from anodice.objects.dataset import write_object

SMALL = {"train": 30, "test_good": 1, "test_flawed": 1, "size": 128}


@pytest.fixture
def found(tmp_path, data_module):
    """Kind of object -> its fingerprint."""

    def look(kind, **changes):
        root = write_object(tmp_path / kind, kind=kind, **SMALL)
        data = data_module(root, layout=mvtec, shape_to_square="pad", **changes)
        return fingerprint(data.photos, fit="pad", orientation=data.orientation)

    return look


@pytest.mark.parametrize("kind", ["jars", "pills", "rulers"])
def test_objects_in_one_pose_are_alike_as_they_lie(found, kind):
    told = found(kind)
    assert told.likeness > 0.8
    assert told.shift < 0.05
    assert told.colour
    assert (told.photos, told.classes) == (20, 1)


def test_objects_at_any_angle_are_alike_once_turned(found):
    told = found("bolts")
    assert told.likeness < 0.5 < 0.8 < told.turned_likeness
    assert told.found == 1
    assert not told.colour
    again = found("bolts", orientation=LongAxis())  # photos that are turned already
    assert again.likeness > 0.8


@pytest.mark.parametrize("kind", ["weave", "slabs"])
def test_textures_are_not_alike_place_by_place(found, kind):
    told = found(kind)
    assert max(told.likeness, told.turned_likeness) < 0.3


def test_long_photos_are_told_by_their_size(found):
    told = found("rulers")
    assert (told.width, told.height, told.elongation) == (384, 128, 3.0)


def test_dice_are_alike_within_their_classes(dice_root, data_module):
    data = data_module(dice_root)
    told = fingerprint(data.photos, fit="squash")
    assert told.likeness > 0.8
    assert (told.classes, told.colour) == (11, False)
