"""Photos that arrive in folders, each once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from anodice.prediction.photos import files_of

_State = tuple[int, int]
"""Size and time of the last change of a file."""


def arriving(
    photos: str | Path | Sequence[str | Path],
    known: set[str],
    *,
    seconds: float,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[list[Path]]:
    """The files that are there, then those that come, without end: a list at each look, often an empty one.

    A file counts once it has not changed between two looks: somebody may still be writing it.

    Args:
        photos: see `files_of`.
        known: names of files that are left out; each file that comes is added.
        seconds: between two looks.
        wait: does so.
    """
    growing: dict[str, _State] = {}
    while True:
        states = {str(path): state for path in files_of(photos) if str(path) not in known and (state := _state(path))}
        ready = [name for name, state in states.items() if growing.get(name) == state]
        growing = {name: state for name, state in states.items() if name not in ready}
        known.update(ready)
        yield [Path(name) for name in ready]
        wait(seconds)


def _state(path: Path) -> _State | None:
    """None of a file that has gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
