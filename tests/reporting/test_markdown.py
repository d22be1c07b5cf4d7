"""The table that people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from anodice.metrics.comparison import compare
from anodice.reporting import markdown, terminal
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import FlagEverything, Manual, Oracle
from tests.tables import fitted_to, made_up, metrics_of

ABOUT = {"model": "vae", "data": "dice11", "seed": 0, "parameters": 2435329, "fit_seconds": 203.4}


def metrics(**options: int | None) -> dict:
    return {**ABOUT, **metrics_of(made_up(**options))}


def with_rule(rule: Rule) -> dict:
    return metrics_of(made_up(), rule)


def test_table_shows_both_tests_and_the_four_rows():
    text = markdown.table(metrics(leaked=10))
    assert text.index("Clean test") < text.index("Published test: with copies of training images (10)")
    rows = ("f1_max *", "normals_only", "oracle (hindsight)", "flag everything", "flag nothing", "flag at random")
    for row in rows:
        assert text.count(f"| {row} ") == 2


def test_one_table_where_nothing_leaked():
    found = metrics(leaked=0)
    assert markdown.table(found).count("| f1_max *") == 1
    assert "none is a copy of a training image" in markdown.about_test(found)


def test_near_copies_are_counted_and_give_a_third_test():
    found = metrics(leaked=10, near=5)
    text, row = markdown.table(found), found["test"]["distinct"]["at"]["f1_max"]
    order = [
        "## Clean test",
        "## Distinct test: also without near copies of training images (5)",
        "## Published test",
    ]
    assert sorted(order, key=text.index) == order
    assert text.count("| f1_max *") == 3
    assert markdown.about_test(found).endswith("the clean test, which counts. 5 of these are near copies.")
    told = markdown.distinct_line(found)
    assert told.startswith("without the 5 near copies, 50 normal and 15 anomalous images are left; at the same ")
    assert f"it found {row['tp']} of 15 anomalous images and raised {row['fp']} false alarm" in told
    assert f"(F1 {row['f1']:.2f}, 95 % interval {row['f1_low']:.2f} to {row['f1_high']:.2f})" in told
    assert f"- Distinct: {told}" in markdown.opening({**found, "fit_images_per_second": None}, fitted_to(made_up()))
    assert "frames of the same burst" in markdown.legend(found)
    # What is quoted stays the clean test.
    assert markdown.headline(found) == markdown.headline(metrics(leaked=10))


@pytest.mark.parametrize("near", [None, 0])
def test_without_near_copies_nothing_is_told_of_them(near):
    found = metrics(leaked=10, near=near)
    assert markdown.distinct_line(found) is None
    assert "istinct" not in markdown.summary({**found, "fit_images_per_second": None}, fitted_to(made_up()))
    assert "near cop" not in markdown.summary({**found, "fit_images_per_second": None}, fitted_to(made_up()))


def test_every_f1_has_its_interval():
    found = metrics()
    row = found["test"]["clean"]["at"]["f1_max"]
    assert f"{row['f1']:.3f} [{row['f1_low']:.2f}, {row['f1_high']:.2f}]" in markdown.table(found)


def test_accuracy_stands_beside_f1_where_there_is_room():
    found = metrics()
    part = found["test"]["clean"]
    row = part["at"]["f1_max"]
    table = [
        [cell.strip() for cell in line.split("|")] for line in markdown.thresholds_table(part, "f1_max").splitlines()
    ]
    column = table[0].index("accuracy [95 %]")
    assert table[0][column - 1] == "recall [95 %]"
    assert table[2][column] == f"{row['accuracy']:.3f} [{row['accuracy_low']:.2f}, {row['accuracy_high']:.2f}]"
    assert table[-2][1] == "flag nothing"
    assert table[-2][column] == f"{50 / 70:.3f}"
    del row["accuracy"]  # as runs of before have it
    assert "| n/a " in markdown.thresholds_table(part, "f1_max")


def test_missing_figures_are_not_available_and_say_why():
    table = made_up()
    table = table.where((table.split == "validation") | ~table.label)
    found = {"model": "vae", **metrics_of(table)}
    assert "n/a" in markdown.table(found)
    assert any("no anomalous test image" in reason for reason in markdown.reasons(found))


def test_runs_table_has_a_row_per_run():
    text = markdown.runs_table({"first": metrics(), "second": metrics()})
    assert len(text.splitlines()) == 4
    assert "first" in text
    assert "second" in text
    assert "| 2,435,329  | 203 s    | n/a      |" in text


def test_details_add_up_to_the_table():
    found = metrics()
    text = markdown.details(found)
    assert "| face | normal | false alarms |" in text
    for name, part in (("published", found), ("clean", found["test"]["clean"])):
        assert sum(row["normals"] for row in part["sessions"].values()) == found["test"][name]["normals"]
    assert all(f"| {name} " in text for name in (*found["faces"], *found["sessions"]))


def test_details_of_anything_but_dice_speak_of_its_classes():
    table = made_up()
    table.face[:] = 0
    table.session[:] = "unknown"
    found = {**metrics_of(table), "data": "folder"}
    text = markdown.details(found)
    assert text.startswith("## By class\n")
    assert all(f"| {name} " in text for name in found["test"]["clean"]["classes"])
    assert "face" not in text
    assert markdown.details(found | {"data": "dsm"}).startswith("## By dish\n")


def test_slight_anomalies_are_told():
    text = markdown.table({"model": "template", **with_rule(Manual(-1e9, slight=1e9))})
    assert "of the alarms are slight anomalies" in text


def test_headline_counts_in_plain_words():
    found = metrics()
    row = found["test"]["clean"]["at"]["f1_max"]
    words = markdown.headline(found)
    assert words.startswith("At the threshold that f1_max fitted on validation, it found ")
    assert f"{row['tp']} of 20 anomalous images and raised {row['fp']} false alarm" in words
    assert f"(F1 {row['f1']:.2f}, 95 % interval {row['f1_low']:.2f} to {row['f1_high']:.2f})" in words


def test_headline_without_anomalies_promises_nothing():
    table = made_up()
    table = table.where((table.split == "validation") | ~table.label)
    found = metrics_of(table)
    assert "nobody knows what it misses" in markdown.headline(found)


def test_a_threshold_that_was_not_fitted_is_called_so():
    assert "fitted on nothing" in markdown.headline(with_rule(FlagEverything()))


def test_an_oracle_is_called_oracle_wherever_its_figures_stand():
    found = {**ABOUT, **with_rule(Oracle(allowed=True))}
    assert markdown.headline(found).startswith("ORACLE, no result")
    assert "| oracle (hindsight) *" in markdown.table(found)
    assert "| oracle (hindsight) |" in markdown.runs_table({"first": found})
    assert "ORACLE" in markdown.details(found)


def test_copies_of_training_images_are_told_first():
    assert "10 of them are copies of training images" in markdown.about_test(metrics(leaked=10))


def test_comparisons_have_a_row_per_pair():
    labels = [0, 0, 1, 1]
    pair = compare([labels, labels], [labels, [0, 0, 0, 1]], labels, "abcd", resamples=50, seed=0)
    *_, row = markdown.comparisons_table({("first", "second"): pair}).splitlines()
    assert row.startswith("| first | second | +0.333 [")
    assert "+0.000 [n/a]" in row
    assert row.split("|")[6].strip() == "1"


def test_tables_of_a_narrow_terminal_keep_what_matters_most():
    found = metrics(leaked=10)
    narrow = markdown.thresholds_table(found["test"]["clean"], "f1_max", width=80)
    assert max(map(len, narrow.splitlines())) <= 80
    assert narrow.splitlines()[0].replace(" ", "") == "|threshold|value|F1[95%]|tp|fp|fn|tn|"
    wide = markdown.thresholds_table(found["test"]["clean"], "f1_max")
    assert wide in markdown.table(found)
    name = "2026-01-22_10-15-00_vae_synthetic"
    runs = markdown.runs_table({name: found, f"{name}_2": found}, width=80)
    assert max(map(len, runs.splitlines())) <= 80
    assert "| F1 [95 %]" in runs


def test_a_terminal_shows_the_opening_and_the_clean_test():
    table = made_up(leaked=10)
    found = {**metrics(leaked=10), "fit_images_per_second": 400.0}
    text = terminal.results(found, fitted_to(table), width=80)
    assert text.startswith("# vae on dice11")
    assert "## Clean test: without copies of training images" in text
    assert "Published" not in text
    assert "How to read" not in text
    assert f"**{markdown.headline(found)}**" in text
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("|"))


def test_the_last_lines_name_report_pictures_curves_and_prediction():
    lines = terminal.where_to_look(Path("logs/runs/a"), "logs").splitlines()
    assert [line.split(None, 1)[-1] for line in lines[1:]] == [
        "logs/runs/a/figures",
        "tensorboard --logdir logs",
        "photos:     python predict.py run=logs/runs/a photos=DIR_OR_FILES",
    ]
    assert "logs/runs/a/report.md" in lines[0]
