"""Painted defects have the size and the contrast they say, on bare parts of a photo."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anodice.augmentation.graded_defects import Place, coverage, find_place, paint
from anodice.dice.renderer import CLASSES, render


@pytest.mark.parametrize("size", [1.0, 2.5, 6.0, 16.0])
@pytest.mark.parametrize("width", [None, 1.0, 3.0])
def test_coverage_is_the_area(size, width):
    place = Place(30.3, 33.8, 0.7, 200.0)
    covered = coverage(place, size, width, 64)
    area = math.pi * size**2 / 4 if width is None else size * width
    assert covered.sum() == pytest.approx(area, rel=0.08)
    assert (covered.min(), covered.max()) >= (0, 0)
    assert covered.max() <= 1
    middle = (
        (covered * (np.arange(64) + 0.5)).sum() / covered.sum(),
        (covered.T * (np.arange(64) + 0.5)).sum() / covered.sum(),
    )
    assert middle == pytest.approx((place.x, place.y), abs=0.1)


def test_coverage_at_the_border_stays_inside():
    assert coverage(Place(0.0, 63.9, 0.0, 0.0), 9, None, 64).shape == (64, 64)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("change", [-40.0, 25.0])
def test_contrast_is_exact_and_the_grain_stays(channels, change):
    photo = np.random.default_rng(0).integers(90, 120, (64, 64, channels)).astype(np.uint8)
    covered = coverage(Place(32, 32, 0, 100), 10, None, 64)
    painted = paint(photo, covered, change).astype(int)
    assert (painted - photo)[covered == 1].tolist() == [[change] * channels] * int((covered == 1).sum())
    assert (painted == photo)[covered == 0].all()


@pytest.mark.parametrize("die_class", CLASSES)
def test_places_are_bare_inside_and_seeded(die_class):
    photo = render(die_class, np.random.default_rng(3)).image[..., None]
    place = find_place(photo, 16.0, np.random.default_rng(5))
    assert place == find_place(photo, 16.0, np.random.default_rng(5))
    assert math.hypot(place.x - 64, place.y - 64) + 8 <= 0.85 * 64
    below = photo[coverage(place, 8.0, None, 128) == 1]
    assert below.min() > 120  # no part of a black mark
    assert place.level == pytest.approx(below.mean(), abs=25)
