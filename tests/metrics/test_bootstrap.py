"""The intervals: exact where theory says so, and holding the truth as often as they claim."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from anodice.errors import AnodiceError
from anodice.metrics.bootstrap import bootstrap, rate_interval
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
    figures += (swept.false_positive_rate_at(0.95),)
    widest = (0.2, 0.2, 0.2, 0.2, 0.2, 0.6)  # 95 % recall hangs on two or three anomalies
    for (low, high), figure, most in zip(astuple(found), figures, widest, strict=True):
        assert 0 <= low <= figure <= high <= 1
        assert high - low < most


def test_recall_of_single_images_is_jeffreys_interval():
    labels = np.arange(200) < 50
    flags = labels & (np.arange(200) >= 5)  # 45 of 50 found
    found = bootstrap(flags, labels, flags, range(200), resamples=20_000, seed=0).recall
    assert found == pytest.approx(stats.beta(45.5, 5.5).ppf([0.025, 0.975]), abs=0.004)


def test_perfect_verdicts_have_an_interval():
    labels = np.arange(382) < 52
    found = bootstrap(labels, labels, labels, range(382), seed=0)
    *figures, false_positive_rate = astuple(found)
    for low, high in figures:
        assert 0.8 < low < 0.99
        assert high == 1.0
    assert false_positive_rate[0] == 0.0
    assert 0.002 < false_positive_rate[1] < 0.02


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


def test_a_rate_of_nothing_has_an_upper_end():
    low, high = rate_interval(np.zeros(30), range(30))
    assert low == 0.0
    assert high == pytest.approx(stats.beta(0.5, 30.5).ppf(0.975))
    assert rate_interval(np.ones(30), range(30)).high == 1.0


def test_a_rate_of_copies_is_as_wide_as_of_the_images_themselves():
    hits = np.arange(30) < 4
    alone, copied = rate_interval(hits, range(30)), rate_interval(np.repeat(hits, 5), np.repeat(range(30), 5))
    assert copied == pytest.approx(alone)


SHAPES = {
    "normal": (stats.norm(), stats.norm(3), 1.6),
    "nearly parted": (stats.norm(), stats.norm(4), 2.1),
    "wide anomalies": (stats.norm(), stats.norm(3, 2), 1.8),
    "lognormal": (stats.lognorm(0.5), stats.lognorm(0.7, scale=np.exp(1.8)), 2.6),
}
"""The scores of normals and of anomalies, and a threshold."""


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_hold_the_truth_as_often_as_they_claim(shape):
    """At the sizes of our test: 280 normals and 75 anomalies."""
    normal, anomalous, threshold = SHAPES[shape]
    anomalies, normals, draws = 75, 280, 300
    recalls = (np.arange(200_000) + 0.5) / 200_000
    rates = normal.sf(anomalous.isf(recalls))
    recall, rate = anomalous.sf(threshold), normal.sf(threshold)
    tp, fp = anomalies * recall, normals * rate
    truth = np.array([2 * tp / (tp + fp + anomalies), tp / (tp + fp), recall, (1 - rates).mean()])
    truth = np.append(truth, (anomalies * recalls / (anomalies * recalls + normals * rates)).mean())
    labels = np.arange(anomalies + normals) < anomalies
    held = np.zeros(5)
    for seed in range(draws):
        scores = np.append(anomalous.rvs(anomalies, random_state=seed), normal.rvs(normals, random_state=draws + seed))
        found = bootstrap(scores, labels, scores >= threshold, range(labels.size), resamples=300, seed=seed)
        ends = np.array(astuple(found)[:5])
        held += (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    # 93 to 97 %, give or take two standard deviations of what 300 draws can tell
    assert ((held / draws > 0.90) & (held / draws < 0.995)).all(), held / draws


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
