"""The commands as people run them, on a small set of drawn dice: train, evaluate, resume, Ctrl-C, multirun."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from anodice.evaluation.run_metrics import MEASURED

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # each test starts processes
FILES = {
    *("config.yaml", "split.json", "threshold.json", "scores.csv", "metrics.json", "report.md", "environment.json"),
    *("prediction.json", "train.log", "checkpoints", "figures", "checksums.json"),
}


def command(program: str, folder: Path, *options: str) -> list[str]:
    paths = [
        f"paths.log_dir={folder / 'logs'}",
        *([f"paths.cache_dir={folder / 'cache'}"] if program == "train" else []),
    ]
    flags = [option for option in options if option.startswith("-")]
    overrides = [option for option in options if option not in flags]
    return [sys.executable, str(PROJECT / f"{program}.py"), *flags, *paths, *overrides]


def call(program: str, folder: Path, *options: str, fails: bool = False) -> str:
    done = subprocess.run(command(program, folder, *options), capture_output=True, text=True, timeout=900, cwd=folder)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def interrupted(
    folder: Path, *options: str, after: str, seconds: float, by: int = signal.SIGINT, times: int = 1
) -> str:
    """A signal, Ctrl-C's or another, so long after a line that starts so; the output from there on."""
    process = subprocess.Popen(
        command("train", folder, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )
    try:
        next(line for line in process.stdout if line.startswith(after))
        time.sleep(seconds)
        for _ in range(times):
            process.send_signal(by)
            time.sleep(0.3 if times > 1 else 0)
        rest = process.communicate(timeout=900)[0]
    finally:
        process.kill()  # an endless training would outlive a test that fails
    assert process.returncode == 128 + by, rest
    assert "Traceback" not in rest
    return rest


def small(root: Path, *options: str) -> list[str]:
    """Options that make a training on `root` last seconds."""
    chosen = [] if any(option.startswith("model=") for option in options) else ["model=vae"]
    return [
        *("data=dice11", f"data.root={root}", "data.image_size=64", "data.batch_size=8", "data.steps_per_epoch=4"),
        *("split.validation_fraction=0.34", "trainer.max_epochs=3", "trainer.accelerator=cpu", "threads=1"),
        *chosen,
        *options,
    ]


def newest(folder: Path) -> Path:
    return max((folder / "logs" / "runs").iterdir(), key=lambda run: run.stat().st_mtime)


def metrics_of(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(dice_root, tmp_path_factory) -> tuple[Path, Path]:
    """The folder that holds logs and cache, and the run of a VAE; `test_detectors.py` goes through all detectors."""
    folder = tmp_path_factory.mktemp("trained")
    call("train", folder, *small(dice_root, "model=vae"))
    return folder, newest(folder)


def test_run_folder_holds_everything(trained):
    _, run = trained
    names = {p.name for p in run.iterdir()}
    assert names >= FILES
    assert {n for n in names - FILES if not n.startswith(("events.out.tfevents.", "projector"))} == set()
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_metrics_follow_the_published_schema(trained):
    _, run = trained
    metrics = metrics_of(run)
    assert (metrics["model"], metrics["data"], metrics["seed"]) == ("vae", "dice11", 42)
    assert set(metrics) >= {
        "parameters",
        "fit_seconds",
        "fit_images_per_second",
        "seconds_to_first_step",
        "peak_memory_megabytes",
        "peak_gpu_memory_megabytes",
        "score_milliseconds",
        "test",
        "validation",
        "faces",
    }
    assert metrics["seconds_to_first_step"] > 0
    assert metrics["peak_gpu_memory_megabytes"] is None
    assert metrics["near_leaked"] == 0
    for part in ("published", "clean", "distinct"):
        at = metrics["test"][part]["at"]
        assert set(at) == {"f1_max", "normals_only", "oracle", "flag_everything"}
        assert at["oracle"]["fitted_on"] == "test"
        pixels = metrics["test"][part]["pixels"]
        assert pixels["images_with_masks"] == 8
        assert 0 <= pixels["f1_max"] <= pixels["f1_max_oracle"] <= 1
        assert 0 <= pixels["aupro"] <= 1
        assert at["f1_max"]["fitted_on"] == "validation: 22 normal, 12 anomalous"
        assert at["f1_max"]["f1_low"] <= at["f1_max"]["f1"] <= at["f1_max"]["f1_high"]
        assert sum(at["f1_max"][k] for k in ("tp", "fp", "fn", "tn")) == metrics["test"][part]["normals"] + 8


def test_scores_have_a_row_per_validation_and_test_image(trained):
    _, run = trained
    rows = rows_of(run)
    assert sum(r["split"] == "validation" for r in rows) == 22 + 12
    assert sum(r["split"] == "test" for r in rows) == 22 + 8
    threshold = json.loads((run / "threshold.json").read_text())["f1_max"]["value"]
    assert all((float(r["score"]) >= threshold) == (r["verdict"] == "1") for r in rows)


def test_checkpoints_load_as_weights_only(trained):
    _, run = trained
    for name in ("best", "last"):
        assert "state_dict" in torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def test_evaluate_gives_the_same_figures_to_the_last_digit(trained):
    folder, run = trained
    before = {name: (run / name).read_bytes() for name in ("metrics.json", "scores.csv", "threshold.json", "report.md")}
    beside = set(folder.iterdir())
    output = call("evaluate", folder, "run=latest")
    assert set(folder.iterdir()) == beside
    assert "flag everything" in output
    assert {name: (run / name).read_bytes() for name in before} == before


def test_same_seed_same_scores_and_other_seed_other_scores(trained, dice_root):
    folder, run = trained
    call("train", folder, *small(dice_root, "model=vae", f"paths.log_dir={folder / 'again'}"))
    again = next((folder / "again" / "runs").iterdir())
    assert (again / "scores.csv").read_bytes() == (run / "scores.csv").read_bytes()
    call("train", folder, *small(dice_root, "model=vae", f"paths.log_dir={folder / 'other'}", "seed=0"))
    other = next((folder / "other" / "runs").iterdir())
    assert metrics_of(other)["seed"] == 0
    assert (other / "scores.csv").read_bytes() != (run / "scores.csv").read_bytes()


def test_tensorboard_holds_curves_panels_and_hparams(trained):
    _, run = trained
    events = EventAccumulator(str(run)).Reload()
    tags = events.Tags()
    expected = {f"{stage}/{term}" for stage in ("train", "val") for term in ("loss", "reconstruction", "kl")}
    assert set(tags["scalars"]) >= expected | {"val/auroc", "val/average_precision", "val/f1_max", "verdict/test_f1"}
    assert set(tags["images"]) >= {"watched/normal_1", "verdict_nearest/1", "verdict_plots/test_scores"}
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_rethresholding_needs_neither_model_nor_photos(trained, tmp_path):
    _, run = trained
    copy = tmp_path / "logs" / "runs" / "copy"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "checkpoints")
    call("evaluate", tmp_path, "run=copy", "threshold=recall_at", "threshold.target=1.0")
    found = metrics_of(copy / "evaluations" / "recall_at_1")
    assert found["threshold"] == "recall_at"
    assert metrics_of(copy)["threshold"] == "f1_max"
    values = []
    for value in (-1.0, 1e9):
        call("evaluate", tmp_path, "run=copy", "threshold=manual", f"threshold.value={value}")
        at = metrics_of(copy / "evaluations" / f"manual_{value:.12g}")["test"]["published"]["at"]["manual"]
        values.append((at["tp"], at["tn"]))
    assert values == [(8, 0), (0, 22)]


def test_a_killed_training_can_be_evaluated(trained, tmp_path):
    folder, run = trained
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    for name in ("metrics.json", "scores.csv", "threshold.json", "report.md"):
        (copy / name).unlink()
    call("evaluate", folder, f"run={copy}")
    found, whole = metrics_of(copy), metrics_of(run)
    assert found["fit_seconds"] is None
    unmeasured = dict.fromkeys(MEASURED)
    assert found == whole | unmeasured


def test_evaluate_refuses_photos_that_have_changed(trained, writable_dice, tmp_path):
    folder, run = trained
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = (copy / "config.yaml").read_text()
    root = next(line for line in config.splitlines() if line.startswith("  root: "))
    (copy / "config.yaml").write_text(config.replace(root, f"  root: {writable_dice}"))
    (copy / "checksums.json").unlink()
    next((writable_dice / "test_set" / "00").iterdir()).unlink()
    assert "bring the photos back" in call("evaluate", folder, f"run={copy}", fails=True)


def test_interrupted_run_is_usable_and_resumes_to_the_uninterrupted_result(dice_root, tmp_path):
    longer = small(dice_root, "model=vae", "data.steps_per_epoch=100", "trainer.max_epochs=4")
    call("train", tmp_path, *longer, f"paths.log_dir={tmp_path / 'whole'}")
    whole = next((tmp_path / "whole" / "runs").iterdir())

    told = interrupted(tmp_path, *longer, after="epoch 1 of 4: val loss", seconds=1, by=signal.SIGTERM)
    assert "interrupted by SIGTERM: stopping after this step" in told
    run = newest(tmp_path)
    assert "the training was interrupted by SIGTERM in epoch " in metrics_of(run)["interrupted"]
    assert f"**WARNING**: {metrics_of(run)['interrupted']}" in (run / "report.md").read_text()
    call("evaluate", tmp_path, "run=latest")
    assert metrics_of(run)["warnings"][0] == metrics_of(run)["interrupted"]
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] in (100, 200, 300)  # the last whole epoch
    assert metrics_of(run)["test"]["published"]["at"]["f1_max"]["f1"] is not None
    assert (run / "scores.csv").read_bytes() != (whole / "scores.csv").read_bytes()

    call("train", tmp_path, "resume=latest")
    assert newest(tmp_path) == run
    assert metrics_of(run)["interrupted"] is None
    assert (run / "scores.csv").read_bytes() == (whole / "scores.csv").read_bytes()


