"""The thresholds of a run: which are fitted to what, and what is said of those that are not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.thresholds.f1 import F1Max
from anodice.thresholds.fitted import FittedThresholds, fit_thresholds
from anodice.thresholds.normals import NormalQuantile
from anodice.thresholds.rules import PrecisionAt, RecallAt


def images(scores, labels):
    return SimpleNamespace(
        score=np.asarray(scores, dtype=float),
        label=np.asarray(labels, dtype=bool),
        predicted=np.full(len(scores), ""),
        group=np.arange(len(scores)),
        known_session=np.full(len(scores), ""),
    )


NORMALS = np.linspace(0, 1, 40)
BOTH = images([*NORMALS, 3.0, 4.0], [0] * 40 + [1, 1])
TEST = images([0.5, 9.0], [0, 1])


def fitted(rule, validation=BOTH) -> FittedThresholds:
    return fit_thresholds(rule, validation, TEST, split_digest="1a2b")


def test_the_tables_rules_are_fitted_beside_the_chosen_one():
    found = fitted(RecallAt(0.5))
    assert list(found.by_rule) == ["f1_max", "normals_only", "flag_everything", "recall_at"]
    assert found.chosen is found.by_rule["recall_at"]
    assert (found.chosen.value, found.by_rule["f1_max"].value) == (3.5, 2.0)
    assert (found.by_rule["f1_max"].normals, found.by_rule["f1_max"].anomalies) == (40, 2)
    assert (found.by_rule["flag_everything"].normals, found.by_rule["flag_everything"].anomalies) == (0, 0)
    assert found.refused == {}
    assert found.warnings() == []
    assert FittedThresholds.from_dict(found.as_dict()) == found


def test_a_chosen_rule_of_the_table_is_not_fitted_twice():
    found = fitted(F1Max())
    assert found.chosen is found.by_rule["f1_max"]
    assert list(found.by_rule) == ["f1_max", "normals_only", "flag_everything"]


def test_a_rule_that_cannot_be_fitted_is_kept_with_its_reason_unless_it_is_the_chosen_one():
    alone = images(NORMALS, [0] * 40)
    found = fitted(NormalQuantile(1.0), alone)
    assert list(found.refused) == ["f1_max"]
    assert "got 40 normal and 0 anomalous" in found.refused["f1_max"]
    assert FittedThresholds.from_dict(found.as_dict()) == found
    with pytest.raises(AnodiceError, match="got 40 normal and 0 anomalous"):
        fitted(F1Max(), alone)


def test_a_tail_that_does_not_fit_and_a_precision_out_of_reach_are_told():
    rng = np.random.default_rng(0)
    odd = images([*rng.normal(size=400), *(50 + rng.random(15))], [0] * 415)
    (told,) = fitted(NormalQuantile(1.0), odd).warnings()
    assert told.startswith("normals_only: the tail fitted to the highest normal validation scores does not fit them")
    mixed = images([*NORMALS, 0.1, 0.2], [0] * 40 + [1, 1])
    (told,) = fitted(PrecisionAt(1.0), mixed).warnings()
    assert told.startswith("precision_at: no threshold reaches a precision of 1 on validation")
