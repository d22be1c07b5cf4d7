"""What a command does to the process that it runs in."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from anodice import process


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


def test_first_job_began_with_the_process_and_the_next_begins_now():
    process._first_job = 5.0
    assert process.begin_job() == 5.0
    now = time.perf_counter()
    assert now <= process.begin_job() <= time.perf_counter()


def test_peak_memory_is_in_megabytes_and_never_falls():
    before = process.peak_memory_megabytes()
    if before is None:
        pytest.skip("this system does not tell")
    held = torch.ones(25_000_000)
    after = process.peak_memory_megabytes()
    del held
    assert 10 < before <= after < 1_000_000
    assert process.peak_memory_megabytes() >= after


def test_kept_memory_is_used_again():
    code = (
        "import resource, torch; from anodice.process import keep_freed_memory; kept = keep_freed_memory()\n"
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
    code = "import sys, anodice.process, anodice.evaluation; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
