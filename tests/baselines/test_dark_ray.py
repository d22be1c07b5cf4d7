"""The earlier rule for turning dice upright, as its loop of rotations would."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anodice.baselines.dark_ray import VETOES, DarkRayUpright
from anodice.baselines.rotation import turned
from anodice.data.decode import decode
from anodice.data.layouts import dice11
from anodice.data.records import walk
from anodice.dice.orientation import Upright, disk
from anodice.dice.renderer import CLASSES
from anodice.errors import AnodiceError
from tests.photos import drawn_dice, no_dice


def _rotated(photo, degrees):
    """One photo turned pixel by pixel with the fixed-point arithmetic of OpenCV 4.5's warpAffine."""
    size = len(photo)
    middle, cos, sin = size / 2, math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    shift_x, shift_y = (1 - cos) * middle - sin * middle, sin * middle + (1 - cos) * middle
    along = np.arange(size)
    scale = 1 / (cos * cos + sin * sin)
    cos, sin = cos * scale, sin * scale
    start_x, start_y = -cos * shift_x + sin * shift_y, -sin * shift_x - cos * shift_y
    x = np.rint(cos * along * 1024)[None] + np.rint((-sin * along + start_x) * 1024)[:, None]
    y = np.rint(sin * along * 1024)[None] + np.rint((cos * along + start_y) * 1024)[:, None]
    x, y = (x.astype(int) + 16) >> 5, (y.astype(int) + 16) >> 5
    total = np.zeros((size, size), dtype=int)
    for down in (0, 1):
        for right in (0, 1):
            column, row = (x >> 5) + right, (y >> 5) + down
            inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
            value = np.where(inside, photo[row.clip(0, size - 1), column.clip(0, size - 1)].astype(int), 0)
            total += value * np.where(right, x & 31, 32 - (x & 31)) * np.where(down, y & 31, 32 - (y & 31))
    return ((total + 512) >> 10).astype(np.uint8)


def _counted(photo):
    """Dark pixels at each angle: on the ray, above it, below it."""
    half = len(photo) // 2
    masked = np.where(disk(len(photo)), photo, 255).astype(np.uint8)
    dark = [_rotated(masked, angle)[:, :half] < 75 for angle in range(360)]
    return np.array([(d[half].sum(), d[:half].sum(), d[half:].sum()) for d in dark]).T


@pytest.mark.slow
@pytest.mark.parametrize("size", [33, 64, 128])
def test_the_dark_ray_is_that_of_a_loop_over_rotations(size):
    photos = no_dice(33) if size == 33 else np.concatenate([drawn_dice(size, CLASSES[:: 128 // size]), no_dice(size)])
    counts = [_counted(photo) for photo in photos]
    for veto in VETOES:
        method = DarkRayUpright(veto=veto)
        expected = []
        for ray, above, below in counts:
            vetoed = {"bottom_heavier": below > above, "top_heavier": below < above, "none": np.zeros(360, bool)}[veto]
            expected.append(np.where(vetoed, 0, ray).argmax())
        np.testing.assert_array_equal(method.angles(photos), expected)
        for photo, angle, upright in zip(photos, expected, method(photos), strict=True):
            np.testing.assert_array_equal(upright, np.where(disk(size), _rotated(photo, angle), 255))


@pytest.mark.parametrize("size", [33, 64])
def test_photos_are_turned_pixel_by_pixel_as_opencv_does_it(size):
    photos, degrees = np.concatenate([no_dice(size)] * 2), np.array([0, 7, 90, 133, 180, 200, 271, 300, 7, 359.0])
    expected = [_rotated(photo, angle) for photo, angle in zip(photos, degrees, strict=True)]
    np.testing.assert_array_equal(turned(photos, degrees), expected)


def test_names_tell_rules_apart():
    assert len({method.name for method in (Upright(), *(DarkRayUpright(veto=veto) for veto in VETOES))}) == 4


def test_an_unknown_veto_is_refused():
    with pytest.raises(AnodiceError, match="did you mean 'top_heavier'"):
        DarkRayUpright(veto="top_heavy")


def test_real_dice_of_a_face_come_to_lie_alike(real_dice_root):
    records = [r for r in walk(real_dice_root, dice11(real_dice_root)).records if r.face is not None][::40]
    photos = np.stack([decode(real_dice_root / r.path, image_size=128, in_channels=1)[0][..., 0] for r in records])
    upright = DarkRayUpright(veto="top_heavier")(photos)[:, disk(128)].astype(float)
    faces = np.array([r.face for r in records])
    for face in range(2, 7):  # 1 has no direction
        pictures = upright[faces == face]
        likeness = [np.corrcoef(picture, pictures.mean(0))[0, 1] for picture in pictures]
        assert np.mean(likeness) > 0.9, face
