"""Figures from scores: the four rows, the missing ones with their reason, published and clean, faces and sessions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.evaluation.run_metrics import run_metrics
from anodice.evaluation.score_files import read_scores_csv
from anodice.evaluation.score_table import COLUMNS, same_images, write_scores
from anodice.metrics.bootstrap import rate_interval
from anodice.metrics.sweep import sweep
from anodice.thresholds.f1 import F1Max, F1MaxPlain
from anodice.thresholds.fitted import FittedThresholds
from anodice.thresholds.normals import NormalsOnly
from anodice.thresholds.rules import Manual, Oracle, PerClass, PrecisionAt, RecallAt
from tests.tables import fitted_to, made_up, metrics_of

_PROVENANCE = {"fitted_on": "validation", "split_digest": "abcd"}


def test_threshold_comes_from_validation_alone():
    table = made_up()
    moved = made_up()
    moved.score[moved.split == "test"] += 100
    assert fitted_to(table).chosen == fitted_to(moved).chosen


def test_published_counts_all_and_clean_leaves_the_copies_out():
    found = metrics_of(made_up(leaked=10))["test"]
    assert (found["published"]["normals"], found["clean"]["normals"]) == (60, 50)
    assert found["published"]["anomalies"] == found["clean"]["anomalies"] == 20


def test_distinct_leaves_the_near_copies_out_too():
    found = metrics_of(made_up(leaked=10, near=5))
    test = found["test"]
    assert (test["distinct"]["normals"], test["distinct"]["anomalies"]) == (50, 15)
    assert test["distinct"].keys() == test["clean"].keys()
    assert test["distinct"]["at"].keys() == test["clean"]["at"].keys()
    assert (found["leaked"], found["near_leaked"]) == (10, 5)
    assert any("5 of 70 images of the clean test are near copies of images" in warning for warning in found["warnings"])
    table = made_up(leaked=10, near=5)
    here = (table.split == "test") & ~table.leaked & ~table.near_leaked
    assert test["distinct"]["auroc"] == sweep(table.score[here], table.label[here]).auroc
    # The other tests are as they were.
    before = metrics_of(made_up(leaked=10))
    assert {name: test[name] for name in ("published", "clean")} == before["test"]


def test_without_near_copies_distinct_is_clean_and_without_a_search_there_is_none():
    searched, unknown = metrics_of(made_up(near=0)), metrics_of(made_up())
    assert searched["test"]["distinct"] == searched["test"]["clean"]
    assert searched["near_leaked"] == 0
    assert searched["warnings"] == unknown["warnings"]
    assert "distinct" not in unknown["test"]
    assert unknown["near_leaked"] is None
    alone = metrics_of(made_up(leaked=0, near=0))["test"]
    assert alone["published"] == alone["clean"] == alone["distinct"]


def test_oracle_is_the_best_on_each_part_and_is_called_fitted_on_test():
    table = made_up()
    for name, part in (("published", table.published), ("clean", table.clean)):
        row = metrics_of(table)["test"][name]["at"]["oracle"]
        assert row["f1"] == np.nanmax(sweep(part.score, part.label).f1)
        assert row["fitted_on"] == "test"


def test_flag_everything_has_the_f1_of_the_prevalence():
    row = metrics_of(made_up())["test"]["published"]["at"]["flag_everything"]
    assert row["f1"] == pytest.approx(2 * 20 / (20 + 80))
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (20, 60, 0, 0)


def test_accuracy_is_the_share_of_images_judged_right():
    for part in metrics_of(made_up())["test"].values():
        total = part["normals"] + part["anomalies"]
        for row in part["at"].values():
            assert row["accuracy"] == pytest.approx((row["tp"] + row["tn"]) / total)
            assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    everything = metrics_of(made_up())["test"]["published"]["at"]["flag_everything"]
    assert everything["accuracy"] == 20 / 80
    low, high = rate_interval([1] * 20 + [0] * 60, range(80))
    assert (everything["accuracy_low"], everything["accuracy_high"]) == (low, high)


def test_accuracy_of_no_detector_is_that_of_the_prevalence():
    baselines = metrics_of(made_up())["test"]["published"]["baselines"]
    assert baselines["flag_nothing"]["accuracy"] == 60 / 80
    assert baselines["random"]["accuracy"] == 0.25**2 + 0.75**2 == 0.625


def test_false_positive_rate_is_that_at_95_percent_recall():
    table = made_up(normals=100, anomalies=20, leaked=0)
    test = np.flatnonzero(table.split == "test")
    # A normal lies beside each anomaly: 19 of 20 anomalies, 95 %, come with as many normals as lie above the 19th.
    table.score[test] = np.concatenate([np.arange(100), 99.5 - np.arange(20)])
    part = metrics_of(table)["test"]["published"]
    assert part["false_positive_rate_at_95_recall"] == 18 / 100
    assert part["false_positive_rate_at_95_recall_low"] < 0.18 < part["false_positive_rate_at_95_recall_high"]


def test_intervals_hold_their_figures():
    part = metrics_of(made_up())["test"]["published"]
    assert part["auroc_low"] < part["auroc"] < part["auroc_high"]
    for row in part["at"].values():
        assert row["f1_low"] <= row["f1"] <= row["f1_high"]


def test_same_seed_same_figures():
    assert metrics_of(made_up()) == metrics_of(made_up())


def test_another_rule_stands_beside_the_four():
    found = metrics_of(made_up(), RecallAt(1.0))
    assert list(found["test"]["clean"]["at"]) == ["recall_at", "f1_max", "normals_only", "oracle", "flag_everything"]
    assert found["threshold"] == "recall_at"


def test_no_validation_anomaly_leaves_f1_max_null_with_its_reason():
    table = made_up()
    table = table.where((table.split == "test") | ~table.label)
    row = metrics_of(table, NormalsOnly())["test"]["clean"]["at"]["f1_max"]
    assert row["f1"] is None
    assert row["threshold"] is None
    assert "60 normal and 0 anomalous" in row["reason"]
    with pytest.raises(AnodiceError, match="60 normal and 0 anomalous"):
        fitted_to(table)


def test_no_test_anomaly_leaves_figures_null_never_zero():
    table = made_up()
    table = table.where((table.split == "validation") | ~table.label)
    part = metrics_of(table)["test"]["published"]
    assert part["auroc"] is None
    assert "reason" in part
    row = part["at"]["f1_max"]
    assert (row["f1"], row["recall"], row["tp"]) == (None, None, 0)
    assert row["fp"] + row["tn"] == 60
    assert part["at"]["oracle"]["f1"] is None


def test_nothing_flagged_has_no_precision():
    row = metrics_of(made_up(), Manual(1e9))["test"]["published"]["at"]["manual"]
    assert (row["precision"], row["recall"], row["f1"]) == (None, 0.0, 0.0)
    assert "nothing is flagged" in row["reason"]


def test_faces_count_the_false_alarms_of_the_normals():
    found = metrics_of(made_up())
    assert set(found["faces"]) == {"1", "2"}
    assert sum(f["normals"] for f in found["faces"].values()) == 60
    assert sum(f["false_alarms"] for f in found["faces"].values()) == found["test"]["published"]["at"]["f1_max"]["fp"]


def test_classes_count_the_false_alarms_of_the_normals_and_unknown_faces_are_none():
    table = made_up()
    table.face[:] = 0
    found = metrics_of(table)
    assert found["faces"] == {}
    classes = found["test"]["published"]["classes"]
    assert sum(c["normals"] for c in classes.values()) == 60
    assert sum(c["false_alarms"] for c in classes.values()) == found["test"]["published"]["at"]["f1_max"]["fp"]


def test_slight_anomalies_are_counted():
    part = metrics_of(made_up(), Manual(-1e9, slight=1e9))["test"]["published"]
    assert part["slight"] == {"anomalies": part["anomalies"], "normals": part["normals"]}
    assert "slight" not in metrics_of(made_up())["test"]["published"]


def test_sessions_count_misses_too():
    found = metrics_of(made_up())
    assert set(found["sessions"]) == {"16_09_21", "img"}
    assert sum(s["misses"] for s in found["sessions"].values()) == found["test"]["published"]["at"]["f1_max"]["fn"]


def test_scores_are_read_back_to_the_last_digit(tmp_path):
    table = made_up()
    write_scores(tmp_path / "scores.csv", table, fitted_to(table).chosen)
    again = read_scores_csv(tmp_path / "scores.csv")
    for name in (
        "path",
        "split",
        "class_name",
        "face",
        "session",
        "label",
        "score",
        "leaked",
        "content",
        "predicted",
        "group",
    ):
        assert (getattr(again, name) == getattr(table, name)).all(), name


def test_scores_without_a_column_are_refused(tmp_path):
    (tmp_path / "scores.csv").write_text("path,score\na.png,1\n")
    with pytest.raises(AnodiceError, match="split, class, face, session, label, verdict, leaked, content, pred"):
        read_scores_csv(tmp_path / "scores.csv")


def test_a_detector_without_classes_has_no_accuracy():
    part = metrics_of(made_up())["test"]["published"]
    assert (part["class_accuracy"], part["face_accuracy"]) == (None, None)


def test_accuracy_counts_the_normals_alone():
    table = made_up(predicted="03")
    table.predicted[table.label] = "07"
    table.face[~table.label] = 3
    assert metrics_of(table)["test"]["clean"]["class_accuracy"] == 1.0
    table.predicted[(table.split == "test") & (np.cumsum(~table.label) % 4 == 0)] = "04"
    part = metrics_of(table)["test"]["published"]
    assert part["class_accuracy"] == part["face_accuracy"] == 0.75


def test_each_class_gets_a_threshold_of_its_own():
    table = made_up(gap=6.0, predicted="03")
    second = np.arange(len(table)) % 2 == 0
    table.predicted[second] = "04"
    table.score[second] += 100
    fitted = fitted_to(table, PerClass(F1Max()))
    assert run_metrics(table, fitted, seed=0)["test"]["published"]["at"]["per_class"]["f1"] > 0.95
    assert set(fitted.chosen.by_class) == {"03", "04"}
    assert fitted.chosen.by_class["04"] - fitted.chosen.by_class["03"] == pytest.approx(100, abs=3)
    verdicts = fitted.chosen.flags(table.score, table.predicted)
    assert (verdicts[~second] == fitted.chosen.flags(table.score[~second], table.predicted[~second])).all()


def test_a_class_with_too_few_images_shares_the_pooled_threshold():
    table = made_up(predicted="03")
    table.predicted[np.flatnonzero(~table.label)[:1]] = "04"
    chosen = fitted_to(table, PerClass(F1Max())).chosen
    assert set(chosen.by_class) == {"03"}
    assert chosen.detail["with_the_pooled_value"] == ["04"]
    assert chosen.value == F1Max().fit(table.validation.score, table.validation.label, **_PROVENANCE).value


def test_a_threshold_per_class_needs_classes():
    with pytest.raises(AnodiceError, match="use model=ae_classifier or model=template"):
        fitted_to(made_up(), PerClass(F1Max()))


def test_a_chosen_oracle_is_fitted_on_test_and_warned_of():
    table = made_up()
    fitted = fitted_to(table, Oracle(allowed=True))
    assert (fitted.chosen.rule, fitted.chosen.fitted_on) == ("oracle", "test")
    found = run_metrics(table, fitted, seed=0)
    assert found["threshold"] == "oracle"
    assert any("ORACLE" in warning for warning in found["warnings"])
    for part in found["test"].values():
        assert part["at"]["oracle"]["threshold"] == fitted.chosen.value
        assert part["at"]["oracle"]["fitted_on"] == "test"


def test_leaks_few_anomalies_and_sessions_are_warned_of():
    table = made_up(leaked=10)
    table.session[table.label] = "another day"
    leaks, few, sessions = metrics_of(table)["warnings"]
    assert leaks.startswith("10 of 80 test images are copies of training images")
    assert "only 20 anomalous images" in few
    assert sessions.startswith("20 of 20 anomalous test images come from shooting sessions without any normal one")
    assert metrics_of(made_up(100, 40, leaked=0))["warnings"] == []


def test_a_tail_that_does_not_fit_is_warned_of(caplog):
    table = made_up(600, 40, leaked=0)
    normal = ~table.label
    table.score[normal] = np.where(np.abs(table.score[normal]) > 1.6, 5.0, table.score[normal])
    fitted = fitted_to(table, NormalsOnly())
    (warning,) = run_metrics(table, fitted, seed=0)["warnings"]
    assert "does not fit them" in warning
    assert "use threshold=normal_quantile" in warning
    assert warning in caplog.text


def test_a_precision_out_of_reach_is_warned_of():
    table = made_up(100, 40, leaked=0)
    table.score[np.flatnonzero((table.split == "validation") & ~table.label)[0]] = 100
    warnings = metrics_of(table, PrecisionAt(1.0))["warnings"]
    assert any("no threshold reaches a precision of 1 on validation" in warning for warning in warnings)


def test_groups_widen_the_intervals():
    table = made_up()
    alone = metrics_of(table, F1MaxPlain())["test"]["published"]["at"]["f1_max_plain"]
    table.group[:] = [f"burst {k // 5}" for k in range(len(table))]
    bursts = metrics_of(table, F1MaxPlain())["test"]["published"]["at"]["f1_max_plain"]
    assert bursts["f1"] == alone["f1"]
    for name in ("f1", "recall", "false_alarm_rate"):
        assert bursts[f"{name}_high"] - bursts[f"{name}_low"] > alone[f"{name}_high"] - alone[f"{name}_low"]


def test_pooled_and_mean_false_alarm_rates_have_their_own_names():
    table = made_up()
    few = np.flatnonzero((table.split == "test") & ~table.label)[:6]
    table.class_name[few] = "04"
    table.score[few] = 100
    row = metrics_of(table)["test"]["published"]["at"]["f1_max"]
    others = row["fp"] - 6
    assert row["false_alarm_rate"] == pytest.approx((6 + others) / 60)
    assert row["mean_class_false_alarm_rate"] == pytest.approx((1 + others / 54) / 2)
    assert row["false_alarm_rate_low"] < row["false_alarm_rate"] < row["false_alarm_rate_high"]


def test_trivial_baselines_need_no_detector():
    part = metrics_of(made_up())["test"]["published"]
    assert part["prevalence"] == 0.25
    assert part["baselines"]["random"] == {"f1": 0.25, "precision": 0.25, "recall": 0.25, "accuracy": 0.625}
    nothing = part["baselines"]["flag_nothing"]
    assert (nothing["precision"], nothing["recall"], nothing["fn"]) == (None, 0.0, 20)


@pytest.mark.parametrize("near", [None, 0, 5])
def test_near_copies_are_read_back(tmp_path, near):
    table = made_up(near=near)
    write_scores(tmp_path / "scores.csv", table, fitted_to(table).chosen)
    again = read_scores_csv(tmp_path / "scores.csv").near_leaked
    assert again is None if near is None else (again == table.near_leaked).all()
    assert again is None or again.sum() == near


def test_scores_of_before_the_groups_are_read(tmp_path):
    table = made_up()
    write_scores(tmp_path / "scores.csv", table, fitted_to(table).chosen)
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    (tmp_path / "scores.csv").write_text("\n".join(line.rsplit(",", 2)[0] for line in lines))
    again = read_scores_csv(tmp_path / "scores.csv")
    assert again.near_leaked is None
    assert (again.group == table.content).all()


def test_runs_are_paired_by_their_pixels():
    first, second = made_up(leaked=10), made_up(leaked=0)
    order = np.random.default_rng(0).permutation(len(second))
    second = second.where(order)
    second.path[:] = [f"moved/{p}" for p in second.path]
    one, other = same_images(first, second)
    assert len(one) == 70  # without what is a copy for either
    assert (one.content == other.content).all()
    assert (one.score == other.score).all()
    assert same_images(first, second.where(second.content != second.published.content[0])) is None


@pytest.mark.parametrize(("first", "second", "left"), [(10, 0, 70), (0, 10, 70), (5, 20, 60), (0, 0, 80)])
def test_what_is_a_copy_for_either_run_is_not_compared(first, second, left):
    tables = same_images(made_up(leaked=first), made_up(leaked=second))
    assert [len(table) for table in tables] == [left, left]


@pytest.mark.parametrize("predicted", ["", "03"])
def test_thresholds_come_back_from_their_file(predicted):
    rule = PerClass(F1Max()) if predicted else NormalsOnly()
    fitted = fitted_to(made_up(normals=30, predicted=predicted), rule)
    assert FittedThresholds.from_dict(json.loads(json.dumps(fitted.as_dict()))) == fitted


def test_thresholds_that_could_not_be_fitted_come_back_with_their_reason():
    table = made_up()
    fitted = fitted_to(table.where(~table.label), NormalsOnly())
    again = FittedThresholds.from_dict(json.loads(json.dumps(fitted.as_dict())))
    assert again == fitted
    assert "f1_max" in again.refused


def test_a_rate_of_false_alarms_that_the_clean_test_refutes_is_told_with_its_probability():
    table = made_up(500, 40, leaked=0)
    fitted = fitted_to(table, NormalsOnly(0.01))
    highest = np.flatnonzero((table.split == "test") & ~table.label)
    table.score[highest[:13]] = fitted.chosen.value  # 13 or more of 500 at 1 in 100: p = 0.0019; 12: p = 0.0052
    table.score[highest[13:]] = fitted.chosen.value - 1

    def told() -> list[str]:
        return [warning for warning in run_metrics(table, fitted, seed=0)["warnings"] if "refutes" in warning]

    (warning,) = told()
    assert warning.startswith(
        "normals_only: the test refutes its rate of 0.01: 13 false alarms on 500 normal images, which such a rate "
        "gives with a probability of 0.0019 (exact binomial test)."
    )
    table.score[highest[11:13]] -= 1  # 11: p = 0.013
    assert told() == []
