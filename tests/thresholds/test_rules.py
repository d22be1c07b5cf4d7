"""Each rule against brute force, and the normals' tail against fresh draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anodice.errors import AnodiceError
from anodice.metrics.sweep import Confusion
from anodice.thresholds.class_means import T12, Midpoint
from anodice.thresholds.f1 import F1Max, F1MaxPlain, FBeta
from anodice.thresholds.normals import MeanPlusStd, NormalQuantile, NormalsOnly
from anodice.thresholds.rules import FlagEverything, Learned, Manual, Oracle, PerClass, PrecisionAt, RecallAt
from anodice.thresholds.threshold import Threshold

VALIDATION = {"fitted_on": "validation", "split_digest": "1a2b3c4d"}
NAMES = ["normal", "lognormal", "gamma", "exponential"]
RULES = [
    F1Max(),
    F1MaxPlain(),
    FBeta(2),
    NormalsOnly(),
    NormalQuantile(0.9),
    MeanPlusStd(),
    Midpoint(),
    T12(),
    RecallAt(),
    PrecisionAt(),
    Manual(0.5),
    FlagEverything(),
]


@st.composite
def scored_images(draw):
    """Small integers or any floats, so with and without ties, scaled and shifted; both classes present."""
    size = draw(st.integers(2, 25))
    number = draw(st.sampled_from([st.integers(-3, 3), st.floats(-1e9, 1e9)]))
    values = np.array(draw(st.lists(number, min_size=size, max_size=size)), dtype=np.float64)
    labels = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    labels[:2] = [True, False]
    scale = draw(st.sampled_from([1.0, 1e-9, 1e290, 1e-300]))
    return values * scale + draw(st.sampled_from([0.0, 1e6])), labels


def all_cuts(scores, labels) -> list[Confusion]:
    """Brute force: the verdicts of every subset that some threshold flags, the empty one included."""
    return [Confusion.from_flags([s >= cut for s in scores], labels) for cut in [*np.unique(scores), np.inf]]


@settings(deadline=None)
@given(scored_images())
def test_the_plain_maximum_reaches_the_highest_f1(images):
    scores, labels = images
    found = F1MaxPlain().fit(scores, labels, **VALIDATION)
    reached = Confusion.from_flags(found.flags(scores), labels).f1
    assert reached == max(cut.f1 for cut in all_cuts(scores, labels))
    assert reached == found.detail["f1"]
    assert (found.normals, found.anomalies) == ((~labels).sum(), labels.sum())


@settings(deadline=None)
@given(scored_images(), st.randoms(use_true_random=False))
def test_the_plain_maximum_depends_on_ranks_only(images, random):
    scores, labels = images
    flags = F1MaxPlain().fit(scores, labels, **VALIDATION).flags(scores)
    order = random.sample(range(len(scores)), len(scores))
    shuffled = F1MaxPlain().fit(scores[order], labels[order], **VALIDATION).flags(scores)
    ranks = np.exp(np.unique(scores, return_inverse=True)[1])
    np.testing.assert_array_equal(shuffled, flags)
    np.testing.assert_array_equal(F1MaxPlain().fit(ranks, labels, **VALIDATION).flags(ranks), flags)


@settings(deadline=None)
@given(scored_images(), st.sampled_from([1e-9, 0.07, 0.5, 0.9, 1.0]))
def test_recall_at_flags_the_fewest_that_reach_the_target(images, target):
    scores, labels = images
    flags = RecallAt(target).fit(scores, labels, **VALIDATION).flags(scores)
    reached = Confusion.from_flags(flags, labels)
    assert reached.recall >= target
    assert flags.sum() == min(cut.tp + cut.fp for cut in all_cuts(scores, labels) if cut.recall >= target)


def test_recall_at_is_not_misled_by_rounding():
    scores, labels = np.arange(100), np.ones(100)  # 0.07 * 100 is 7.000000000000001 in floats
    assert RecallAt(0.07).fit(scores, labels, **VALIDATION).flags(scores).sum() == 7


def test_thresholds_lie_midway():
    scores, labels = [1.0, 2.0, 4.0, 8.0], [0, 0, 1, 1]
    assert F1Max().fit(scores, labels, **VALIDATION).value == 3.0
    assert RecallAt(0.5).fit(scores, labels, **VALIDATION).value == 6.0
    # All flagged: as far below the lowest score as a cut above it, so that no rounding turns its verdict.
    assert F1Max().fit([1.0, 2.0], [1, 0], **VALIDATION).value == 0.5


@pytest.mark.parametrize("size", [300, 600, 3000])
@pytest.mark.parametrize("draws", [stats.norm(), stats.lognorm(1), stats.gamma(2), stats.expon()], ids=NAMES)
def test_the_bare_estimate_of_normals_only_reaches_its_false_alarm_rate(draws, size):
    samples = draws.rvs(size=(30, size), random_state=0)
    values = [NormalsOnly(0.005, confidence=0.5).fit(sample, np.zeros(size), **VALIDATION).value for sample in samples]
    assert 0.0025 < np.median(draws.sf(values)) < 0.01


def test_normals_only_ignores_anomalies_and_follows_scale_and_shift():
    normals = np.random.default_rng(0).normal(size=200)
    scores, labels = np.append(normals, [50.0, 60.0]), np.repeat([0, 1], [200, 2])
    alone = NormalsOnly().fit(normals, np.zeros(200), **VALIDATION)
    assert NormalsOnly().fit(scores, labels, **VALIDATION) == alone
    assert NormalsOnly().fit(normals * 1e-300, np.zeros(200), **VALIDATION).value == pytest.approx(alone.value * 1e-300)
    assert NormalsOnly().fit(normals + 1e6, np.zeros(200), **VALIDATION).value == pytest.approx(alone.value + 1e6)


def test_normals_only_tells_whether_its_tail_fits():
    smooth = stats.expon.rvs(size=600, random_state=0)
    lumped = np.where(smooth > 2, 5.0, smooth)
    assert NormalsOnly().fit(smooth, np.zeros(600), **VALIDATION).detail["tail_fits"] is True
    assert NormalsOnly().fit(lumped, np.zeros(600), **VALIDATION).detail["tail_fits"] is False


@pytest.mark.parametrize("scores", [np.ones(20), np.zeros(50), np.full(30, -1e300)])
def test_normals_only_lies_just_above_constant_scores(scores):
    found = NormalsOnly().fit(scores, np.zeros(len(scores)), **VALIDATION)
    assert found.value == np.nextafter(scores[0], np.inf)
    assert found.detail["tail_fits"] is None


@pytest.mark.parametrize(
    "scores", [np.repeat([0, 1], [1900, 100]), np.repeat([0, 1], [10, 90]), np.arange(2000) // 700]
)
def test_normals_only_takes_ties(scores):
    found = NormalsOnly().fit(scores, np.zeros(len(scores)), **VALIDATION)
    assert found.value > scores.max()


def test_normals_only_aims_at_no_rarer_alarms_than_one_in_twice_its_scores():
    scores = np.random.default_rng(0).normal(size=25)
    found = NormalsOnly(0.0001).fit(scores, np.zeros(25), **VALIDATION)
    assert found.detail["false_alarm_rate"] == 0.02
    assert found.value == NormalsOnly(0.02).fit(scores, np.zeros(25), **VALIDATION).value


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.95])
def test_normals_only_reads_a_rate_below_its_tail_off_the_scores(rate):
    scores = np.random.default_rng(0).normal(size=100)
    found = NormalsOnly(rate, confidence=0.5).fit(scores, np.zeros(100), **VALIDATION)
    assert found.flags(scores).mean() == pytest.approx(rate)


def test_manual_and_flag_everything_are_fitted_on_nothing():
    manual, everything = Manual(3).fit([], [], **VALIDATION), FlagEverything().fit([], [], **VALIDATION)
    assert (manual.value, manual.fitted_on, everything.fitted_on) == (3.0, "nothing", "nothing")
    assert [(one.normals, one.anomalies) for one in (manual, everything)] == [(0, 0), (0, 0)]
    assert everything.flags([-1e308, 0.0]).all()


def test_oracle_is_f1_max_on_test():
    scores, labels = [1.0, 2.0, 4.0], [0, 1, 1]
    oracle = Oracle(allowed=True).fit(scores, labels, split_digest="1a")
    assert (oracle.value, oracle.rule, oracle.fitted_on) == (
        F1MaxPlain().fit(scores, labels, **VALIDATION).value,
        "oracle",
        "test",
    )
    with pytest.raises(AnodiceError, match="oracle to be fitted on test, got validation"):
        Oracle(allowed=True).fit(scores, labels, **VALIDATION)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_only_the_oracle_may_look_at_test(rule):
    with pytest.raises(AnodiceError, match="the oracle is the only rule that may look at test"):
        rule.fit([1.0, 2.0], [0, 1], fitted_on="test", split_digest="")


@pytest.mark.parametrize(
    ("rule", "labels", "message"),
    [
        (F1Max(), [0, 0, 0], r"got 3 normal and 0 anomalous; use threshold=normals_only, .* train_set/ano"),
        (F1Max(), [1, 1, 1], "fit f1_max on, got 0 normal and 3 anomalous"),
        (RecallAt(), [0, 0, 0], "fit recall_at on, got 3 normal and 0 anomalous"),
        (NormalsOnly(), [0, 0, 1], "at least 10 normal scores to fit a tail to, got 2"),
        (MeanPlusStd(), [0, 1, 1], "at least 2 normal scores to take a standard deviation of, got 1"),
        (Midpoint(), [0, 0, 0], "fit midpoint on, got 3 normal and 0 anomalous"),
        (T12(), [1, 1, 1], "fit t12 on, got 0 normal and 3 anomalous"),
    ],
)
def test_missing_images_are_named_with_a_cure(rule, labels, message):
    with pytest.raises(AnodiceError, match=message):
        rule.fit([1.0, 2.0, 3.0], labels, **VALIDATION)


def test_recall_at_needs_no_normals():
    found = RecallAt().fit([1.0, 2.0], [1, 1], **VALIDATION)
    assert (found.value, found.fitted_on_words) == (0.5, "validation: 2 anomalous")


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan")])
def test_rates_outside_their_range_are_refused(rate):
    with pytest.raises(AnodiceError, match=r"false-alarm rate in \(0, 1\), got"):
        NormalsOnly(false_alarm_rate=rate)


@pytest.mark.parametrize("target", [-0.5, 0, 1.01, float("nan")])
def test_recalls_outside_their_range_are_refused(target):
    with pytest.raises(AnodiceError, match=r"a recall in \(0, 1\], got"):
        RecallAt(target=target)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_manual_values_must_be_finite(value):
    with pytest.raises(AnodiceError, match="expected a finite threshold, got"):
        Manual(value=value)


@settings(deadline=None)
@given(scored_images(), st.sampled_from([0.25, 0.5, 1.0, 2.0, 7.0]))
def test_f_beta_reaches_the_highest_f_beta(images, beta):
    def f_beta(cut: Confusion) -> float:
        return (1 + beta**2) * cut.tp / ((1 + beta**2) * cut.tp + beta**2 * cut.fn + cut.fp)

    scores, labels = images
    found = FBeta(beta).fit(scores, labels, **VALIDATION)
    reached = f_beta(Confusion.from_flags(found.flags(scores), labels))
    assert reached == pytest.approx(max(map(f_beta, all_cuts(scores, labels))))
    assert reached == pytest.approx(found.detail["f_beta"])


@given(scored_images())
@settings(deadline=None)
def test_a_beta_of_one_is_the_plain_maximum_of_f1(images):
    assert FBeta(1).fit(*images, **VALIDATION).value == F1MaxPlain().fit(*images, **VALIDATION).value


@settings(deadline=None)
@given(scored_images(), st.sampled_from([0.01, 0.3, 0.5, 0.9, 1.0]))
def test_precision_at_finds_the_most_or_comes_as_near_as_it_can(images, target):
    scores, labels = images
    found = PrecisionAt(target).fit(scores, labels, **VALIDATION)
    reached = Confusion.from_flags(found.flags(scores), labels)
    cuts = [cut for cut in all_cuts(scores, labels) if cut.precision is not None]
    best = max(cut.precision for cut in cuts)
    assert found.detail["reachable"] == (best >= target)
    assert reached.precision >= min(best, target)
    assert reached.tp == max(cut.tp for cut in cuts if cut.precision >= min(best, target))
    assert ("out of reach" in found.sentence()) == (best < target)


@pytest.mark.parametrize("beta", [0, -1, float("inf"), float("nan")])
def test_betas_outside_their_range_are_refused(beta):
    with pytest.raises(AnodiceError, match="a finite beta above 0, got"):
        FBeta(beta=beta)


@pytest.mark.parametrize("target", [0, 1.01, float("nan")])
def test_precisions_outside_their_range_are_refused(target):
    with pytest.raises(AnodiceError, match=r"a precision in \(0, 1\], got"):
        PrecisionAt(target=target)


def test_a_run_by_the_oracle_must_be_allowed():
    with pytest.raises(AnodiceError, match="expected allow_oracle=true beside threshold=oracle"):
        Oracle().check(10, 10)
    Oracle(allowed=True).check(10, 10)


@pytest.mark.parametrize("rule", [Oracle(allowed=True), PerClass(F1Max())])
def test_classes_get_no_thresholds_from_the_oracle(rule):
    with pytest.raises(AnodiceError, match="fitted on validation for each class, got"):
        PerClass(rule)


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_a_normal_quantile_lets_at_least_its_share_pass(quantile):
    scores = np.random.default_rng(0).normal(size=300)
    found = NormalQuantile(quantile).fit(scores, np.zeros(300), **VALIDATION)
    passed = ~found.flags(scores)
    assert passed.mean() >= quantile
    assert passed.sum() <= np.ceil(quantile * 300) + 1
    assert found.detail["normals_below"] == passed.mean()
    assert (found.normals, found.anomalies) == (300, 0)


def test_a_normal_quantile_does_not_look_at_anomalies():
    scores, labels = np.array([1.0, 2, 3, 4, 100]), np.array([0, 0, 0, 0, 1])
    assert (
        NormalQuantile(1.0).fit(scores, labels, **VALIDATION).value
        == NormalQuantile(1.0).fit(scores[:4], labels[:4], **VALIDATION).value
    )
    with pytest.raises(AnodiceError, match="expected normal scores to take a quantile of, got none"):
        NormalQuantile().fit(scores[4:], labels[4:], **VALIDATION)


def test_mean_plus_std_counts_population_deviations_above_the_normals():
    scores, labels = [0.0, 2.0, 4.0, 10.0, 50.0], [0, 0, 0, 0, 1]  # mean 4, variance (16 + 4 + 0 + 36) / 4
    found = MeanPlusStd(3).fit(scores, labels, **VALIDATION)
    assert found.value == pytest.approx(4 + 3 * 14**0.5)
    assert found.detail["mean"] == 4
    assert found.detail["standard_deviation"] == pytest.approx(14**0.5)
    assert (found.normals, found.anomalies) == (4, 0)
    assert MeanPlusStd(0).fit(scores, labels, **VALIDATION).value == 4
    assert MeanPlusStd().k == 3


@pytest.mark.parametrize("k", [-1, float("inf"), float("nan")])
def test_numbers_of_deviations_outside_their_range_are_refused(k):
    with pytest.raises(AnodiceError, match="standard deviations of at least 0, got"):
        MeanPlusStd(k=k)


def test_the_rules_of_class_means_follow_their_formulas():
    scores, labels = [0.1, 0.3, 0.4, 0.9, 1.7], [0, 0, 1, 0, 1]  # means 1.3 / 3 and 1.05
    normal, anomalous = 1.3 / 3, 1.05
    midpoint, t12 = Midpoint().fit(scores, labels, **VALIDATION), T12().fit(scores, labels, **VALIDATION)
    assert midpoint.value == pytest.approx((normal + anomalous) / 2)
    assert t12.value == pytest.approx(normal + (normal + anomalous) / 12)
    for found in (midpoint, t12):
        assert (found.normals, found.anomalies) == (3, 2)
        assert found.detail["normal_mean"] == pytest.approx(normal)
        assert found.detail["anomalous_mean"] == anomalous


def test_t12_of_a_class_without_anomalies_takes_the_mean_that_stands_for_them():
    rule = T12(without_anomalies=0.25)
    rule.check(3, 0)
    assert rule.fit([0.1, 0.3], [0, 0], **VALIDATION).value == pytest.approx(0.2 + 0.45 / 12)
    both = [0.1, 0.3, 0.9], [0, 0, 1]
    assert rule.fit(*both, **VALIDATION).value == T12().fit(*both, **VALIDATION).value
    assert (T12().label, rule.label) == ("t12", "t12_0.25")


def test_learned_limits_are_passed_by_what_exceeds_them():
    found = Learned(values={"a": 1.0, "b": 4.0}).fit([], [], **VALIDATION)
    assert (found.fitted_on, found.normals, found.anomalies) == ("training", 0, 0)
    assert found.flags([1.0, 1.001, 3.9, 4.001, 4.0], ["a", "a", "b", "b", "other"]).tolist() == [0, 1, 0, 1, 0]
    assert found.sentence() == "learned: a 1, b 4, else 4, fitted on training"
    assert Threshold.from_dict(found.as_dict()) == found


def test_limits_that_no_detector_has_told_are_refused():
    with pytest.raises(AnodiceError, match="train with threshold=learned, and evaluate that run without a threshold"):
        Learned().fit([1.0], [0], **VALIDATION)


def test_slight_anomalies_lie_between_two_values():
    found = Manual(0.06, slight=0.16).fit([], [], **VALIDATION)
    assert found.slight([0.01, 0.06, 0.1, 0.16]).tolist() == [False, True, True, False]
    assert "slight anomalies up to 0.16" in found.sentence()
    assert not Manual(0.06).fit([], [], **VALIDATION).slight([0.01, 0.1]).any()
    with pytest.raises(AnodiceError, match=r"expected threshold\.slight above threshold\.value"):
        Manual(0.06, slight=0.05)


def test_each_class_has_the_threshold_of_its_own_images():
    scores, labels, classes = [1.0, 2.0, 11.0, 12.0, 101.0, 102.0], [0, 1] * 3, ["a", "a", "b", "b", "c", "c"]
    found = PerClass(F1Max()).fit(scores, labels, classes=classes, **VALIDATION)
    alone = {n: F1Max().fit(scores[i : i + 2], [0, 1], **VALIDATION).value for n, i in (("a", 0), ("b", 2), ("c", 4))}
    assert found.by_class == alone


def test_classes_without_names_have_no_thresholds_of_their_own():
    for classes in (None, ["", "01"]):
        with pytest.raises(AnodiceError, match="expected a detector that tells classes apart"):
            PerClass(F1Max()).fit([1.0, 2.0], [0, 1], classes=classes, **VALIDATION)


@pytest.mark.parametrize("split", ["fit", "validation"])
def test_the_oracle_is_fitted_on_test_alone(split):
    with pytest.raises(AnodiceError, match=f"oracle to be fitted on test, got {split}"):
        Oracle(allowed=True).fit([1.0, 2.0], [0, 1], fitted_on=split, split_digest="")
