"""The process that a command runs in: how it keeps memory, when its job began, its threads."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""The names of glibc's malloc.h, M_TRIM_THRESHOLD and M_MMAP_MAX, by their numbers."""

_CONTROL_GROUP = Path("/sys/fs/cgroup")

_first_job: float | None = time.perf_counter()
_all_threads: int | None = None


def keep_freed_memory() -> bool:
    """Let the allocator keep what is freed for the next time; false where it is not glibc's, which is left as it is.

    Each training step needs the buffers of the last one again. By default glibc gives the large ones back to the system
    at once, which hands out new pages, filled with zeros one by one: up to a third of the time of a step. The highest
    memory of a process grows by some per cent, for pieces that fit no later buffer. No figure changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):  # such as musl, which has no such choices
        return False
    return library.mallopt(_MMAP_MAX, 0) == 1 and library.mallopt(_TRIM_THRESHOLD, 2**31 - 1) == 1


def begin_job() -> float:
    """When the job that calls this began, on the clock of `time.perf_counter`.

    The first job of a process began with the imports of the program; a later one, of a multirun, begins now.
    """
    global _first_job
    begun, _first_job = _first_job, None
    return time.perf_counter() if begun is None else begun


def cores() -> int:
    """How many cores this process may use: those it is bound to, or as much of their time as its container gets.

    More threads than that wait for each other, which can take several times as long as a single one.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, _time_of_cores())))


def _time_of_cores() -> float:
    """The cores' worth of time that a container on Linux gets; infinite where nobody limits it."""
    newer, older = _CONTROL_GROUP / "cpu.max", _CONTROL_GROUP / "cpu"
    try:
        if newer.is_file():
            quota, period = newer.read_text().split()
        else:
            quota, period = ((older / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        limit = float(quota) / float(period)  # "max" is no number, and -1 no limit
    except (OSError, ValueError):
        return math.inf
    return limit if limit > 0 else math.inf


def use_threads(threads: int | str) -> None:
    """Let torch compute with so many threads, or, with `auto`, with its own choice within the `cores`."""
    import torch  # what starts a program does not wait for torch

    global _all_threads
    _all_threads = min(torch.get_num_threads(), cores()) if _all_threads is None else _all_threads
    torch.set_num_threads(_all_threads if threads == "auto" else int(threads))


def fastest_precision(accelerator: str) -> str:
    """`bf16-mixed` where the device computes in bfloat16 by itself, else `32-true`: Lightning's `precision`."""
    import torch

    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    able = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return "bf16-mixed" if any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else "32-true"
