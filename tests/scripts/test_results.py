"""The command that measures the detectors and writes the tables of results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anodice.errors import AnodiceError

PROJECT = Path(__file__).parents[2]
SCRIPTS = PROJECT / "scripts"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    import results

    sys.path.remove(str(SCRIPTS))
    return results


def call(*arguments: str, fails: bool = False) -> str:
    command = [sys.executable, str(SCRIPTS / "results.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_recipe_is_three_seeds_and_the_harder_tasks(script):
    names = list(script.recipes())
    few = len(script.FEW) * len(script.FEW_PHOTOS)
    assert len(names) == len(script.DETECTORS) * (len(script.SEEDS) + len(script.HARDER)) + few
    assert script.recipes()["few/padim5"][-1] == "split.fit_per_class=5"
    assert script.recipes()["vae/ten"] == ["model=vae", "data=dice11", "seed=0", "split.fit_per_class=10"]


@pytest.mark.slow
def test_runs_become_tables_and_are_not_repeated(dice_root, tmp_path):
    small = ["data.image_size=64", "split.validation_fraction=0.34", "trainer.accelerator=cpu", "debug=fast"]
    only = "conv_ae/seed0,conv_ae/seed1,conv_ae/ten"
    options = [f"data.root={dice_root}", "--log-dir", str(tmp_path / "runs"), "--only", only]
    output = call(*options, "--", *small, f"paths.cache_dir={tmp_path / 'cache'}")
    text = (tmp_path / "runs" / "results.md").read_text()
    assert text in output
    run = next((tmp_path / "runs" / "conv_ae" / "seed1" / "runs").iterdir())
    clean = json.loads((run / "metrics.json").read_text())["test"]["clean"]
    rows = [cells(line) for line in text.splitlines() if line.startswith("| conv_ae/seed1 ")]
    assert rows[0][1] == f"{clean['auroc']:.4f}"
    assert rows[0][2].startswith(f"{clean['at']['f1_max']['f1']:.3f} [")
    assert "split.fit_per_class=10" in text
    assert "## Under other light, lens and pose" in text
    summary = next(cells(line) for line in output.splitlines() if line.startswith("| `conv_ae`"))
    assert len(summary[2].split(", ")) == 2
    assert "== conv_ae" not in call(*options)


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_tables_of_the_pages_are_replaced(script, page):
    replaced = script.between((PROJECT / page).read_text(), "| new |\n")
    assert "| new |" in replaced
    assert script.between(replaced, "| new |\n") == replaced
    with pytest.raises(AnodiceError, match="expected the marks"):
        script.between("no marks", "| new |\n")


@pytest.mark.slow
def test_mistakes_end_in_a_sentence(tmp_path):
    assert "did you mean 'conv_ae'" in call("--root", str(tmp_path), "--only", "convae", fails=True)
