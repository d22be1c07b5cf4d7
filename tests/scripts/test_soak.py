"""The soak tells what goes on rising."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "soak.py"


@pytest.fixture(scope="module")
def soak():
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("rise", "told"),
    [((0, 0, 0, 0), []), ((4, 0, 0, 0), ["memory in MB"]), ((0, 0, 0.2, 1), ["open files", "temporary files"])],
)
def test_what_goes_on_rising_is_named(rise, told, soak):
    figures = np.array([200.0, 8, 12, 0]) + np.arange(60)[:, None] * np.array(rise)
    assert soak.rising(figures) == told
    assert len(soak.drawn(figures).axes) == 4


@pytest.mark.slow
def test_two_rounds_leave_nothing_behind(soak, capsys):
    assert soak.main(["--rounds", "2", "--models", "template"]) == 0
    assert "round 2: " in capsys.readouterr().out