def test_resume_takes_no_other_model(trained):
    folder, run = trained
    output = call("train", folder, f"resume={run}", "model=conv_ae", fails=True)
    assert "beside resume=, got model=conv_ae" in output


def test_multirun_and_one_table_of_several_runs(dice_root, tmp_path):
    call("train", tmp_path, "-m", *small(dice_root, "trainer.max_epochs=1"), "model=conv_ae,vae", "seed=0,1")
    runs = sorted(p.parent for p in (tmp_path / "logs" / "multiruns").rglob("metrics.json"))
    assert [(metrics_of(r)["model"], metrics_of(r)["seed"]) for r in runs] == [
        ("conv_ae", 0),
        ("conv_ae", 1),
        ("vae", 0),
        ("vae", 1),
    ]
    two = call("evaluate", tmp_path, f"run=[{runs[0]},{runs[3]}]", "threshold=normals_only")
    assert [r.name in two for r in runs] == [True, False, False, True]
    every = call("evaluate", tmp_path, f"run={runs[0].parent}", "threshold=normals_only")
    assert all(r.name in every for r in runs)


def test_f1_rule_without_anomalies_is_refused_before_training(writable_dice, tmp_path):
    shutil.rmtree(writable_dice / "train_set" / "ano")
    output = call("train", tmp_path, *small(writable_dice), fails=True)
    assert "got 22 normal and 0 anomalous; use threshold=normals_only" in output
    assert "epoch 1" not in output


