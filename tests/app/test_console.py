"""What is told of steps that take long."""

from __future__ import annotations

import itertools
import logging
import sys
from io import StringIO

from anodice.app import console


def test_a_short_step_is_not_talked_about(caplog):
    with caplog.at_level(logging.INFO), console.waiting("scoring") as tell:
        tell(0.5)
    assert caplog.messages == []


def test_a_long_step_tells_its_share(caplog, monkeypatch):
    monkeypatch.setattr(console, "_PATIENCE", 0)
    with caplog.at_level(logging.INFO):
        assert list(console.counted("ab", 2, "scoring 2 photos")) == ["a", "b"]
    assert caplog.messages == ["scoring 2 photos: 50 %", "scoring 2 photos: 100 %"]


def test_a_long_step_tells_its_speed_and_the_time_left(caplog, monkeypatch):
    monkeypatch.setattr(console, "_PATIENCE", 0)
    clock = itertools.count()
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock) / 10)  # a tenth of a second passes at each look
    with caplog.at_level(logging.INFO):
        assert list(console.counted("abcd", 4, "scoring 4 files", unit="photos")) == list("abcd")
    assert caplog.messages[0] == "scoring 4 files, 3 photos/s: 25 %, 1 s left"
    assert caplog.messages[-1].endswith("100 %")


def test_in_a_terminal_a_bar_comes_and_goes(monkeypatch):
    terminal = StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(console, "_PATIENCE", 0)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with console.waiting("scoring") as tell:
        tell(0.25)
        tell(0.5)
    assert "scoring" in terminal.getvalue()
    assert "\x1b[2K" in terminal.getvalue()  # wiped


def test_log_lines_follow_stdout_to_where_a_bar_leads_it(monkeypatch):
    handler, elsewhere = console.ConsoleHandler(), StringIO()
    monkeypatch.setattr(sys, "stdout", elsewhere)
    handler.handle(logging.makeLogRecord({"msg": "a line"}))
    assert elsewhere.getvalue() == "a line\n"
