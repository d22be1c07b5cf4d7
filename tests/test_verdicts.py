"""Figures from scores: the four rows, the missing ones with their reason, published and clean, faces and sessions."""

from __future__ import annotations

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.metrics.sweep import sweep
from anodice.scores import ScoreTable, read_scores, write_scores
from anodice.thresholds.rules import F1Max, Manual, NormalsOnly, PerClass, RecallAt
from anodice.verdicts import evaluate, fit_thresholds

_PROVENANCE = {"fitted_on": "validation", "split_digest": "abcd"}


def made_up(
    normals: int = 60, anomalies: int = 20, *, leaked: int = 10, gap: float = 2.0, predicted: str = ""
) -> ScoreTable:
    """Validation and test alike: normals around 0, anomalies around `gap`; the first test normals are copies."""
    rng = np.random.default_rng(0)
    label = np.tile([False] * normals + [True] * anomalies, 2)
    count = len(label)
    split = np.repeat(["validation", "test"], count // 2)
    first = np.arange(count) - count // 2
    return ScoreTable(
        path=np.array([f"photo_{k}.png" for k in range(count)]),
        split=split,
        class_name=np.where(label, "ano", "03"),
        face=np.where(label, 0, 1 + np.arange(count) % 2),
        session=np.where(np.arange(count) % 3 == 0, "16_09_21", "img"),
        label=label,
        score=rng.normal(size=count) + gap * label,
        leaked=(split == "test") & (first < leaked),
        content=np.array([f"hash_{k}" for k in range(count)]),
        predicted=np.full(count, predicted, dtype="U2"),
    )


def evaluated(table: ScoreTable, rule=None) -> dict:
    return evaluate(table, fit_thresholds(table, F1Max() if rule is None else rule, "abcd"), seed=0)


def test_threshold_comes_from_validation_alone():
    table = made_up()
    moved = made_up()
    moved.score[moved.split == "test"] += 100
    assert fit_thresholds(table, F1Max(), "abcd").chosen == fit_thresholds(moved, F1Max(), "abcd").chosen


def test_published_counts_all_and_clean_leaves_the_copies_out():
    found = evaluated(made_up(leaked=10))["test"]
    assert (found["published"]["normals"], found["clean"]["normals"]) == (60, 50)
    assert found["published"]["anomalies"] == found["clean"]["anomalies"] == 20


def test_oracle_is_the_best_on_each_part_and_is_called_fitted_on_test():
    table = made_up()
    for name, part in (("published", table.published), ("clean", table.clean)):
        row = evaluated(table)["test"][name]["at"]["oracle"]
        assert row["f1"] == np.nanmax(sweep(part.score, part.label).f1)
        assert row["fitted_on"] == "test"


def test_flag_everything_has_the_f1_of_the_prevalence():
    row = evaluated(made_up())["test"]["published"]["at"]["flag_everything"]
    assert row["f1"] == pytest.approx(2 * 20 / (20 + 80))
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (20, 60, 0, 0)


def test_intervals_hold_their_figures():
    part = evaluated(made_up())["test"]["published"]
    assert part["auroc_low"] < part["auroc"] < part["auroc_high"]
    for row in part["at"].values():
        assert row["f1_low"] <= row["f1"] <= row["f1_high"]


def test_same_seed_same_figures():
    assert evaluated(made_up()) == evaluated(made_up())


def test_another_rule_stands_beside_the_four():
    found = evaluated(made_up(), RecallAt(1.0))
    assert list(found["test"]["clean"]["at"]) == ["recall_at", "f1_max", "normals_only", "oracle", "flag_everything"]
    assert found["threshold"] == "recall_at"


def test_no_validation_anomaly_leaves_f1_max_null_with_its_reason():
    table = made_up()
    table = table.where((table.split == "test") | ~table.label)
    row = evaluated(table, NormalsOnly())["test"]["clean"]["at"]["f1_max"]
    assert row["f1"] is None
    assert row["threshold"] is None
    assert "60 normal and 0 anomalous" in row["reason"]
    with pytest.raises(AnodiceError, match="60 normal and 0 anomalous"):
        fit_thresholds(table, F1Max(), "abcd")


def test_no_test_anomaly_leaves_figures_null_never_zero():
    table = made_up()
    table = table.where((table.split == "validation") | ~table.label)
    part = evaluated(table)["test"]["published"]
    assert part["auroc"] is None
    assert "reason" in part
    row = part["at"]["f1_max"]
    assert (row["f1"], row["recall"], row["tp"]) == (None, None, 0)
    assert row["fp"] + row["tn"] == 60
    assert part["at"]["oracle"]["f1"] is None


def test_nothing_flagged_has_no_precision():
    row = evaluated(made_up(), Manual(1e9))["test"]["published"]["at"]["manual"]
    assert (row["precision"], row["recall"], row["f1"]) == (None, 0.0, 0.0)
    assert "nothing is flagged" in row["reason"]


def test_faces_count_the_false_alarms_of_the_normals():
    found = evaluated(made_up())
    assert set(found["faces"]) == {"1", "2"}
    assert sum(f["normals"] for f in found["faces"].values()) == 60
    assert sum(f["false_alarms"] for f in found["faces"].values()) == found["test"]["published"]["at"]["f1_max"]["fp"]


def test_sessions_count_misses_too():
    found = evaluated(made_up())
    assert set(found["sessions"]) == {"16_09_21", "img"}
    assert sum(s["misses"] for s in found["sessions"].values()) == found["test"]["published"]["at"]["f1_max"]["fn"]


def test_scores_are_read_back_to_the_last_digit(tmp_path):
    table = made_up()
    write_scores(tmp_path / "scores.csv", table, fit_thresholds(table, F1Max(), "abcd").chosen)
    again = read_scores(tmp_path / "scores.csv")
    for name in ("path", "split", "class_name", "face", "session", "label", "score", "leaked", "content", "predicted"):
        assert (getattr(again, name) == getattr(table, name)).all(), name


def test_scores_without_a_column_are_refused(tmp_path):
    (tmp_path / "scores.csv").write_text("path,score\na.png,1\n")
    with pytest.raises(AnodiceError, match="label, leaked, predicted, session, split, verdict is missing"):
        read_scores(tmp_path / "scores.csv")


def test_a_detector_without_classes_has_no_accuracy():
    part = evaluated(made_up())["test"]["published"]
    assert (part["class_accuracy"], part["face_accuracy"]) == (None, None)


def test_accuracy_counts_the_normals_alone():
    table = made_up(predicted="03")
    table.predicted[table.label] = "07"
    table.face[~table.label] = 3
    assert evaluated(table)["test"]["clean"]["class_accuracy"] == 1.0
    table.predicted[(table.split == "test") & (np.cumsum(~table.label) % 4 == 0)] = "04"
    part = evaluated(table)["test"]["published"]
    assert part["class_accuracy"] == part["face_accuracy"] == 0.75


def test_each_class_gets_a_threshold_of_its_own():
    table = made_up(gap=6.0, predicted="03")
    second = np.arange(len(table)) % 2 == 0
    table.predicted[second] = "04"
    table.score[second] += 100
    fitted = fit_thresholds(table, PerClass(F1Max()), "abcd")
    assert evaluate(table, fitted, seed=0)["test"]["published"]["at"]["per_class"]["f1"] > 0.95
    assert set(fitted.chosen.by_class) == {"03", "04"}
    assert fitted.chosen.by_class["04"] - fitted.chosen.by_class["03"] == pytest.approx(100, abs=3)
    verdicts = fitted.chosen.flags(table.score, table.predicted)
    assert (verdicts[~second] == fitted.chosen.flags(table.score[~second], table.predicted[~second])).all()


def test_a_class_with_too_few_images_shares_the_pooled_threshold():
    table = made_up(predicted="03")
    table.predicted[np.flatnonzero(~table.label)[:1]] = "04"
    chosen = fit_thresholds(table, PerClass(F1Max()), "abcd").chosen
    assert set(chosen.by_class) == {"03"}
    assert chosen.detail["with_the_pooled_value"] == ["04"]
    assert chosen.value == F1Max().fit(table.validation.score, table.validation.label, **_PROVENANCE).value


def test_a_threshold_per_class_needs_classes():
    with pytest.raises(AnodiceError, match="use model=ae_classifier or model=template"):
        fit_thresholds(made_up(), PerClass(F1Max()), "abcd")
