"""What a person sees while something takes long: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

_PATIENCE = 2.5
"""Seconds without a word: what takes less needs no bar, and lines do not come closer together."""

T = TypeVar("T")


class ConsoleHandler(logging.StreamHandler):
    """Writes to what `sys.stdout` is at the moment, so that a line comes to stand above a bar and not inside it.

    Args:
        stream: what Hydra's own configs name; nothing is written to it.
    """

    def __init__(self, stream: object = None) -> None:
        del stream
        logging.Handler.__init__(self)

    @property
    def stream(self) -> object:
        return sys.stdout

    def format(self, record: logging.LogRecord) -> str:
        """In a terminal, prose is broken between words; tables stay as they are."""
        text = super().format(record)
        return "\n".join(map(_broken, text.splitlines())) if at_terminal() else text


def at_terminal() -> bool:
    """Whether a bar may be drawn: a person looks on, and no other process of the same command draws one, too."""
    return sys.stdout.isatty() and multiprocessing.current_process().name == "MainProcess"


def width() -> int:
    """The columns that tables may fill: those of the terminal, at least 80; 80 where there is none."""
    return max(80, shutil.get_terminal_size().columns) if at_terminal() else 80


class Told:
    """When something was told last: `is_due` says whether to tell again, and takes it that this is done."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        if time.monotonic() - self._last < _PATIENCE:
            return False
        self._last = time.monotonic()
        return True


@contextmanager
def waiting(what: str) -> Iterator[Callable[..., None]]:
    """Tell how far a long step is, once it has taken a while; gives a function to call with the share that is done.

    That function also takes a word on how it goes, such as the speed.

    Args:
        what: is being done, such as `scoring 405 photos`.
    """
    told, bar, began = Told(), None, time.monotonic()

    def tell(done: float, how: str = "") -> None:
        nonlocal bar
        words = f"{what}, {how}" if how else what
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done, description=words)
        elif told.is_due():
            bar = _bar(words, done) if at_terminal() else log.info("%s: %s", words, _how_far(done, began))

    try:
        yield tell
    finally:
        if bar is not None:
            bar.stop()


def counted(pieces: Iterable[T], count: int, what: str, *, unit: str | None = None) -> Iterator[T]:
    """The pieces, one by one, with `waiting` over so many of them.

    Args:
        unit: of the pieces, to tell their speed, such as `photos`; None to leave that out.
    """
    began = time.monotonic()
    with waiting(what) as tell:
        for done, piece in enumerate(pieces, start=1):
            yield piece
            speed = f"{done / max(time.monotonic() - began, 1e-9):.0f} {unit}/s" if unit else ""
            tell(done / count, speed)


def _how_far(done: float, began: float) -> str:
    seconds = (time.monotonic() - began) * (1 / max(done, 1e-9) - 1)
    return f"{100 * done:.0f} %" + (f", {seconds:.0f} s left" if seconds >= 1 else "")


def _broken(line: str) -> str:
    if len(line) <= width() or line.startswith(("|", "  ")):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _bar(what: str, done: float) -> Progress:
    """A bar that has begun, and that goes away when it is stopped."""
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, transient=True, console=Console())  # the terminal as it is now
    bar.add_task(what, total=1, completed=done)
    bar.start()
    return bar
