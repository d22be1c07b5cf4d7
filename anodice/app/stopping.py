"""How a command ends that is asked to: by Ctrl-C, or by SIGTERM, with which schedulers and systems do."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""What asks a command to end, as people know it."""


class Stopped(KeyboardInterrupt):
    """A command was asked to end, and it does.

    Attributes:
        number: of the signal.

    >>> Stopped(signal.SIGTERM).status, Stopped(signal.SIGINT).status
    (143, 130)
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {NAMES[signal.Signals(number)]}")
        self.number = number

    @property
    def status(self) -> int:
        """The exit status that shells and schedulers know it by."""
        return 128 + self.number


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM interrupt as Ctrl-C does, so that nothing is left behind; a second one kills at once.

    Raises:
        Stopped: in place of what Ctrl-C raises as well.
    """
    if threading.current_thread() is not threading.main_thread():  # only that one hears signals
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Stopped(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except Stopped:
        raise
    except KeyboardInterrupt as interrupt:
        raise Stopped(signal.SIGINT) from interrupt
    finally:
        signal.signal(signal.SIGTERM, before)