def test_normals_only_works_without_any_anomaly(writable_dice, tmp_path):
    for split in ("train_set", "test_set"):
        shutil.rmtree(writable_dice / split / "ano")
    options = small(writable_dice, "threshold=normals_only", "trainer.max_epochs=1")
    output = call("train", tmp_path, *options)
    at = metrics_of(newest(tmp_path))["test"]["published"]["at"]["normals_only"]
    assert at["f1"] is None
    assert at["reason"] == "no anomalous test image"
    assert at["fp"] is not None
    assert "n/a" in output


def test_monitor_is_checked_before_the_first_batch(dice_root, tmp_path):
    output = call("train", tmp_path, *small(dice_root, "callbacks.best.monitor=val/los"), fails=True)
    assert "did you mean 'val/loss'" in output


def test_three_channels(dice_root, tmp_path):
    call("train", tmp_path, *small(dice_root, "data.in_channels=3", "trainer.max_epochs=1", "model=conv_ae"))
    assert metrics_of(newest(tmp_path))["validation"]["normals"] == 22


def test_first_readme_command_learns_in_a_third_of_its_epochs(tmp_path):
    call("train", tmp_path, "model=vae", "trainer.max_epochs=4", "threads=1")  # other tests have the other core
    assert metrics_of(newest(tmp_path))["test"]["clean"]["auroc"] >= 0.94


