"""The table that people read."""

from __future__ import annotations

from anodice.metrics import report
from anodice.thresholds.rules import F1Max
from anodice.verdicts import evaluate, fit_thresholds
from tests.test_verdicts import made_up


def metrics(**options: int) -> dict:
    table = made_up(**options)
    found = evaluate(table, fit_thresholds(table, F1Max(), "abcd"), seed=0)
    return {"model": "vae", "data": "dice11", "seed": 0, **found}


def test_table_shows_both_tests_and_the_four_rows():
    text = report.table(metrics(leaked=10))
    assert "published test" in text
    assert "clean test" in text
    for row in ("f1_max *", "normals_only", "oracle (hindsight)", "flag everything"):
        assert text.count(f"| {row} ") == 2


def test_one_table_where_nothing_leaked():
    text = report.table(metrics(leaked=0))
    assert text.count("| f1_max *") == 1
    assert "no test image is a copy of a training image" in text


def test_every_f1_has_its_interval():
    found = metrics()
    row = found["test"]["clean"]["at"]["f1_max"]
    assert f"{row['f1']:.3f} [{row['f1_low']:.2f}, {row['f1_high']:.2f}]" in report.table(found)


def test_missing_figures_are_not_available_and_say_why():
    table = made_up()
    table = table.where((table.split == "validation") | ~table.label)
    found = {"model": "vae", **evaluate(table, fit_thresholds(table, F1Max(), "abcd"), seed=0)}
    assert "n/a" in report.table(found)
    assert any("no anomalous test image" in reason for reason in report.reasons(found))


def test_runs_table_has_a_row_per_run():
    text = report.runs_table({"first": metrics(), "second": metrics()})
    assert len(text.splitlines()) == 4
    assert "first" in text
    assert "second" in text


def test_details_add_up_to_the_table():
    found = metrics()
    text = report.details(found)
    assert "| face | normal | false alarms |" in text
    assert sum(row["normals"] for row in found["sessions"].values()) == found["test"]["published"]["normals"]
    assert all(f"| {name} " in text for name in (*found["faces"], *found["sessions"]))
