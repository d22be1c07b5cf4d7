"""Means over seeds and how far they are to be trusted, against figures worked out by hand."""

from __future__ import annotations

import pytest

from anodice.metrics.repeats import Spread, spread


def test_interval_is_students_with_two_degrees_of_freedom_for_three_seeds():
    found = spread([0.90, 0.92, 0.94])
    assert (found.n, found.mean, found.deviation) == (3, pytest.approx(0.92), pytest.approx(0.02))
    half = 4.302652729911275 * 0.02 / 3**0.5  # the 0.975 quantile from a table
    assert (found.low, found.high) == (pytest.approx(0.92 - half), pytest.approx(0.92 + half))


def test_interval_stays_within_the_range_of_the_figure():
    assert spread([1.0, 0.9]).high == 1.0
    assert spread([0.0, 0.1]).low == 0.0
    assert spread([100.0, 120.0], within=(0, float("inf"))).high > 200


def test_equal_figures_have_no_width():
    assert spread([0.5, 0.5]) == Spread(2, 0.5, 0.0, 0.5, 0.5)


def test_one_figure_has_no_interval_and_none_has_no_mean():
    assert spread([0.5, None]) == Spread(1, 0.5)
    assert spread([None]) == Spread(0, None)
