"""The intervals: exact where theory says so, and holding the truth as often as they claim."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from anodice.errors import AnodiceError
from anodice.metrics.bootstrap import bootstrap
from anodice.metrics.sweep import Confusion, sweep


def drawn(seed: int, *, anomalies: int = 52, normals: int = 330, distance: float = 3.0):
    """Gaussian scores, the anomalies `distance` higher; labels; verdicts at half the distance."""
    labels = np.arange(anomalies + normals) < anomalies
    scores = np.random.default_rng(seed).normal(size=labels.size) + distance * labels
    return scores, labels, scores >= distance / 2


def test_same_seed_same_intervals():
    images = drawn(0)
    first, again, other = (bootstrap(*images, range(382), resamples=50, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_every_interval_holds_the_observed_figure():
    scores, labels, flags = drawn(3)
    found = bootstrap(scores, labels, flags, range(382), resamples=200, seed=0)
    seen, swept = Confusion.from_flags(flags, labels), sweep(scores, labels)
    figures = (seen.f1, seen.precision, seen.recall, swept.auroc, swept.average_precision)
    for (low, high), figure in zip(astuple(found), figures, strict=True):
        assert 0 <= low <= figure <= high <= 1
        assert high - low < 0.2


def test_recall_of_single_images_is_jeffreys_interval():
    labels = np.arange(200) < 50
    flags = labels & (np.arange(200) >= 5)  # 45 of 50 found
    found = bootstrap(flags, labels, flags, range(200), resamples=20_000, seed=0).recall
    assert found == pytest.approx(stats.beta(45.5, 5.5).ppf([0.025, 0.975]), abs=0.004)


def test_perfect_verdicts_have_an_interval():
    labels = np.arange(382) < 52
    found = bootstrap(labels, labels, labels, range(382), seed=0)
    for low, high in astuple(found):
        assert 0.8 < low < 0.99
        assert high == 1.0


def test_copies_in_one_group_count_once():
    scores, labels, flags = drawn(0, anomalies=20, normals=60)
    alone = bootstrap(scores, labels, flags, range(80), seed=0)
    copied = bootstrap(*(np.tile(x, 3) for x in (scores, labels, flags)), np.tile(range(80), 3), seed=0)
    np.testing.assert_allclose(astuple(copied), astuple(alone), atol=1e-9)


def test_mixed_groups_and_text_groups_are_taken():
    scores, labels, flags = drawn(0, anomalies=20, normals=60)
    groups = [f"session {i % 20}" for i in range(80)]  # one anomaly and three normals each
    found = bootstrap(scores, labels, flags, groups, resamples=100, seed=0)
    assert all(low < high for low, high in astuple(found))


def test_ties_are_ranked_as_in_the_sweep():
    scores, labels, flags = drawn(1, distance=1.0)
    coarse = scores.round()
    low, high = bootstrap(coarse, labels, flags, range(382), resamples=200, seed=0).auroc
    assert low < sweep(coarse, labels).auroc < high


@pytest.mark.parametrize("label", [0, 1])
def test_without_a_class_there_is_no_interval(label):
    found = bootstrap([1.0, 2.0], [label, label], [0, 1], [0, 1], resamples=10, seed=0)
    assert found.auroc is None
    assert found.average_precision is None
    assert (found.f1 is None) == (label == 0)


def test_nothing_flagged_has_no_precision():
    found = bootstrap([1.0, 2.0], [0, 1], [0, 0], [0, 1], resamples=10, seed=0)
    assert found.precision is None
    assert found.recall.low == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": [0]}, "expected one verdict and one group for each of 2 images, got 2 verdicts and 1 groups"),
        ({"flags": [0]}, "got 1 verdicts and 2 groups"),
        ({"flags": [0, 3]}, "expected verdicts of 0 or 1"),
        ({"resamples": 0}, "at least 1 resample"),
        ({"level": 95}, r"a level in \(0, 1\), got 2000 and 95"),
    ],
)
def test_refuses_in_a_sentence(change, message):
    given = {"scores": [1.0, 2.0], "labels": [0, 1], "flags": [0, 1], "groups": [0, 1], "seed": 0}
    with pytest.raises(AnodiceError, match=message):
        bootstrap(**(given | change))


@pytest.mark.slow
@pytest.mark.parametrize(("recall", "false_alarms"), [(0.90, 0.0158), (0.97, 0.0047)])  # a true F1 of 0.90 and 0.97
def test_f1_intervals_hold_the_truth_as_often_as_they_claim(recall, false_alarms):
    labels = np.arange(382) < 52
    truth = 2 * 52 * recall / (52 * recall + 330 * false_alarms + 52)
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(600):
        flags = rng.random(382) < np.where(labels, recall, false_alarms)
        low, high = bootstrap(flags, labels, flags, range(382), resamples=500, seed=seed).f1
        held += low <= truth <= high
    assert 0.92 <= held / 600 <= 0.98


@pytest.mark.slow
def test_bursts_need_their_groups():
    """Each of 10 bursts of 5 anomalies is found or missed as a whole: only the grouped interval holds the recall."""
    labels, groups = np.arange(380) < 50, np.arange(380) // 5
    rng = np.random.default_rng(0)
    held = np.zeros(2)
    for seed in range(300):
        flags = labels & (rng.random(76) < 0.8)[groups]
        for i, group in enumerate((groups, range(380))):
            low, high = bootstrap(flags, labels, flags, group, resamples=500, seed=seed).recall
            held[i] += low <= 0.8 <= high
    assert 0.90 <= held[0] / 300 <= 0.99
    assert held[1] / 300 < 0.8
