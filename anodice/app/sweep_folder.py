"""The folder of a sweep and those of its jobs: their names, who works in them, what became of each job."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # no Unix: nobody is kept out
    fcntl = None  # type: ignore[assignment]

from anodice.app.conf import CONF
from anodice.app.files import read_json, write_json
from anodice.errors import AnodiceError

SWEEP, JOB, STUDY, LOCK = "sweep.json", "job.json", "study.db", ".lock"
FINISHED, FAILED, PRUNED = "finished", "failed", "pruned"

_LONGEST = 24
"""Characters of one value in the name of a job."""

_ELSEWHERE = ("paths.", "threads=", "hydra.", "hydra/")
"""Overrides that say where and how a sweep runs, not what it goes through."""


def sweep_name(what: str, overrides: Sequence[str]) -> str:
    """A name that the same command gives again, and another one does not: the order of its words does not count.

    >>> sweep_name("seed", ["model=vae", "seed=0,1"]) == sweep_name("seed", ["seed=0,1", "threads=1", "model=vae"])
    True
    """
    told = [override for override in overrides if not override.startswith(_ELSEWHERE)]
    told.append(os.environ.get("DICE_ROOT", ""))  # the default of data.root
    return f"{what}_{hashlib.sha256(json.dumps(sorted(told)).encode()).hexdigest()[:6]}"


def job_names(jobs: Sequence[Mapping[str, str]], swept: Sequence[str]) -> list[str]:
    """A short name for each job, made of what is swept; equal jobs are numbered.

    Args:
        jobs: key -> value of each.
        swept: the keys that are.

    >>> job_names([{"model": "vae", "optimizer.lr": lr} for lr in ("0.1", "1", "1")], ["model", "optimizer.lr"])
    ['vae_lr-0.1', 'vae_lr-1', 'vae_lr-1_2']
    """
    names: list[str] = []
    taken: set[str] = set()
    for job in jobs:
        wanted = "_".join(_word(key, job[key], swept) for key in swept) or "job"
        name, number = wanted, 1
        while name.lower() in taken:  # some file systems ignore case
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def short_key(key: str, among: Sequence[str]) -> str:
    """The last part of a key, or the last two where another one ends alike.

    >>> short_key("optimizer.lr", ["optimizer.lr", "seed"]), short_key("a.lr", ["a.lr", "b.lr"])
    ('lr', 'a.lr')
    """
    last = key.rpartition(".")[2]
    if sum(other.rpartition(".")[2] == last for other in among) <= 1:
        return last
    return ".".join(key.split(".")[-2:])


def is_group(key: str) -> bool:
    """Whether a key is that of a group of configs, whose options speak for themselves.

    >>> is_group("model"), is_group("model/backbone"), is_group("seed")
    (True, True, False)
    """
    return "." not in key and (CONF / key).is_dir()


def values_of(overrides: Sequence[str]) -> dict[str, str]:
    """Key -> value of plain overrides.

    >>> values_of(["+model=vae", "seed=0"])
    {'model': 'vae', 'seed': '0'}
    """
    return {key.lstrip("+~"): value for key, _, value in (o.partition("=") for o in overrides)}


def _word(key: str, value: str, swept: Sequence[str]) -> str:
    clean = re.sub(r"[^A-Za-z0-9_.+-]+", "-", value).strip("-.")[-_LONGEST:].strip("-.") or "none"
    if is_group(key):
        return clean
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', short_key(key, swept))}-{clean}"


@contextmanager
def claimed_sweep(wanted: Path) -> Iterator[Path]:
    """The folder of a sweep, new or left by an earlier start; numbered where a running sweep holds it.

    The system lets go of what a process holds when that dies, however it dies.
    """
    path, number = wanted, 1
    while True:
        with held(path, wait=False) as mine:
            if mine:
                yield path
                return
        number += 1
        path = wanted.with_name(f"{wanted.name}_{number}")


@contextmanager
def held(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Keep others out of a folder, which is made; false where one is in it already and `wait` is not wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def write_job(folder: Path, state: str, **told: Any) -> None:
    """Note what became of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JOB, {"state": state, **told})


def read_job(folder: Path) -> dict[str, Any]:
    """What became of a job: `state`, and its `reason` where it failed or was pruned; empty where it has not ended."""
    if not (folder / JOB).is_file():
        return {}
    try:
        return read_json(folder, JOB, {"state": str})
    except AnodiceError as error:
        return {"state": FAILED, "reason": str(error)}