def test_interrupt_within_the_first_epoch_leaves_a_usable_run(dice_root, tmp_path):
    endless = small(dice_root, "model=conv_ae", "data.steps_per_epoch=100000")
    output = interrupted(tmp_path, *endless, after="run: ", seconds=3)
    assert "within its first epoch" in output
    assert "flag everything" in call("evaluate", tmp_path, "run=latest")
    run = newest(tmp_path)
    output = interrupted(tmp_path, "resume=latest", after="run: ", seconds=1, times=2)
    assert "stopped by Ctrl-C" in output
    assert "drawing the figures" not in output
    assert newest(tmp_path) == run


def test_without_a_progress_bar_no_epoch_is_told(dice_root, tmp_path):
    output = call("train", tmp_path, *small(dice_root, "trainer.enable_progress_bar=false", "trainer.max_epochs=1"))
    assert "epoch 1 of" not in output
    assert metrics_of(newest(tmp_path))["fit_images_per_second"] > 0


def test_profile_tells_the_most_expensive_operators(dice_root, tmp_path):
    short = small(dice_root, "debug=profile", "data.steps_per_epoch=8", "trainer.max_epochs=1")
    output = call("train", tmp_path, *short)
    assert "3 training steps, the most expensive operators of which are" in output
    run = newest(tmp_path)
    assert "aten::convolution_backward" in (run / "profile.txt").read_text()
    assert json.loads((run / "profile_trace.json").read_text())["traceEvents"]


def test_many_jobs_in_one_process_leave_nothing_behind(dice_root, tmp_path):
    code = f"""
import gc, json, logging, os, runpy, signal, sys, threading, warnings
import matplotlib.pyplot as plt
import anodice.programs.train as training

learn = training.train

def watched(*arguments, **options):
    figure = learn(*arguments, **options)
    gc.collect()  # a trainer and its detector know each other: what stays after this is left for good
    files = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    seen = [threading.active_count(), len(logging.getLogger().handlers), len(plt.get_fignums()), len(files)]
    seen += [len(warnings.filters), str(signal.getsignal(signal.SIGINT))]
    print("left:", json.dumps(seen), file=sys.stderr)
    return figure

training.train = watched
sys.path.insert(0, {str(PROJECT)!r})
runpy.run_path({str(PROJECT / "train.py")!r}, run_name="__main__")
"""
    _, _, *options = command("train", tmp_path, "-m", *small(dice_root, "trainer.max_epochs=1"), "seed=0,1,2,3,4")
    done = subprocess.run(
        [sys.executable, "-c", code, *options], capture_output=True, text=True, timeout=900, cwd=tmp_path
    )
    left = [line for line in done.stderr.splitlines() if line.startswith("left:")]
    assert len(left) == 5, done.stderr
    assert len(set(left[1:])) == 1  # the first loads what the others find loaded
