"""The table of a sweep: who is in a row, who is best, what is told of those that failed."""

from __future__ import annotations

import csv

import pytest

from anodice.metrics.repeats import Spread
from anodice.reporting.plots.sweeps import comparison
from anodice.reporting.sweeps import Trained, best, configurations, console, markdown, write_csv


def metrics(validation: float | None, f1: float, *, model: str = "vae") -> dict:
    part = {"auroc": f1, "average_precision": f1, "at": {"f1_max": {"f1": f1, "precision": f1, "recall": 1.0}}}
    return {
        "model": model,
        "data": "dice11",
        "threshold": "f1_max",
        "parameters": 1000,
        "fit_seconds": 12.0,
        "validation": {"average_precision": validation, "auroc": 0.5},
        "test": {"clean": part, "published": part},
    }


@pytest.fixture
def trained():
    """Two models of three seeds: the second is better on validation, the first on test."""
    figures = {"vae": [(0.90, 0.99), (0.92, 0.98), (0.94, 1.0)], "conv_ae": [(0.95, 0.8), (0.96, 0.9), (0.97, 0.7)]}
    return {
        f"{model}_{seed}": Trained({"model": model, "seed": str(seed), "x": "1"}, metrics(*pair, model=model))
        for model, pairs in figures.items()
        for seed, pair in enumerate(pairs)
    }


def test_a_row_holds_the_seeds_of_a_configuration(trained):
    found = configurations(trained, "average_precision")
    assert [(c.told, c.jobs) for c in found] == [
        ("vae", ("vae_0", "vae_1", "vae_2")),
        ("conv_ae", ("conv_ae_0", "conv_ae_1", "conv_ae_2")),
    ]
    assert found[0].figures["validation"].mean == pytest.approx(0.92)
    assert found[0].figures["f1"].deviation == pytest.approx(0.01)


def test_the_best_is_chosen_by_validation_not_by_test(trained):
    assert [c.told for c in best(configurations(trained, "average_precision"))] == ["conv_ae"]
    assert len(best(configurations(trained, "auroc"))) == 2  # the same: both are marked


def test_nothing_is_best_without_a_validation_figure():
    assert best(configurations({"a": Trained({}, metrics(None, 1.0))}, "average_precision")) == []


def test_seeds_alone_are_one_configuration_with_the_names_of_model_and_data(trained):
    alone = {name: found for name, found in trained.items() if name.startswith("vae")}
    assert [c.told for c in configurations(alone, "average_precision")] == ["vae on dice11"]


def test_values_that_vary_are_told_by_short_keys():
    jobs = {rate: Trained({"optimizer.lr": rate, "split.fold": "0"}, metrics(0.5, 0.5)) for rate in ("0.1", "0.2")}
    assert [c.told for c in configurations(jobs, "auroc")] == ["lr=0.1", "lr=0.2"]


def test_console_fits_80_columns_and_names_its_interval(trained):
    long = {
        name: Trained({**found.values, "model.network.code": "x" * 40}, found.metrics)
        for name, found in trained.items()
    }
    long["vae_0"].values["model.network.code"] = "y" * 60
    for jobs in (trained, long):
        table = console(configurations(jobs, "average_precision"), "average_precision")
        assert max(len(line) for line in table.splitlines() if not line.startswith("best: ")) <= 80
    table = console(configurations(trained, "average_precision"), "average_precision")
    assert "| conv_ae *     | 3 | 0.960 ± 0.010 | 0.800 [0.55, 1.00] | 0.800 |" in table
    assert "95 % interval of the mean by Student's t" in table


def test_files_hold_all_columns_and_the_failed_jobs(trained, tmp_path):
    found, failed = configurations(trained, "average_precision"), {"vae_9": "expected a finite loss, got nan."}
    text = markdown(found, "average_precision", failed)
    assert "- vae_9: expected a finite loss, got nan." in text
    assert "0.9200 ± 0.0200 [0.8703, 0.9697]" in text
    write_csv(tmp_path / "s.csv", found, failed)
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == ["0", "1", "0"]
    assert float(rows[1]["validation_mean"]) == pytest.approx(0.96)
    assert float(rows[1]["validation_n"]) == 3
    assert rows[0]["f1_normals_only_mean"] == ""
    assert (rows[2]["jobs"], rows[2]["failed"]) == ("vae_9", failed["vae_9"])


def test_the_picture_has_a_dot_and_a_line_for_each_configuration():
    rows = [("a", {"f1": Spread(3, 0.9, 0.1, 0.8, 1.0)}), ("b", {"f1": Spread(0, None)})]
    figure = comparison(rows, {"f1": "test F1"}, title="a sweep")
    (axes,) = figure.axes
    assert [line.get_xdata()[0] for line in axes.lines] == [0.9]
    assert axes.collections[0].get_segments()[0][:, 0].tolist() == [0.8, 1.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
