"""The fitted threshold: its verdicts, its words and its way through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.thresholds.f1 import F1Max
from anodice.thresholds.normals import NormalsOnly
from anodice.thresholds.rules import FlagEverything, Manual, Oracle
from anodice.thresholds.threshold import Threshold

SCORES = np.random.default_rng(0).normal(size=60) + np.repeat([0, 3], [40, 20])
LABELS = np.repeat([0, 1], [40, 20])


def threshold(**change) -> Threshold:
    given = {"value": 0.1, "rule": "f1_max", "normals": 612, "anomalies": 225, "fitted_on": "validation"}
    return Threshold(**({"split_digest": "1a2b3c4d5e6f"} | given | change))


def test_a_score_at_the_threshold_is_anomalous():
    flags = threshold(value=np.float32(0.1).item()).flags(np.array([[0.1, 0.2]], dtype=np.float32))
    assert flags.tolist() == [[True, True]]
    assert threshold().flags([]).shape == (0,)


def test_scores_that_are_not_finite_get_no_verdict():
    with pytest.raises(AnodiceError, match="1 of 2 NaN or infinite, the first at index 0"):
        threshold().flags([np.nan, 1.0])


@pytest.mark.parametrize(
    ("change", "table", "sentence"),
    [
        (
            {"detail": {"normals_below": 0.992}},
            "validation: 612 normal, 225 anomalous",
            "f1_max: 0.1, fitted on validation (612 normal, 225 anomalous), above 99.2 % of its normals; "
            "split 1a2b3c4d",
        ),
        (
            {"rule": "normals_only", "anomalies": 0, "detail": {"normals_below": 1.0, "tail_fits": False}},
            "validation: 612 normal",
            "normals_only: 0.1, fitted on validation (612 normal), above 100.0 % of its normals, though the tail fits "
            "their scores badly; split 1a2b3c4d",
        ),
        (
            {"rule": "oracle", "fitted_on": "test"},
            "test",
            "oracle: 0.1, fitted on test (612 normal, 225 anomalous); split 1a2b3c4d",
        ),
        (
            {"rule": "manual", "fitted_on": "nothing", "normals": 0, "anomalies": 0, "split_digest": ""},
            "nothing",
            "manual: 0.1, fitted on nothing",
        ),
    ],
)
def test_words(change, table, sentence):
    assert threshold(**change).fitted_on_words == table
    assert threshold(**change).sentence() == sentence


@pytest.mark.parametrize(
    ("rule", "split"),
    [
        (F1Max(), "validation"),
        (NormalsOnly(), "validation"),
        (Oracle(allowed=True), "test"),
        (Manual(1 / 3), "nothing"),
        (FlagEverything(), "nothing"),
    ],
)
def test_json_keeps_every_bit(rule, split):
    found = rule.fit(SCORES, LABELS, fitted_on=split, split_digest="1a2b")
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert Threshold.from_dict(json.loads(text)) == found


def test_from_dict_names_the_keys():
    with pytest.raises(AnodiceError, match=r"with the keys value, rule, .*, got value; fit it again"):
        Threshold.from_dict({"value": 1.0})


def test_refuses_an_infinite_value_and_an_unknown_split():
    with pytest.raises(AnodiceError, match="finite threshold from f1_max, got inf"):
        threshold(value=float("inf"))
    with pytest.raises(AnodiceError, match="did you mean 'validation'"):
        threshold(fitted_on="validatoin")
