"""Pooling against NumPy, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anodice.errors import AnodiceError
from anodice.scoring.pooling import Max, Mean, TopMean

VALUES = torch.randn(6, 101, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _top_mean(values, count):
    return np.sort(values, axis=1)[:, -count:].mean(1)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (Max(), lambda v: v.max(1)),
        (Mean(), lambda v: v.mean(1)),
        (TopMean(fraction=0.1), lambda v: _top_mean(v, 10)),
        (TopMean(fraction=0.5), lambda v: _top_mean(v, 50)),
        (TopMean(fraction=1), lambda v: v.mean(1)),
    ],
)
def test_pooling_agrees_with_numpy(pooling, expected):
    np.testing.assert_allclose(pooling(VALUES).numpy(), expected(VALUES.numpy()), rtol=1e-12)


def test_the_strangest_share_is_at_least_one_pixel():
    torch.testing.assert_close(TopMean(fraction=1e-6)(VALUES), VALUES.amax(1))


@pytest.mark.parametrize("pooling", [Max(), Mean(), TopMean(fraction=0.02)])
def test_the_order_of_the_pixels_does_not_matter(pooling):
    torch.testing.assert_close(pooling(VALUES.flip(1)), pooling(VALUES))


@pytest.mark.parametrize("pixels", [1600, 1607, 11600])
@pytest.mark.parametrize("smooth", [False, True])
def test_the_strangest_share_of_many_pixels_is_found_wherever_they_lie(pixels, smooth):
    values = torch.rand(5, pixels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = values.cumsum(1).sin() if smooth else values.round(decimals=2)
    expected = _top_mean(values.numpy(), round(0.01 * pixels))
    np.testing.assert_allclose(TopMean(fraction=0.01)(values).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_a_share_outside_its_range_is_refused(fraction):
    with pytest.raises(AnodiceError, match=r"score.pooling.fraction in \(0, 1\], got"):
        TopMean(fraction=fraction)
