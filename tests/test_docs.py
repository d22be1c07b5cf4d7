"""What the pages say is true: their commands, options, links and examples."""

from __future__ import annotations

import argparse
import doctest
import importlib
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import types

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from anodice.app.conf import CONF
from anodice.app.run_folder import register_resolvers
from anodice.models.auto import Auto
from anodice.models.detector import Detector
from tests.pages import COMMANDS, PAGES, PROGRAMS, PROJECT, SCRIPTS, blocks_of, commands_of
from tests.runs import skip_without_extras

register_resolvers()
FLAGS = ("-m", "--help", "--cfg", "job")
MADE: set[str] = set()
"""Recipes of detectors that were made: several commands share one."""
GROUPS = re.findall(
    r"^\| (`\w+`(?:, `\w+`)*) \| (.+) \|$", PAGES["docs/commands.md"].partition("| group |")[2], flags=re.MULTILINE
)


def test_there_are_commands_to_check():
    assert len(PROGRAMS) > 60
    assert {words[0] for words in SCRIPTS} == {f"scripts/{path.name}" for path in (PROJECT / "scripts").glob("*.py")}
    assert len(GROUPS) > 10


@pytest.mark.parametrize("words", PROGRAMS, ids=" ".join)
def test_every_command_composes_and_its_detector_can_be_made(words, dice_root):
    program, *overrides = words
    skip_without_extras(overrides)
    first_of_each = [o if "[" in o or "(" in o else o.partition(",")[0] for o in overrides if o not in FLAGS]
    first_of_each = [re.sub(r"=choice\((\w+),.*", r"=\1", o.replace("=MODEL", "=vae")) for o in first_of_each]
    first_of_each = [o.replace("model=pixel_gaussian", "model=template") for o in first_of_each]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(
            program.removesuffix(".py"), overrides=first_of_each, return_hydra_config=program == "train.py"
        )
    if program == "train.py":
        config.data.root = str(dice_root)  # tells the classes
        for part in (config.model, config.model.get("backbone") or {}):
            if "painter" in part:
                part.painter.stamps = 36  # quicker
        recipe = OmegaConf.to_yaml(config.model, resolve=True)
        if recipe not in MADE:
            assert isinstance(instantiate(config.model), Detector | Auto)
            MADE.add(recipe)


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_every_script_takes_its_arguments(words, monkeypatch):
    class ParsedError(Exception):
        pass

    def parse(self, args=None, namespace=None, real=argparse.ArgumentParser.parse_args):
        real(self, args, namespace)
        raise ParsedError

    script, *arguments = words
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_intermixed_args", parse)
    monkeypatch.setattr(sys, "argv", [script, *[a for a in arguments if "..." not in a]])
    monkeypatch.syspath_prepend(PROJECT / "scripts")
    monkeypatch.setenv("DICE_ROOT", "DIR")
    with pytest.raises(SystemExit if "--help" in arguments else ParsedError):
        runpy.run_path(str(PROJECT / script), run_name="__main__")


def test_every_other_command_names_what_there_is():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras, others = set(project["optional-dependencies"]), []
    for command in COMMANDS:
        words = shlex.split(command)
        if words[:2] == ["pip", "install"]:
            for named in re.findall(r"\[([\w,]+)\]", command):
                assert set(named.split(",")) <= extras, command
        elif words[0] == "pytest":
            assert all((PROJECT / word).exists() for word in words[1:] if word.startswith("tests/")), command
        elif words[0].startswith("anodice-"):
            assert words[0] in project["scripts"], command
        elif words[0] == "python" and words[1].endswith(".py"):
            assert (PROJECT / words[1]).is_file(), command
        else:
            others.append(words[0])
    assert set(others) <= {"python", "curl", "tensorboard", "mkdocs", "ruff", "mypy", "bash"}


@pytest.mark.parametrize(("groups", "options"), GROUPS, ids=[groups for groups, _ in GROUPS])
def test_every_option_is_listed(groups, options):
    for group in re.findall(r"`(\w+)`", groups):
        for file in (CONF / group).glob("*.yaml"):
            assert f"`{file.stem}`" in options or f"{group}={file.stem}`" in options, f"{group}={file.stem}"


@pytest.mark.parametrize("page", ["scores_and_thresholds.md", "detectors/index.md", "detectors/baselines.md"])
def test_every_score_rule_and_detector_has_its_place(page):
    text = PAGES[f"docs/{page}"]
    groups = {"scores_and_thresholds.md": ("score", "threshold"), "detectors/index.md": ("model",)}.get(page, ())
    for group in groups:
        for file in (CONF / group).glob("*.yaml"):
            assert f"`{file.stem}`" in text, f"{group}={file.stem}"
    if not groups:
        own = {path.stem for path in (PROJECT / "docs" / "detectors").glob("*.md")}
        for file in (CONF / "model").glob("*.yaml"):
            assert file.stem in own or f"model={file.stem}" in text, file.stem


@pytest.mark.parametrize("page", PAGES)
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", re.sub(r"```.*?```", "", PAGES[page], flags=re.S)):
        if target.startswith("api/"):
            continue  # made for the site, whose strict build checks it
        assert ((PROJECT / page).parent / target).exists(), target


def test_every_part_of_the_package_is_told_of():
    package = PROJECT / "anodice"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    told = set(re.findall(r"^\| `(\w+)/` ", PAGES["docs/architecture.md"], flags=re.MULTILINE))
    assert told - {"anodice"} == rooms


def test_figures_are_small_and_all_are_shown():
    shown = {name for text in PAGES.values() for name in re.findall(r"\((?:\.\./|docs/)?figures/(\w+\.webp)\)", text)}
    there = {path.name: path.stat().st_size for path in (PROJECT / "docs" / "figures").iterdir()}
    assert set(there) == shown
    assert max(there.values()) < 60_000


