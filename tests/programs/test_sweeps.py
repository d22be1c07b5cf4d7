"""Sweeps as people run them: killed and begun again, with jobs that fail, in two processes, with Optuna."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anodice.evaluation.run_metrics import MEASURED
from tests.programs.test_commands import call, command, interrupted, small

pytestmark = pytest.mark.slow  # each test starts processes


def sweep_of(folder: Path) -> Path:
    (found,) = (folder / "logs" / "multiruns").iterdir()
    return found


def rows_of(sweep: Path) -> list[dict[str, str]]:
    """The rows of the table without the time that things took."""
    with (sweep / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if not k.startswith(("fit_seconds", "score_milliseconds"))} for row in rows]


def test_a_killed_sweep_goes_on_to_the_table_of_an_undisturbed_one(dice_root, tmp_path):
    options = ["-m", *small(dice_root, "data.steps_per_epoch=30", "logger=none"), "model=conv_ae,vae", "seed=0,1"]
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    disturbed.mkdir()
    undisturbed.mkdir()
    process = subprocess.Popen(command("train", disturbed, *options), stdout=subprocess.DEVNULL, cwd=disturbed)
    third = disturbed / "logs" / "multiruns"
    while not list(third.glob("*/vae_seed-0/checkpoints/last.ckpt")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    sweep = sweep_of(disturbed)
    assert [p.parent.name for p in sorted(sweep.glob("*/job.json"))] == ["conv_ae_seed-0", "conv_ae_seed-1"]
    ended = {p: p.stat().st_mtime_ns for p in sweep.glob("*/metrics.json")}

    again = call("train", disturbed, *options)
    call("train", undisturbed, *options)
    assert sweep_of(disturbed) == sweep
    assert again.count("finished before: ") == 2
    assert again.count("resuming ") == 1
    assert {p: p.stat().st_mtime_ns for p in ended} == ended
    rows = rows_of(sweep)
    assert [(row["configuration"], row["jobs"].count("seed")) for row in rows] == [("conv_ae", 2), ("vae", 2)]
    assert rows == rows_of(sweep_of(undisturbed))
    for scores in sorted(sweep_of(undisturbed).glob("*/scores.csv")):
        assert (sweep / scores.parent.name / "scores.csv").read_bytes() == scores.read_bytes()

    third_time = call("train", disturbed, *options)
    assert third_time.count("finished before: ") == 4
    assert "| conv_ae" in third_time
    assert f"delete logs/multiruns/{sweep.name}" in third_time
    assert "| conv_ae" in call("evaluate", disturbed, f"run={sweep}")


def test_a_job_that_was_cut_while_it_was_scored_is_not_trained_again(dice_root, tmp_path):
    options = ["-m", *small(dice_root, "trainer.max_epochs=2"), "model=conv_ae", "seed=0,1"]
    call("train", tmp_path, *options)
    first = sweep_of(tmp_path) / "seed-0"
    whole = {name: (first / name).read_bytes() for name in ("scores.csv", "threshold.json")}
    metrics = json.loads((first / "metrics.json").read_text())
    kept = {name: metrics[name] for name in MEASURED if name != "score_milliseconds"}
    (first / ".fit.json").write_text(json.dumps(kept))
    for name in (*whole, "metrics.json", "job.json"):
        (first / name).unlink()
    output = call("train", tmp_path, *options)
    assert "resuming" in output
    assert "epoch 1 of" not in output
    assert "epoch 2 of" not in output
    assert {name: (first / name).read_bytes() for name in whole} == whole
    again = json.loads((first / "metrics.json").read_text())
    assert again | {"score_milliseconds": None} == metrics | {"score_milliseconds": None}
    assert not (first / ".fit.json").exists()


def test_jobs_that_fail_are_named_and_the_others_go_on(dice_root, tmp_path):
    swept = ["model=conv_ae", "optimizer.lr=0.002,1e9", "augmentation=none,strnog"]
    options = ["-m", *small(dice_root, "trainer.max_epochs=1", "logger=none"), *swept]
    output = call("train", tmp_path, *options, fails=True)
    assert "3 of 4 jobs failed" in output
    sweep = sweep_of(tmp_path)
    jobs = {p.parent.name: json.loads(p.read_text()) for p in sweep.glob("*/job.json")}
    assert {name: job["state"] for name, job in jobs.items()} == {
        "lr-0.002_none": "finished",
        "lr-1000000000.0_none": "failed",
        "lr-0.002_strnog": "failed",
        "lr-1000000000.0_strnog": "failed",
    }
    assert "expected a finite loss, got " in jobs["lr-1000000000.0_none"]["reason"]
    assert "there is no augmentation=strnog; did you mean 'strong'?" in jobs["lr-0.002_strnog"]["reason"]
    assert all(f"- {name}: {job['reason']}" in output for name, job in jobs.items() if job["state"] == "failed")
    assert [row["failed"] != "" for row in rows_of(sweep)] == [False, True, True, True]
    assert "finished before" in call("train", tmp_path, *options, fails=True)


def test_roots_repeated_values_and_paths_that_can_be_pasted(dice_root, tmp_path):
    other = tmp_path / "other=B,1"
    other.symlink_to(dice_root)
    same = [o for o in small(dice_root, "trainer.max_epochs=1", "logger=none") if not o.startswith("data.root")]
    output = call("train", tmp_path, "-m", *same, "model=conv_ae", f"data.root='{dice_root}','{other}'", "seed=1,1")
    sweep = sweep_of(tmp_path)
    runs = sorted(p.parent for p in sweep.glob("*/metrics.json"))
    assert len(runs) == 4
    assert not any(c in run.name for run in runs for c in "=,")
    roots = {(run / "config.yaml").read_text().partition("  root: ")[2].partition("\n")[0] for run in runs}
    assert roots == {str(dice_root), f"{other}"}
    printed = [line.split()[1] for line in output.splitlines() if line.startswith("run: ")]
    assert "flag everything" in call("evaluate", tmp_path, f"run={printed[0]}")
    odd = tmp_path / "model=vae,seed=1"
    odd.symlink_to(runs[0])
    assert "flag everything" in call("evaluate", tmp_path, f"run={odd}", "threshold=normals_only")


def test_sigterm_ends_a_sweep_and_its_command_goes_on(dice_root, tmp_path):
    options = ["-m", *small(dice_root, "data.steps_per_epoch=30", "logger=none"), "model=vae", "seed=0,1"]
    told = interrupted(tmp_path, *options, after="epoch 1 of 3", seconds=0.2, by=signal.SIGTERM)
    assert "stopped: the same command goes on where it stopped" in told
    sweep = sweep_of(tmp_path)
    assert not list(sweep.glob("*/job.json"))
    assert [path.parent.name for path in sweep.glob("*/metrics.json")] == ["seed-0"]
    again = call("train", tmp_path, *options)
    assert again.count("resuming ") == 1
    assert all(json.loads(path.read_text())["interrupted"] is None for path in sweep.glob("*/metrics.json"))


def test_two_equal_sweeps_at_once_have_folders_of_their_own(dice_root, tmp_path):
    options = ["-m", *small(dice_root, "trainer.max_epochs=1", "logger=none"), "model=conv_ae", "seed=0,1"]
    both = [
        subprocess.Popen(command("train", tmp_path, *options), stdout=subprocess.DEVNULL, cwd=tmp_path) for _ in "ab"
    ]
    assert [process.wait(timeout=600) for process in both] == [0, 0]
    first, second = sorted((tmp_path / "logs" / "multiruns").iterdir())
    assert second.name == f"{first.name}_2"
    assert rows_of(first) == rows_of(second)
    assert len(list(first.glob("*/metrics.json"))) == len(list(second.glob("*/metrics.json"))) == 2


def test_jobs_side_by_side_share_the_cores(dice_root, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    options = [
        "-m",
        *small(dice_root, "trainer.max_epochs=1", "logger=none"),
        "threads=auto",
        "model=conv_ae",
        "seed=0,1",
    ]
    call("train", tmp_path, *options, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    threads = [
        p.read_text().partition("\nthreads: ")[2].partition("\n")[0] for p in sweep_of(tmp_path).glob("*/config.yaml")
    ]
    assert threads == [str(max(1, len(os.sched_getaffinity(0)) // 2))] * 2
    # The same command with another launcher is the same sweep.
    assert call("train", tmp_path, *options).count("finished before") == 2


def test_a_killed_study_goes_on_and_maximises_validation(dice_root, tmp_path):
    optuna = pytest.importorskip("optuna")
    space = ["hydra.sweeper.n_trials=4", "optimizer.lr=tag(log,interval(0.001,1e12))", "trainer.max_epochs=2"]
    options = ["-m", "sweep=optuna", *small(dice_root, "logger=none", "model=conv_ae"), *space]
    process = subprocess.Popen(command("train", tmp_path, *options), stdout=subprocess.DEVNULL, cwd=tmp_path)
    while not list((tmp_path / "logs" / "multiruns").glob("*/trial_001/config.yaml")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = subprocess.run(command("train", tmp_path, *options), capture_output=True, text=True, cwd=tmp_path)
    sweep = sweep_of(tmp_path)
    study = optuna.load_study(study_name=sweep.name, storage=f"sqlite:///{sweep}/study.db")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert len(study.trials) == 4
    states = {}
    for trial in study.trials:
        run = sweep / f"trial_{trial.number:03d}"
        states[trial.state.name] = states.get(trial.state.name, 0) + 1
        if trial.state.name == "COMPLETE":
            assert trial.value == json.loads((run / "metrics.json").read_text())["validation"]["average_precision"]
        else:
            assert "expected a finite loss" in json.loads((run / "job.json").read_text())["reason"]
    assert set(states) == {"COMPLETE", "FAIL"}
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{states['FAIL']} of 4 jobs failed" in done.stderr
    assert (sweep / "history.png").is_file()


def test_a_sweep_without_m_is_refused(tmp_path):
    assert "sweep=seeds is several trainings, which need -m" in call("train", tmp_path, "sweep=seeds", fails=True)
    assert not list((tmp_path / "logs" / "runs").iterdir())


def test_optuna_is_asked_for_when_it_is_missing(tmp_path):
    program = str(Path(__file__).parents[2] / "train.py")
    code = f"""
import runpy, sys
sys.modules["optuna"] = None
sys.argv[0] = {program!r}
runpy.run_path({program!r}, run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "-m", "sweep=optuna"], capture_output=True, text=True, cwd=tmp_path
    )
    assert 'pip install "anodice[sweeps]"' in done.stderr
