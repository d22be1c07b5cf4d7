"""Evaluating finished runs from saved scores: other rules, the oracle, two runs against each other."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from anodice.app.files import write_json
from anodice.app.sweep_folder import FAILED, FINISHED, write_job
from anodice.errors import AnodiceError
from anodice.evaluation.score_table import ScoreTable, write_scores
from anodice.programs.evaluate import evaluate_runs
from tests.tables import fitted_to, made_up, metrics_of

HEAD = {
    "model": "vae",
    "data": "dice11",
    "seed": 0,
    "parameters": 5,
    "fit_seconds": None,
    "fit_images_per_second": None,
}


@pytest.fixture
def make_run(tmp_path):
    """Writes what a finished run leaves of its scores."""

    def make(name: str, table: ScoreTable) -> str:
        folder = tmp_path / name
        folder.mkdir()
        write_scores(folder / "scores.csv", table, fitted_to(table).chosen)
        (folder / "metrics.json").write_text(json.dumps(HEAD | metrics_of(table)))
        (folder / "split.json").write_text('{"digest": "abcd"}')
        (folder / "config.yaml").write_text("{}")
        return str(folder)

    return make


@pytest.fixture
def evaluated(tmp_path, caplog):
    """Runs the evaluation with a rule and returns what the console tells."""

    def run(*runs: str, rule: str = "F1Max", **options) -> str:
        config = {
            "run": list(runs),
            "threshold": {"_target_": f"anodice.thresholds.{'f1' if rule == 'F1Max' else 'rules'}.{rule}", **options},
            "paths": {"log_dir": str(tmp_path)},
            "data": {"root": None},
        }
        caplog.clear()
        with caplog.at_level(logging.INFO):
            evaluate_runs(OmegaConf.create(config))
        return caplog.text

    return run


def test_console_and_report_tell_the_same_from_the_headline_on(make_run, evaluated, tmp_path):
    said = evaluated(make_run("a", made_up()), rule="RecallAt", target=0.9)
    report = (tmp_path / "a" / "evaluations" / "recall_at_0.9" / "report.md").read_text()
    assert report.startswith("# vae on dice11\n\n- Trained: vae with 5 parameters")
    assert report.partition("## Clean test")[0].strip() in said
    row = next(line for line in report.splitlines() if line.startswith("| recall_at *"))
    assert row.split("|")[3].strip() in next(line for line in said.splitlines() if line.startswith("| recall_at *"))
    assert "how to read it: " in said
    assert said.count("report.md") == 1
    assert report.index("- Result: **At the threshold that recall_at fitted on validation") < report.index("WARNING")
    assert report.index("copies of training images") < report.index("| recall_at *")


def test_two_manual_values_give_two_tables(make_run, evaluated, tmp_path):
    run = make_run("a", made_up())
    found = []
    for value in (0.5, 2.5):
        evaluated(run, rule="Manual", value=value)
    for value in (0.5, 2.5):  # the second leaves what the first wrote
        metrics = json.loads((tmp_path / "a" / "evaluations" / f"manual_{value}" / "metrics.json").read_text())
        found.append(metrics["test"]["clean"]["at"]["manual"])
    assert found[0]["tp"] > found[1]["tp"]
    assert found[0]["fp"] > found[1]["fp"]


def test_the_oracle_must_be_allowed_and_is_called_so(make_run, evaluated, tmp_path):
    run = make_run("a", made_up())
    with pytest.raises(AnodiceError, match="expected allow_oracle=true"):
        evaluated(run, rule="Oracle", allowed=False)
    said = evaluated(run, rule="Oracle", allowed=True)
    folder = tmp_path / "a" / "evaluations" / "oracle"
    assert "# vae on dice11, ORACLE threshold" in said
    assert "Result: **ORACLE, no result" in (folder / "report.md").read_text()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["threshold"] == "oracle"
    assert any("ORACLE" in warning for warning in metrics["warnings"])


def test_two_runs_on_the_same_images_are_compared(make_run, evaluated):
    worse = made_up()
    worse.score[worse.split == "test"] += np.random.default_rng(1).normal(scale=3, size=80)
    said = evaluated(make_run("first", made_up()), make_run("second", worse))
    assert "Pairs of runs on the same clean test images" in said
    assert "| first | second |" in said
    assert "first and second differ on" in said
    assert "of 70 images, the first 10 of which are" in said


def test_two_equal_runs_differ_nowhere(make_run, evaluated):
    said = evaluated(make_run("first", made_up()), make_run("second", made_up()))
    assert "first and second give the same verdict on each of the 70 images" in said


def test_runs_on_other_images_are_not_compared(make_run, evaluated):
    other = made_up()
    other.content[:] = [f"other {name}" for name in other.content]
    said = evaluated(make_run("first", made_up()), make_run("second", other))
    assert "first and second were tested on different images, so they are not compared" in said
    assert "Pairs of runs" not in said


def test_several_runs_are_told_by_the_figures_that_they_have(make_run, tmp_path, caplog):
    runs = [make_run(name, made_up()) for name in "abcde"]
    for run in runs:
        write_json(Path(run) / "threshold.json", fitted_to(made_up()).as_dict())
        (Path(run) / "checkpoints").mkdir()
        (Path(run) / "checkpoints" / "best.ckpt").touch()
    config = {"threshold": None, "paths": {"log_dir": str(tmp_path)}, "data": {"root": None}}
    with caplog.at_level(logging.INFO):
        evaluate_runs(OmegaConf.create(config | {"run": runs[:4]}))
        assert "a and b give the same verdict" not in caplog.text  # of six pairs
        assert "| a     | b      |" in caplog.text
        evaluate_runs(OmegaConf.create(config | {"run": runs}))
    assert "at most 4 runs are compared pair by pair" in caplog.text
    with pytest.raises(AnodiceError, match=r"config\.yaml .*model is missing"):  # the config of a run that is scored
        evaluate_runs(OmegaConf.create(config | {"run": runs, "rescore": True}))


def test_the_folder_of_a_sweep_is_told_by_its_configurations(make_run, tmp_path, caplog):
    for seed in "01":
        make_run(f"seed-{seed}", made_up())
        write_job(tmp_path / f"seed-{seed}", FINISHED, value=0.5)
    write_job(tmp_path / "seed-2", FAILED, reason="expected a finite loss, got nan.")
    jobs = {f"seed-{seed}": [f"seed={seed}"] for seed in "0123"}
    write_json(tmp_path / "sweep.json", {"jobs": jobs, "optimized_metric": "auroc"})
    config = {"run": str(tmp_path), "threshold": None, "paths": {"log_dir": "logs"}, "data": {"root": None}}
    with caplog.at_level(logging.INFO):
        evaluate_runs(OmegaConf.create(config))
    assert "| vae on dice11 * | 2 |" in caplog.text
    assert "- seed-2: expected a finite loss, got nan." in caplog.text
    assert "not finished: seed-3" in caplog.text
    assert {"summary.md", "summary.csv", "summary.png"} <= {path.name for path in tmp_path.iterdir()}
