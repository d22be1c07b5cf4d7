"""`scripts/benchmarks/rows.py`: what is measured of a row, what its ratio says; the names on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def rows(monkeypatch):
    """The module of the rows, with none in it."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks import rows

    monkeypatch.setattr(rows, "ROWS", {})
    return rows


def _measured(rows, usual, ours, rounds=3, **entry):
    @rows.row("row", unit="MB", **entry)
    def prepare():
        """Usual against ours."""
        return rows.Row(usual=usual, ours=ours)

    return rows.measure("row", rounds)


@pytest.mark.parametrize(("ours", "reached"), [(4.0, True), (5.0, True), (6.0, False)])
def test_at_least_compares_usual_with_ours(rows, ours, reached):
    result = _measured(rows, lambda: 10.0, lambda: ours, reach=2.0)
    assert result.ratio == 10 / ours
    assert result.reached is reached
    assert ("NOT REACHED" in str(result)) is not reached


@pytest.mark.parametrize(("ours", "reached"), [(10.0, True), (15.0, True), (16.0, False)])
def test_at_most_compares_ours_with_usual(rows, ours, reached):
    result = _measured(rows, lambda: 10.0, lambda: ours, reach=1.5, at_most=True)
    assert result.ratio == ours / 10
    assert result.reached is reached
    assert "at most 1.5" in str(result)


def test_the_median_of_the_rounds_counts_and_the_first_one_does_not(rows):
    figures = iter([1000.0, 1.0, 2.0, 30.0])
    result = _measured(rows, lambda: next(figures), lambda: 1.0)
    assert (result.ratio_low, result.ratio, result.ratio_high) == (1.0, 2.0, 30.0)
    assert (result.usual, result.unit, result.reached) == (2.0, "MB", None)


def test_sides_without_a_unit_are_timed_by_the_item(rows):
    @rows.row("sleep")
    def prepare():
        """Two items of 10 ms against one."""
        return rows.Row(usual=lambda: time.sleep(0.02), usual_items=2, ours=lambda: time.sleep(0.01))

    result = rows.measure("sleep", 1)
    assert result.unit == "ms"
    assert min(result.usual, result.ours) >= 9.9


@pytest.mark.slow
def test_a_row_that_does_not_exist_is_answered_with_the_nearest():
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), "--only", "scorin"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ.copy())
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no row 'scorin'; did you mean 'scoring'?")
