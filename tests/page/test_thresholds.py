"""The threshold slider and the chart above it: which values, and what they reach on validation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from anodice.metrics.sweep import sweep
from anodice.page.histogram import IN_USE, bars, histogram
from anodice.page.thresholds import at_value, figures, figures_sentence, offered, reached, span
from tests.tables import fitted_to, made_up


@pytest.fixture
def validation():
    return made_up().validation


@pytest.fixture
def fitted():
    return offered(fitted_to(made_up()))


def test_the_own_threshold_comes_first_and_flag_everything_is_no_choice(fitted):
    assert list(fitted) == ["f1_max", "normals_only"]


def test_a_fitted_value_is_that_threshold_another_one_is_set_by_hand(fitted):
    own = fitted["f1_max"]
    assert at_value(own.value, fitted) is own
    assert at_value(own.value + 1e-9, fitted).rule == "manual"


def test_the_figures_are_those_of_the_sweep_over_validation(validation, fitted):
    swept = sweep(validation.score, validation.label)
    cut = swept.best_f1()
    found = figures(reached(at_value(float(swept.thresholds[cut]), fitted), validation))
    assert found["F1"] == f"{swept.f1[cut]:.3f}"
    assert found["Recall"] == f"{swept.recall[cut]:.3f}"
    high = at_value(float(validation.score.max()) + 1, fitted)
    assert figures(reached(high, validation))["Precision"] == "n/a"
    assert "fitted on these photos" in figures_sentence(fitted["f1_max"], validation)
    assert "0 found" in figures_sentence(high, validation)
    hindsight = replace(fitted["f1_max"], rule="oracle", fitted_on="test")
    assert "fitted on these photos" not in figures_sentence(hindsight, validation)


def test_all_scores_and_thresholds_lie_on_the_slider(fitted):
    low, high, step = span([1.0, 5.0], fitted)
    assert low < min(1.0, *(one.value for one in fitted.values()))
    assert high > 5.0
    assert 0 < step < (high - low) / 100
    low, high, step = span([2.0], {"same": at_value(2.0, {})})
    assert low < 2.0 < high
    assert step > 0


def test_each_validation_photo_is_in_a_bar_and_each_threshold_a_line(validation, fitted):
    low, high = validation.score.min(), validation.score.max()
    assert sum(bar["photos"] for bar in bars(validation, low, high)) == len(validation)
    chart = histogram(validation, fitted, 3.0, [1.0, 2.0])
    lines = chart["layer"][1]["data"]["values"]
    assert {line["line"] for line in lines} == {"photo", IN_USE, *fitted}
    json.dumps(chart, allow_nan=False)
    assert np.isclose(next(line["score"] for line in lines if line["line"] == IN_USE), 3.0)
