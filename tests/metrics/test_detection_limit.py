"""The smallest size that is found often enough, and how far its interval goes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.metrics.detection_limit import limit

SIZES = [1.0, 2.0, 4.0, 8.0]


def _found(*shares, photos=100):
    """Finds with these shares at the sizes; a photo that finds a size finds the larger ones as well."""
    return np.arange(photos)[:, None] < np.array(shares) * photos


@pytest.mark.parametrize(
    ("shares", "level", "size"),
    [
        ((0, 0, 0.5, 1), 0.5, 4.0),
        ((0, 0, 1, 1), 0.5, math.sqrt(8)),
        ((0, 0.2, 0.8, 1), 0.5, math.sqrt(8)),
        ((0.7, 0.8, 0.9, 1), 0.5, 0.0),
        ((0, 0.1, 0.2, 0.3), 0.5, math.inf),
        ((0, 0.6, 0.4, 1), 0.5, 2.0),  # the dip is smoothed away
    ],
)
def test_size_where_the_share_is_reached(shares, level, size):
    assert limit(_found(*shares), SIZES, level, seed=0).size == pytest.approx(size)


def test_interval_holds_the_size_and_is_seeded():
    found = _found(0, 0.3, 0.7, 1)
    one = limit(found, SIZES, 0.5, seed=1)
    assert one.low < one.size < one.high
    assert one == limit(found, SIZES, 0.5, seed=1)
    few = limit(_found(0, 0.3, 0.7, 1, photos=10), SIZES, 0.5, seed=1)
    assert few.high / few.low > one.high / one.low


def test_interval_may_be_open():
    assert limit(_found(0, 0.2, 0.4, 0.55, photos=20), SIZES, 0.5, seed=0).high == math.inf


@pytest.mark.parametrize(
    ("found", "sizes", "level"),
    [
        (np.zeros((0, 4)), SIZES, 0.5),
        (np.zeros((2, 3)), SIZES, 0.5),
        (np.zeros((2, 2)), [2, 1], 0.5),
        (np.zeros((2, 2)), [0, 1], 0.5),
        (np.zeros((2, 4)), SIZES, 0),
        (np.full((2, 4), np.nan), SIZES, 0.5),
    ],
)
def test_what_cannot_be_fitted_is_refused(found, sizes, level):
    with pytest.raises(AnodiceError, match="expected"):
        limit(found, sizes, level, seed=0)
