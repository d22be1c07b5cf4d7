"""The upper bound of `normals_only`: its margins for chance and for another shooting session."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from anodice.errors import AnodiceError
from anodice.thresholds.images import Images
from anodice.thresholds.normals import NormalsOnly
from anodice.thresholds.sessions import BetweenSessions


@pytest.mark.parametrize("draws", [stats.norm(), stats.gamma(2), stats.expon()], ids=["normal", "gamma", "exponential"])
def test_it_holds_its_rate_in_most_samples_where_the_bare_estimate_holds_it_in_half(draws):
    samples = draws.rvs(size=(40, 585), random_state=1)
    held = [
        np.mean([draws.sf(NormalsOnly(0.001, confidence).fit(s, np.zeros(585)).value) <= 0.001 for s in samples])
        for confidence in (0.5, 0.9)
    ]
    assert 0.3 <= held[0] <= 0.7
    assert held[1] >= 0.72


@pytest.mark.parametrize("sessions", [2, 4])
def test_it_holds_its_rate_on_a_session_that_nobody_has_seen(sessions):
    held = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        effect, session = 0.5 * rng.standard_normal(sessions + 1), rng.integers(0, sessions, 600)
        scores = rng.normal(size=600) + effect[session]
        values = (
            NormalsOnly(0.005).fit(scores, np.zeros(600), sessions=session.astype(str)).value,
            NormalsOnly(0.005).fit(scores, np.zeros(600)).value,
        )
        held.append([stats.norm.sf(value - effect[-1]) <= 0.005 for value in values])
    with_sessions, without = np.mean(held, axis=0)
    assert with_sessions >= 0.85
    assert without <= with_sessions


def test_the_margins_are_told_and_add_up_as_a_root_of_squares():
    rng = np.random.default_rng(0)
    session = np.repeat(["a", "b", "c"], 100)
    scores = rng.normal(size=300) + np.repeat([0.0, 1.0, 3.0], 100)
    found = NormalsOnly(0.01).fit(scores, np.zeros(300), sessions=session)
    detail = found.detail
    assert found.value == pytest.approx(
        detail["estimate"] + math.hypot(detail["margin_for_chance"], detail["margin_for_another_session"])
    )
    assert detail["sessions"] == 3
    assert detail["margin_for_another_session"] > detail["margin_for_chance"] > 0
    assert "of it for a shooting session that nobody has seen (3 known)" in found.sentence()
    alone = NormalsOnly(0.01).fit(scores, np.zeros(300))
    assert alone.detail["margin_for_another_session"] == 0
    assert alone.detail["margin_for_chance"] == detail["margin_for_chance"]
    assert "of it for what chance gave" in alone.sentence()
    bare = NormalsOnly(0.01, confidence=0.5).fit(scores, np.zeros(300), sessions=session)
    assert bare.value == bare.detail["estimate"] == detail["estimate"]
    assert "of it for" not in bare.sentence()


def test_the_deviation_between_sessions_is_without_the_chance_within_them():
    rng = np.random.default_rng(0)
    session = np.repeat(np.arange(40), 50).astype(str)
    same = Images.of(rng.normal(size=2000), np.zeros(2000), sessions=session)
    assert BetweenSessions.of(same).deviation < 0.1
    apart = Images.of(same.score + np.repeat(2 * rng.standard_normal(40), 50), np.zeros(2000), sessions=session)
    assert BetweenSessions.of(apart).deviation == pytest.approx(2, rel=0.25)
    # Student's t with 39 degrees of freedom, of one more session than 40
    margin = stats.t.ppf(0.9, 39) * BetweenSessions.of(apart).deviation * math.sqrt(1 + 1 / 40)
    assert BetweenSessions.of(apart).margin(0.9) == pytest.approx(margin)


def test_sessions_that_are_not_known_or_hold_fewer_than_ten_normals_tell_nothing():
    scores = np.random.default_rng(0).normal(size=120)
    sessions = ["a"] * 60 + ["b"] * 9 + [""] * 51
    assert BetweenSessions.of(Images.of(scores, np.zeros(120), sessions=sessions)) == BetweenSessions(1, 0.0)
    sessions[69] = "b"
    assert BetweenSessions.of(Images.of(scores, np.zeros(120), sessions=sessions)).sessions == 2


def test_frames_of_a_burst_say_less_than_as_many_photos():
    scores = np.repeat(np.random.default_rng(0).normal(size=60), 5)
    alone = NormalsOnly(0.01).fit(scores, np.zeros(300)).detail
    bursts = NormalsOnly(0.01).fit(scores, np.zeros(300), groups=np.repeat(np.arange(60), 5)).detail
    assert bursts["margin_for_chance"] > 1.3 * alone["margin_for_chance"]
    assert bursts["estimate"] == alone["estimate"]


@pytest.mark.parametrize("confidence", [0.49, 1.0, float("nan")])
def test_confidences_outside_their_range_are_refused(confidence):
    with pytest.raises(AnodiceError, match=r"expected a confidence in \[0\.5, 1\), got"):
        NormalsOnly(confidence=confidence)


def test_columns_of_another_length_are_refused():
    with pytest.raises(AnodiceError, match="expected one session for each of 3 images, got 2"):
        NormalsOnly().fit([1, 2, 3], [0, 0, 0], sessions=["a", "b"])