def test_the_configuration_reference_has_every_key(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "docs" / "_site")
    from configuration import configuration_pages, rows

    pages = configuration_pages()
    for file in CONF.rglob("*.yaml"):
        group = file.relative_to(CONF).parts[0] if file.parent != CONF else "index"
        page = pages[f"configuration/{group}.md"]
        for row in rows(file.read_text()):
            assert f"| `{row.key}` |" in page, (file, row)
    assert "| `network.code` | `64` | numbers that an image is squeezed through |" in pages["configuration/model.md"]
    assert (
        "| `score` | `tolerant_l1` | from image and reconstruction to anomaly map and score |"
        in (pages["configuration/index.md"])
    )


@pytest.mark.parametrize("name", ["configuration", "examples", "notebooks"])
def test_what_makes_pages_of_files_does_as_it_says(name, monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "docs" / "_site")
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0 < tried


@pytest.mark.slow
def test_the_lines_of_the_commands_run(own_photos, capsys):
    # Templates take a second, a variational auto-encoder minutes.
    short = '"model=template", "model.comparison=mse", "data.image_size=64", "trainer.accelerator=cpu"'
    (block,) = (block for block in blocks_of("docs/library.md") if "train(" in block)
    found = {}
    exec(block.replace('"model=vae"', short), found)
    assert "# template on folder" in capsys.readouterr().out
    assert len(found["found"]) == 2
    assert found["careful"].metrics["test"]["clean"]["at"]["recall_at"]["fn"] is not None


@pytest.mark.parametrize("block", [block for block in blocks_of("docs/library.md") if "train(" not in block])
def test_the_examples_of_the_library_run(block, own_photos):
    exec(block, {})


def test_the_example_of_new_photos_runs(finished_run, dice_root, capsys):
    photo = sorted((dice_root / "test_set" / "ano").iterdir())[0]
    (block,) = blocks_of("docs/predict.md")
    block = block.replace('"latest"', repr(str(finished_run))).replace('"photo.png"', repr(str(photo)))
    block = block.replace('"DIR"', repr(str(dice_root / "test_set"))).replace("found.show()", "found.figure()")
    found = {}
    exec(block, found)
    assert "normals_only: " in capsys.readouterr().out
    assert all(one.anomalous for one in found["strange"])


def test_the_example_of_many_photos_runs(finished_run, dice_root, capsys):
    (block,) = blocks_of("docs/scale.md")
    exec(block.replace('"latest"', repr(str(finished_run))).replace('"DIR"', repr(str(dice_root / "test_set"))), {})
    assert capsys.readouterr().out.count("<Prediction of ") == 30


@pytest.mark.slow
def test_the_example_of_an_export_runs(finished_run, tmp_path):
    model = tmp_path / "model.onnx"
    command = [sys.executable, str(PROJECT / "export.py"), f"run={finished_run}", f"out={model}"]
    subprocess.run(command, check=True, timeout=300, cwd=tmp_path)
    (block,) = blocks_of("docs/export.md")
    found = {}
    exec(block.replace('"model.onnx"', repr(str(model))), found)
    assert found["predictor"].threshold.rule == "normals_only"


def test_the_detector_to_add_is_whole(tmp_path, monkeypatch):
    page = "docs/add_a_detector.md"
    code, test = blocks_of(page)
    (yaml,) = blocks_of(page, "yaml")
    name = "anodice.models.pixel_gaussian"
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(code, module.__dict__)
    found = {}
    exec(test, found)
    found["test_a_pixel_is_as_strange_as_it_lies_many_deviations_off"]()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pixel_gaussian.yaml").write_text(yaml)
    overrides = [f"hydra.searchpath=[file://{tmp_path}]", "model=pixel_gaussian"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=overrides, return_hydra_config=True)
    assert isinstance(instantiate(config.model), module.PixelGaussian)


FIRST = {
    "docs/own_photos.md": [
        "python train.py data=folder data.root=DIR data.layout.normal=[good] data.layout.anomalous=[bad]"
    ],
    "docs/first_ten_minutes.md": [
        "python evaluate.py run=latest threshold=recall_at threshold.target=1.0",
        "python evaluate.py run=latest",
        "python predict.py run=latest photos=DIR maps=true",
    ],
}
"""Page -> those of its commands that are really run, in this order; `.ci/run` does the same with drawn dice."""


@pytest.mark.slow
def test_the_first_commands_run(dice_root, tmp_path):
    folders = {"photos=DIR": f"photos={dice_root / 'test_set' / 'ano'}", "DIR": str(dice_root)}
    folders |= {"[good]": "[train_set/00,train_set/01,train_set/02]", "[bad]": "[train_set/ano]"}
    fast = ["debug=fast", "data.image_size=64", "data.batch_size=8", "split.validation_fraction=0.34", "threads=1"]
    fast += ["trainer.accelerator=cpu", "model.memory.views=100", f"paths.cache_dir={tmp_path / 'cache'}"]
    for page, commands in FIRST.items():
        assert set(commands) <= set(commands_of(PAGES[page]))
        for command in commands:
            words = [*shlex.split(command)[1:], f"paths.log_dir={tmp_path / 'logs'}"]
            for name, there in folders.items():
                words = [word.replace(name, there) for word in words]
            called = [sys.executable, str(PROJECT / words[0]), *words[1:], *(fast if words[0] == "train.py" else [])]
            done = subprocess.run(called, capture_output=True, text=True, timeout=300, cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "logs").glob("**/maps/*.png"))) == 8
