"""What a command does to the process that it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import torch

from anodice.app import process


@pytest.fixture(autouse=True)
def as_before():
    """Other tests keep their threads and their clock."""
    threads, first_job = torch.get_num_threads(), process._first_job
    yield
    torch.set_num_threads(threads)
    process._first_job = first_job


def test_auto_gives_all_threads_back():
    process.use_threads("auto")
    everything = torch.get_num_threads()
    process.use_threads(1)
    assert torch.get_num_threads() == 1
    process.use_threads("auto")
    assert torch.get_num_threads() == everything


@pytest.fixture
def control_group(tmp_path, monkeypatch):
    """An empty one."""
    monkeypatch.setattr(process, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def test_without_a_limit_all_cores_that_the_process_is_bound_to_are_used(control_group):
    assert process.cores() == 8
    (control_group / "cpu.max").write_text("max 100000\n")
    assert process.cores() == 8


@pytest.mark.parametrize(("quota", "expected"), [(200_000, 2), (150_000, 2), (20_000, 1), (9_900_000, 8)])
def test_a_container_that_gets_a_share_of_the_cores_uses_as_many(control_group, quota, expected):
    (control_group / "cpu.max").write_text(f"{quota} 100000\n")
    assert process.cores() == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3), ("-1", 8)])
def test_older_systems_tell_the_share_in_two_files(control_group, quota, expected):
    (control_group / "cpu").mkdir()
    (control_group / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (control_group / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert process.cores() == expected


def test_auto_takes_no_more_threads_than_the_container_has_cores(control_group, monkeypatch):
    (control_group / "cpu.max").write_text("100000 100000\n")
    monkeypatch.setattr(process, "_all_threads", None)
    process.use_threads("auto")
    assert torch.get_num_threads() == 1


def test_first_job_began_with_the_process_and_the_next_begins_now():
    process._first_job = 5.0
    assert process.begin_job() == 5.0
    now = time.perf_counter()
    assert now <= process.begin_job() <= time.perf_counter()


@pytest.mark.slow
def test_kept_memory_is_used_again():
    code = (
        "import resource, torch; from anodice.app.process import keep_freed_memory; kept = keep_freed_memory()\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    torch.ones(10_000_000)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "print(kept, sorted(faults() for _ in range(20))[5])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    if not done.stdout.startswith("True"):
        pytest.skip("another allocator than glibc's")
    # 40 MB have 10,000 pages; systems that reclaim idle ones may take some away again.
    assert int(done.stdout.split()[1]) < 1_000


def test_the_process_does_not_wait_for_torch():
    code = "import sys, anodice.app.process, anodice.programs.evaluate; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
