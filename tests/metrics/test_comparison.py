"""Two detectors on the same images: exact counts, and intervals that hold the true difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from anodice.errors import AnodiceError
from anodice.metrics.comparison import compare

LABELS = np.arange(355) < 75


def drawn(seed: int, *, distances: tuple[float, float] = (3.0, 3.0)):
    """Scores of two detectors that err on much the same images, and their verdicts."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=LABELS.size)
    scores = [0.8 * shared + 0.6 * rng.normal(size=LABELS.size) + d * LABELS for d in distances]
    return scores, [s >= 1.5 for s in scores]


def test_a_detector_does_not_differ_from_itself():
    scores, flags = drawn(0)
    found = compare([scores[0]] * 2, [flags[0]] * 2, LABELS, range(355), resamples=200, seed=0)
    assert (found.only_first_right, found.only_second_right, found.p_value, found.differing) == (0, 0, 1.0, ())
    assert found.f1.value == found.auroc.value == 0
    assert found.auroc.interval == (0, 0)
    assert found.f1.interval.low < 0 < found.f1.interval.high  # that no verdict differs here proves little


def test_counts_and_p_value_are_mcnemars():
    first, second = LABELS.copy(), LABELS.copy()
    second[:9] = False  # nine misses
    first[100] = True  # one false alarm
    found = compare([LABELS, LABELS], [first, second], LABELS, range(355), resamples=50, seed=0)
    assert (found.only_first_right, found.only_second_right) == (9, 1)
    assert found.p_value == pytest.approx(2 * stats.binom(10, 0.5).cdf(1))
    assert found.differing == (*range(9), 100)


def test_swapping_the_detectors_changes_the_sign():
    scores, flags = drawn(1, distances=(3.0, 2.0))
    there = compare(scores, flags, LABELS, range(355), resamples=300, seed=0)
    back = compare(scores[::-1], flags[::-1], LABELS, range(355), resamples=300, seed=0)
    assert there.f1.value == -back.f1.value > 0
    assert there.auroc.interval.low == pytest.approx(-back.auroc.interval.high)
    assert there.p_value == back.p_value


def test_what_is_hard_for_both_does_not_widen_the_interval():
    scores, flags = drawn(2)
    rng = np.random.default_rng(0)
    order = np.append(rng.permutation(75), 75 + rng.permutation(280))
    paired = compare(scores, flags, LABELS, range(355), resamples=500, seed=0).auroc.interval
    torn = compare([scores[0], scores[1][order]], flags, LABELS, range(355), resamples=500, seed=0).auroc.interval
    assert paired.high - paired.low < torn.high - torn.low


def test_two_perfect_rankings_have_no_interval():
    found = compare([LABELS, LABELS * 2], [LABELS, LABELS], LABELS, range(355), resamples=50, seed=0)
    assert (found.auroc.value, found.auroc.interval) == (0, None)


@pytest.mark.parametrize("label", [0, 1])
def test_without_a_class_figures_cannot_be_compared(label):
    found = compare([[1.0, 2.0]] * 2, [[0, 1], [1, 1]], [label, label], range(2), resamples=10, seed=0)
    assert (found.auroc.value, found.average_precision.interval) == (None, None)
    assert (found.f1.value is None) == (label == 0)
    assert found.only_first_right + found.only_second_right == 1


def test_refuses_other_lengths():
    with pytest.raises(AnodiceError, match="verdicts of two detectors and one group for each of 2 images"):
        compare([[1.0, 2.0]] * 2, [[0, 1], [0, 1]], [0, 1], [0], seed=0)


@pytest.mark.slow
def test_intervals_of_differences_hold_the_truth():
    truth = {"f1": _f1(3.0) - _f1(2.6), "auroc": stats.norm.cdf(3.0 / 2**0.5) - stats.norm.cdf(2.6 / 2**0.5)}
    held = dict.fromkeys(truth, 0)
    for seed in range(300):
        found = compare(*drawn(seed, distances=(3.0, 2.6)), LABELS, range(355), resamples=400, seed=seed)
        for name in truth:
            low, high = getattr(found, name).interval
            held[name] += low <= truth[name] <= high
    assert all(0.91 < count / 300 < 0.99 for count in held.values()), held


def _f1(distance: float) -> float:
    tp, fp = 75 * stats.norm.sf(1.5 - distance), 280 * stats.norm.sf(1.5)
    return 2 * tp / (tp + fp + 75)
