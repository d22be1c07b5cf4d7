"""The renderer of dice photos: same seed same pixels, every class told apart, marks where the ink is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anodice.dice.drawing.marks import Logo, find_marks, logo_distance, pixels
from anodice.dice.renderer import CLASSES, SESSIONS, render
from anodice.errors import AnodiceError

PIPS = {"00": 1, "01": 2, "02": 2, "03": 3, "04": 3, "05": 4, "06": 5}
LOGOS = ("07", "08", "09", "10")


def _photo(die_class, seed, **options):
    return render(die_class, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("die_class", CLASSES)
def test_same_seed_gives_same_pixels_and_another_seed_others(die_class):
    first, again, other = (_photo(die_class, seed).image for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [64, 128, 200, 256])
@pytest.mark.parametrize("die_class", ["00", "06", "07"])
def test_every_size_shows_a_bright_face_on_a_dark_ground(die_class, size):
    photo = _photo(die_class, 3, size=size)
    assert photo.image.shape == (size, size)
    assert photo.image.dtype == np.uint8
    assert photo.face.shape == (size, size)
    assert np.percentile(photo.image[photo.face], 90) > 190
    corner = size // 32
    assert photo.image[:corner, :corner].mean() < 90


def test_classes_are_told_apart_by_the_nearest_mean_image():
    means = np.stack([np.mean([_photo(c, [1, n], size=64).image for n in range(8)], axis=0) for c in CLASSES])
    for expected, die_class in enumerate(CLASSES):
        for number in range(6):
            image = _photo(die_class, [2, number], size=64).image.astype(float)
            assert np.abs(means - image).mean(axis=(1, 2)).argmin() == expected


def test_sessions_have_looks_of_their_own():
    faces = [np.mean([_photo("00", n, session=session).image[64, 90:100] for n in range(12)]) for session in SESSIONS]
    grounds = [np.mean([_photo("00", n, session=session).image[:3, :3] for n in range(12)]) for session in SESSIONS]
    assert max(faces) - min(faces) > 5
    assert max(grounds) - min(grounds) > 8


@pytest.mark.parametrize(("die_class", "count"), PIPS.items())
def test_marks_name_every_pip_where_it_is_dark(die_class, count):
    photo = _photo(die_class, 5)
    assert len(photo.marks.pips) == count
    assert photo.marks.logo is None
    x, y = pixels(128)
    for pip in photo.marks.pips:
        away = np.hypot(x - pip.x, y - pip.y)
        assert photo.image[away < pip.radius - 2].mean() < 30
        assert photo.image[(away > pip.radius + 2) & (away < pip.radius + 4)].mean() > 130


@pytest.mark.parametrize("die_class", LOGOS)
def test_marks_give_the_pose_of_the_logo(die_class):
    photo = _photo(die_class, 5)
    assert photo.marks.pips == ()
    distance = logo_distance(photo.marks.logo, *pixels(128))
    assert photo.image[distance < -2].mean() < 75
    assert photo.image[photo.face & (distance > 6)].mean() > 190


def test_logos_point_left_up_right_down():
    tips = []
    for die_class in LOGOS:
        x, y = _photo(die_class, 1).marks.logo.at(0.0, 0.0)
        tips.append((round((x - 64) / 38), round((y - 64) / 38)))
    assert tips == [(-1, 0), (0, -1), (1, 0), (0, 1)]


@given(angle=st.floats(-4, 4), first=st.floats(-20, 90), second=st.floats(-20, 90), scale=st.floats(0.4, 3))
@settings(max_examples=50, deadline=None)
def test_logo_plan_and_at_are_inverse(angle, first, second, scale):
    logo = Logo(x=60.0, y=70.0, angle=angle, scale=scale)
    x, y = logo.at(first, second)
    assert np.allclose(logo.plan(np.array(x), np.array(y)), (first, second), atol=1e-6)


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("die_class", CLASSES)
def test_find_marks_finds_what_was_drawn(die_class, size):
    photo = _photo(die_class, 11, size=size)
    found = find_marks(photo.image)
    assert len(found.pips) == len(photo.marks.pips)
    for pip in photo.marks.pips:
        assert min(np.hypot(pip.x - other.x, pip.y - other.y) for other in found.pips) < size / 100
    if photo.marks.logo is not None:
        overlap = [logo_distance(logo, *pixels(size)) < 0 for logo in (photo.marks.logo, found.logo)]
        assert (overlap[0] & overlap[1]).sum() > 0.85 * (overlap[0] | overlap[1]).sum()


def test_find_marks_in_a_plain_image_finds_none():
    found = find_marks(np.full((128, 128), 200, np.uint8))
    assert found.pips == ()
    assert found.logo is None


def test_unknown_names_and_small_sizes_are_refused():
    with pytest.raises(AnodiceError, match="no class of dice '11'"):
        _photo("11", 0)
    with pytest.raises(AnodiceError, match="no session '16_09_22'; did you mean '16_09_21'"):
        _photo("00", 0, session="16_09_22")
    with pytest.raises(AnodiceError, match="at least 64 pixels wide, not 32"):
        _photo("00", 0, size=32)
