"""The sweep against scikit-learn and against its own verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from anodice.errors import AnodiceError
from anodice.metrics.sweep import Confusion, finite_scores, sweep
from anodice.thresholds.threshold import Threshold

LABELS = [0, 0, 1, 0, 1, 1, 0, 1]
TIED = np.array([0, 1, 1, 2, 2, 3, 3, 5])


@st.composite
def scored_images(draw):
    """Small integers, so with many ties, scaled and shifted; both classes present."""
    size = draw(st.integers(2, 30))
    values = np.array(draw(st.lists(st.integers(-4, 4), min_size=size, max_size=size)), dtype=np.float64)
    labels = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    labels[:2] = [True, False]
    scale = draw(st.sampled_from([1.0, 0.1, 1e300, 1e-300, 5e-324]))
    return values * scale + draw(st.sampled_from([0.0, 1e6])), labels


@pytest.mark.parametrize(
    "scores",
    [
        TIED,
        TIED[::-1],
        np.ones(8),
        TIED * 1e300,
        TIED * 1e-300,
        TIED - 3.5,
        TIED + 1e6,
        TIED / 7 + 1e6,
        TIED.astype(np.int8),
        TIED.astype(np.float32) / 3,
        np.nextafter(1.0, 2) * (TIED > 1) + 1.0 * (TIED <= 1),
    ],
)
def test_agrees_with_scikit_learn(scores):
    swept = sweep(scores, LABELS)
    precision, recall, _ = precision_recall_curve(LABELS, scores)
    assert swept.auroc == pytest.approx(roc_auc_score(LABELS, scores), abs=1e-12)
    assert swept.average_precision == pytest.approx(average_precision_score(LABELS, scores), abs=1e-12)
    np.testing.assert_allclose(swept.precision[1:], precision[-2::-1])
    np.testing.assert_allclose(swept.recall, recall[::-1])


@settings(deadline=None)
@given(scored_images())
def test_agrees_with_scikit_learn_on_random_ties(images):
    scores, labels = images
    swept = sweep(scores, labels)
    assert swept.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert swept.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@settings(deadline=None)
@given(scored_images())
def test_counts_are_those_of_the_verdicts_at_every_threshold(images):
    scores, labels = images
    swept = sweep(scores, labels)
    assert (np.diff(swept.thresholds) < 0).all()
    for value, *counts in zip(swept.thresholds, swept.tp, swept.fp, swept.fn, swept.tn, strict=True):
        flags = Threshold(float(value), "f1_max", 1, 1, "validation", "").flags(scores)
        assert Confusion.from_flags(flags, labels) == Confusion(*counts)


@settings(deadline=None)
@given(scored_images(), st.randoms(use_true_random=False))
def test_order_and_strictly_rising_maps_change_nothing(images, random):
    scores, labels = images
    swept = sweep(scores, labels)
    order = random.sample(range(len(scores)), len(scores))
    ranks = np.unique(scores, return_inverse=True)[1]
    for other in (sweep(scores[order], labels[order]), sweep(np.exp(ranks), labels), sweep(ranks**3 - 50, labels)):
        np.testing.assert_array_equal(other.tp, swept.tp)
        np.testing.assert_array_equal(other.fp, swept.fp)
        assert other.best_f1() == swept.best_f1()
        assert (other.auroc, other.average_precision) == (swept.auroc, swept.average_precision)


def test_equal_f1_takes_the_highest_threshold():
    swept = sweep([4, 3, 2, 1], [1, 0, 0, 1])  # F1 2/3 at the first anomaly and at the last
    assert swept.f1[1] == swept.f1[4]
    assert swept.best_f1() == 1


def test_false_positive_rate_at_a_recall():
    swept = sweep([1, 2, 3, 4, 5], [0, 1, 0, 0, 1])
    assert swept.false_positive_rate_at(0.5) == 0.0
    assert swept.false_positive_rate_at(0.51) == pytest.approx(2 / 3)
    with pytest.raises(AnodiceError, match=r"a recall in \(0, 1\], got 2 anomalous and 0"):
        swept.at_recall(0)


@pytest.mark.parametrize("label", [0, 1])
def test_without_a_class_figures_cannot_be_had(label):
    swept = sweep([1.0, 2.0], [label, label])
    assert swept.auroc is None
    assert swept.average_precision is None
    assert np.isnan(swept.precision[0])
    assert np.isnan(swept.f1).all() == (label == 0)
    assert np.isnan(swept.false_positive_rate).all() == (label == 1)


def test_without_anomalies_no_f1_is_best():
    with pytest.raises(AnodiceError, match="got 2 normal and 0 anomalous"):
        sweep([1.0, 2.0], [0, 0]).best_f1()


def test_the_greatest_floats_are_swept_without_overflow():
    swept = sweep([np.finfo(float).max, -np.finfo(float).max], [1, 0])
    assert swept.thresholds[swept.best_f1()] == 0.0


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.0, np.nan, np.inf], [0, 1, 0], "got 2 of 3 NaN or infinite, the first at index 1"),
        ([1.0, 2.0], [0, 2], "expected labels of 0 or 1, got .*2.* at index 1"),
        ([1.0, 2.0], ["0", "1"], "expected labels of 0 or 1, got .*'0'.* at index 0"),
        ([1.0, 2.0], [0.0, np.nan], "expected labels of 0 or 1, got .*nan.* at index 1"),
        ([1.0, 2.0], [0, 1, 1], r"scores of shape \(2,\) and labels of shape \(3,\)"),
        ([[1.0, 2.0]], [[0, 1]], r"scores of shape \(1, 2\)"),
        ([], [], "at least one image"),
    ],
)
def test_refuses_what_cannot_be_swept(scores, labels, message):
    with pytest.raises(AnodiceError, match=message):
        sweep(scores, labels)


def test_finite_scores_keeps_the_shape():
    assert finite_scores(np.zeros((2, 3), dtype=np.float32)).dtype == np.float64
    assert finite_scores(np.zeros((2, 3))).shape == (2, 3)


def test_confusion_ratios():
    found = Confusion(tp=3, fp=1, fn=2, tn=4)
    assert (found.precision, found.recall, found.f1, found.false_positive_rate) == (0.75, 0.6, 2 / 3, 0.2)


def test_confusion_has_no_made_up_zeros():
    nothing = Confusion(tp=0, fp=0, fn=0, tn=0)
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.false_positive_rate) == (None, None, None, None)
    assert Confusion(tp=0, fp=3, fn=0, tn=1).f1 is None
    assert Confusion.from_flags([], []) == nothing


def test_confusion_refuses_other_lengths():
    with pytest.raises(AnodiceError, match="one verdict per label"):
        Confusion.from_flags([True], [True, False])


def test_a_cut_that_finds_nothing_is_not_taken_for_one_that_finds_a_single_anomaly():
    assert sweep([1.0, 2.0, 3.0], [0, 1, 0]).at_precision(1.0) == 2
