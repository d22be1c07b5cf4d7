"""Names of sweeps and jobs, locks that die with their process, and arguments of scripts."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser

import pytest

from anodice.app import sweep_folder
from anodice.app.arguments import as_options
from anodice.app.sweep_folder import claimed_sweep, held, job_names, read_job, sweep_name, write_job


def test_the_same_command_gives_the_same_name_and_another_one_does_not(monkeypatch):
    name = sweep_name("seed", ["model=vae", "seed=0,1"])
    assert name.startswith("seed_")
    assert len(name) == len("seed_") + 6
    elsewhere = ["paths.log_dir=x", "threads=1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert sweep_name("seed", ["seed=0,1", *elsewhere, "model=vae"]) == name
    assert sweep_name("seed", ["model=vae", "seed=0,2"]) != name
    monkeypatch.setenv("DICE_ROOT", "/other/photos")  # the default of data.root
    assert sweep_name("seed", ["model=vae", "seed=0,1"]) != name


def test_names_hold_what_varies_and_nothing_that_a_command_line_or_a_file_system_minds():
    jobs = [{"model": "vae", "data.root": root, "a.lr": "1", "b.lr": "2"} for root in ("/x/B", "/x/B 2", "/x/b")]
    names = job_names(jobs, ["model", "data.root", "a.lr", "b.lr"])
    assert names == [
        "vae_root-x-B_a.lr-1_b.lr-2",
        "vae_root-x-B-2_a.lr-1_b.lr-2",
        "vae_root-x-b_a.lr-1_b.lr-2_2",  # some file systems ignore case
    ]


@pytest.mark.parametrize("value", ["[32,64]", "a=b", "../..", "", "x" * 500, "é/ü"])
def test_any_value_gives_a_plain_name(value):
    (name,) = job_names([{"optimizer.lr": value}], ["optimizer.lr"])
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
    assert name.startswith("lr-")
    assert ".." not in name
    assert len(name) <= 30


def test_repeated_jobs_are_numbered():
    assert job_names([{"seed": "0"}, {"seed": "0"}, {"seed": "1"}], ["seed"]) == ["seed-0", "seed-0_2", "seed-1"]


def test_a_running_sweep_keeps_its_folder_and_the_next_one_takes_another(tmp_path):
    with claimed_sweep(tmp_path / "s") as first, claimed_sweep(tmp_path / "s") as second:
        assert (first.name, second.name) == ("s", "s_2")
    with claimed_sweep(tmp_path / "s") as again:
        assert again.name == "s"


def test_the_lock_of_a_killed_process_is_gone(tmp_path):
    code = (
        "import sys, time, pathlib; from anodice.app.sweep_folder import held\n"
        "with held(pathlib.Path(sys.argv[1]), wait=False) as mine: print(mine, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    with held(tmp_path / "s", wait=False) as mine:
        assert not mine
    process.kill()
    process.wait()
    with held(tmp_path / "s", wait=False) as mine:
        assert mine


def test_what_became_of_a_job_is_read_again(tmp_path):
    assert read_job(tmp_path / "a") == {}
    write_job(tmp_path / "a", sweep_folder.FAILED, reason="no")
    assert read_job(tmp_path / "a") == {"state": "failed", "reason": "no"}


def test_scripts_understand_the_keys_of_programs():
    parser = ArgumentParser()
    for option in ("--root", "--log-dir", "--per-class"):
        parser.add_argument(option)
    parser.add_argument("rest", nargs="*")
    words = ["run=latest", "data.root=A=B", "paths.log_dir=logs", "per_class=3", "layers=[1,2]"]
    found = parser.parse_intermixed_args(as_options(parser, words))
    assert (found.root, found.log_dir, found.per_class) == ("A=B", "logs", "3")
    assert found.rest == ["run=latest", "layers=[1,2]"]
