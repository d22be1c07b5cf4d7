"""SIGTERM ends a command as Ctrl-C does."""

from __future__ import annotations

import os
import signal

import pytest

from anodice.app.stopping import Stopped, stoppable


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_undoes_what_was_begun_and_has_its_status(number, status):
    before, undone = signal.getsignal(signal.SIGTERM), []

    def command():
        with stoppable():
            try:
                os.kill(os.getpid(), number)
            finally:
                undone.append(True)

    with pytest.raises(Stopped) as stop:
        command()
    assert (stop.value.status, undone) == (status, [True])
    assert signal.getsignal(signal.SIGTERM) is before
