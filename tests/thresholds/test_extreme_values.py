"""The tail of a generalised Pareto distribution: its estimates against the formulas they come from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import genpareto

from anodice.thresholds.extreme_values import exceedances, p_value, pareto


def by_weighted_moments(excess):
    """Hosking & Wallis (1987), eq. 6 with plotting positions (i - 0.35) / n: shape and scale."""
    size = len(excess)
    first = sum(excess) / size
    second = sum(x * (1 - (rank - 0.35) / size) for rank, x in enumerate(excess, start=1)) / size
    return 2 - first / (first - 2 * second), 2 * first * second / (first - 2 * second)


@pytest.mark.parametrize("excess", [[0.5, 1.0, 1.2, 3.0, 4.0], [1.0, 1.1, 1.3, 1.4], np.arange(1.0, 40) ** 2])
def test_shape_and_scale_follow_the_weighted_moments(excess):
    shape, scale = (part.item() for part in pareto(np.asarray(excess)))
    raw, _ = by_weighted_moments(excess)
    drawn = max(-1.0, min(0.5, raw)) * len(excess) / (len(excess) + 10)  # towards the exponential tail
    assert shape == pytest.approx(drawn, rel=1e-12)
    assert scale == pytest.approx(np.mean(excess) * (1 - drawn), rel=1e-12)


def test_many_exceedances_tell_their_own_tail():
    excess = genpareto.ppf((np.arange(20000) + 0.5) / 20000, -0.3, scale=2.0)
    shape, scale = (part.item() for part in pareto(excess))
    raw, raw_scale = by_weighted_moments(excess.tolist())
    assert (shape, scale) == pytest.approx((raw, raw_scale), abs=2e-3)
    assert (shape, scale) == pytest.approx((-0.3, 2.0), abs=0.005)


def test_a_tail_that_ends_ends_beyond_its_scores():
    excess = np.array([1.0, 1.0, 1.0, 1.0, 1.01])
    shape, scale = (part.item() for part in pareto(excess))
    assert -scale / shape >= 1.01


def test_exceedances_are_the_highest_tenth_and_ties_stay_together():
    start, excess = exceedances(np.arange(200.0))
    assert (start, excess.tolist()) == (179.0, list(np.arange(1.0, 21)))
    start, excess = exceedances(np.array([0.0] * 10 + [5.0] * 15))
    assert (start, excess.tolist()) == (0.0, [5.0] * 15)


def test_a_tail_of_two_kinds_of_photos_does_not_fit():
    drawn = genpareto.ppf((np.arange(200) + 0.5) / 200, 0.1)
    assert p_value(drawn) > 0.9
    assert p_value(np.sort(np.append(drawn[:150] / 50, 20 + drawn[150:] / 50))) == 0.005  # the least of 199 samples
