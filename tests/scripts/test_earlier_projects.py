"""The command that trains every method of the earlier projects: its recipes, its facts, its table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anodice.app.conf import CONF

FACTS = list((CONF / "experiment" / "seeds").glob("*.yaml"))
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
    told = {"published", "measured_on", "threshold", "really"}
    assert all(told <= facts.keys() <= told | {"length"} for facts in script.FIGURES.values())


def test_a_recipe_is_known_with_and_without_its_folder(script):
    assert script._known("ssim") == script._known("seeds/ssim") == "seeds/ssim"


def test_published_figures_are_those_of_the_record(script):
    published = {name: facts["published"] for name, facts in script.FIGURES.items()}
    assert (published["absdiff"], published["vae"], published["ae_classifier"]) == ("F1 0.84", "F1 0.75", "F1 0.46")
    assert all(figure in published["inception_cae"] for figure in ("0.820", "0.672", "0.545", "0.456"))
    assert "1.00" in published["dishes_advanced"]


@pytest.mark.slow
def test_finished_runs_make_the_table_and_are_not_repeated(dice_root, tmp_path):
    small = ["data.image_size=64", "split.validation_fraction=0.34", "trainer.accelerator=cpu", "logger=none"]
    options = ["--root", str(dice_root), "--log-dir", str(tmp_path / "runs"), "--only", "ssim,seeds/fourier"]
    output = call(*options, "--", *small, f"paths.cache_dir={tmp_path / 'cache'}")
    table = (tmp_path / "runs" / "table.md").read_text()
    assert table in output
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len(lines) == 4 + 2 + len(FACTS)
    assert "Not run for this page: seeds/template_mse, " in table
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    run = next((tmp_path / "runs" / "seeds" / "ssim" / "runs").iterdir())
    clean = json.loads((run / "metrics.json").read_text())["test"]["clean"]
    assert cells[:3] == ["seeds/ssim", "F1 0.72", f"{clean['auroc']:.3f}"]
    at = clean["at"]["manual"]
    assert cells[5] == f"{at['f1']:.3f} ({at['tp']}, {at['fp']})"
    honest = next((tmp_path / "runs" / "held_out" / "seeds" / "ssim" / "runs").iterdir())
    metrics = json.loads((honest / "metrics.json").read_text())
    assert metrics["split"] == "published"
    assert cells[3].startswith(f"{metrics['test']['clean']['at']['f1_max']['f1']:.3f} [")
    assert "train.py" not in call(*options, "--output", str(tmp_path / "copy.md"))
    assert (tmp_path / "copy.md").read_text() == table


@pytest.mark.slow
def test_mistakes_end_in_a_sentence(tmp_path):
    assert "did you mean 'seeds/ssim'" in call("--root", str(tmp_path), "--only", "seeds/sim", fails=True)
