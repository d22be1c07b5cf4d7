"""The threshold with the highest F1 to expect: what it gains on the next images, and where it lies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from anodice.thresholds.expected_f1 import expected_f1_max
from anodice.thresholds.f1 import F1Max, F1MaxPlain
from anodice.thresholds.images import Images

SHAPES = {
    "parted": (stats.norm(), stats.norm(9, 2)),
    "overlapping": (stats.norm(), stats.norm(2, 1)),
    "long tails": (stats.t(3), stats.t(3, 6, 2)),
    "skewed": (stats.gamma(3), stats.gamma(3, 6, 2.5)),
}


def f1(threshold: float, normals, anomalies, shift: float = 0.0) -> float:
    """Of images of these distributions, all scores shifted, with 585 normals on 225 anomalies."""
    found, alarms = 225 * anomalies.sf(threshold - shift), 585 * normals.sf(threshold - shift)
    return 2 * found / (found + alarms + 225)


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_on_new_images_it_is_better_than_the_plain_maximum_with_and_without_shift(shape, shift):
    normals, anomalies = SHAPES[shape]
    labels = np.repeat([0, 1], [585, 225])
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores = np.append(normals.rvs(585, random_state=rng), anomalies.rvs(225, random_state=rng))
        values = [rule.fit(scores, labels).value for rule in (F1Max(), F1MaxPlain())]
        ours, plain = (np.mean([f1(value, normals, anomalies, way) for way in (-shift, shift)]) for value in values)
        gains.append(ours - plain)
    assert np.mean(gains) > -0.001
    assert np.mean(gains) > 0.0001 or shape == "overlapping"


def test_in_a_gap_it_keeps_away_from_both_classes():
    rng = np.random.default_rng(0)
    scores, labels = np.append(rng.normal(0, 1, 300), rng.normal(40, 5, 300)), np.repeat([0, 1], 300)
    low, high = scores[:300].max(), scores[300:].min()
    width = high - low
    assert low + 0.2 * width < F1Max().fit(scores, labels).value < high - 0.2 * width
    assert low + 0.2 * width < -F1Max().fit(-scores, 1 - labels).value < high - 0.2 * width


def test_it_follows_shift_and_scale():
    rng = np.random.default_rng(0)
    scores, labels = np.append(rng.normal(0, 1, 200), rng.normal(4, 1, 100)), np.repeat([0, 1], [200, 100])
    value = F1Max().fit(scores, labels).value
    assert F1Max().fit(1e-6 * scores + 3, labels).value == pytest.approx(1e-6 * value + 3, rel=1e-9)


def test_it_tells_the_plain_maximum_beside_its_own():
    rng = np.random.default_rng(1)
    scores, labels = np.append(rng.normal(0, 1, 200), rng.normal(2, 1, 100)), np.repeat([0, 1], [200, 100])
    found, plain = F1Max().fit(scores, labels), F1MaxPlain().fit(scores, labels)
    assert found.detail["plain_value"] == plain.value != found.value
    assert found.detail["highest_f1"] == plain.detail["f1"] >= found.detail["f1"] > plain.detail["f1"] - 0.03


def test_few_images_get_the_plain_maximum():
    scores, labels = [*range(9), *range(20, 50)], [0] * 9 + [1] * 30
    assert F1Max().fit(scores, labels).value == F1MaxPlain().fit(scores, labels).value == 14.0


def test_a_burst_counts_as_one_image():
    """Thirty copies of one high normal image would move the plain maximum; as one group they are one doubtful image."""
    rng = np.random.default_rng(2)
    scores = np.concatenate([rng.normal(0, 1, 200), np.full(30, 4.5), rng.normal(8, 1, 100)])
    labels = np.repeat([0, 1], [230, 100])
    burst = np.concatenate([np.arange(200), np.full(30, 200), np.arange(201, 301)])
    assert expected_f1_max(Images.of(scores, labels)) > 4.5
    alone, together = (F1Max().fit(scores, labels, groups=groups).value for groups in (None, burst))
    assert together <= alone


def test_the_same_scores_give_the_same_value():
    rng = np.random.default_rng(3)
    scores, labels = np.append(rng.normal(0, 1, 90), rng.normal(2, 1, 60)), np.repeat([0, 1], [90, 60])
    assert len({F1Max().fit(scores, labels).value for _ in range(3)}) == 1
