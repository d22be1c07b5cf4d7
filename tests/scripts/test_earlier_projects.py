"""The command that trains every method of the earlier projects: its recipes, its facts, its table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anodice.app.configs import CONF

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    import earlier_projects

    sys.path.remove(str(SCRIPTS))
    return earlier_projects


def call(*arguments: str, fails: bool = False) -> str:
    command = [sys.executable, str(SCRIPTS / "earlier_projects.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_recipe_has_its_facts(script):
    recipes = {path.stem for path in (CONF / "experiment" / "seeds").glob("*.yaml")}
    assert recipes == set(script.FIGURES)
    assert all(facts["published"] and facts["really"] for facts in script.FIGURES.values())


@pytest.mark.slow
def test_finished_runs_make_the_table_and_are_not_repeated(dice_root, tmp_path):
    small = ["data.image_size=64", "split.validation_fraction=0.34", "trainer.accelerator=cpu", "logger=none"]
    options = ["--root", str(dice_root), "--log-dir", str(tmp_path / "runs"), "--only", "seeds/ssim,seeds/fourier"]
    output = call(*options, "--", *small, f"paths.cache_dir={tmp_path / 'cache'}")
    table = (tmp_path / "runs" / "table.md").read_text()
    assert table in output
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    run = next((tmp_path / "runs" / "seeds" / "ssim" / "runs").iterdir())
    clean = json.loads((run / "metrics.json").read_text())["test"]["clean"]
    assert (cells[0], cells[1], cells[3]) == ("seeds/ssim", "F1 0.72", f"{clean['auroc']:.3f}")
    assert cells[4].startswith(f"{clean['at']['f1_max']['f1']:.3f} [")
    assert "train.py" not in call(*options, "--output", str(tmp_path / "copy.md"))
    assert (tmp_path / "copy.md").read_text() == table


@pytest.mark.slow
def test_mistakes_end_in_a_sentence(tmp_path):
    assert "did you mean 'seeds/ssim'" in call("--root", str(tmp_path), "--only", "seeds/sim", fails=True)
