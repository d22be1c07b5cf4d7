"""What the README says is true: its commands, its options, its files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from anodice.app.configs import CONF

README = (Path(__file__).parents[1] / "README.md").read_text()
COMMANDS = sorted(
    {
        line.rpartition("&& ")[2].partition("#")[0].strip()
        for block in re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)
        for line in block.splitlines()
        if re.match(r"(pip install -e \. && )?python (train|evaluate|predict|export)\.py", line)
    }
)
GROUPS = re.findall(
    r"^\| (`\w+`(?:, `\w+`)*) \| (.+) \|$", README.partition("| group |")[2].partition("## ")[0], flags=re.M
)


def test_there_are_commands_and_groups_to_check():
    assert len(COMMANDS) >= 8
    assert len(GROUPS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes(command):
    _, program, *overrides = shlex.split(command)
    first_of_each = [
        o if "[" in o else o.partition(",")[0] for o in overrides if o not in ("-m", "--help", "--cfg", "job")
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        compose(program.removesuffix(".py"), overrides=first_of_each)


@pytest.mark.parametrize(("groups", "options"), GROUPS, ids=[groups for groups, _ in GROUPS])
def test_every_option_is_listed(groups, options):
    for group in re.findall(r"`(\w+)`", groups):
        for file in (CONF / group).glob("*.yaml"):
            assert f"`{file.stem}`" in options or f"{group}={file.stem}`" in options, f"{group}={file.stem}"


def test_first_command_is_the_default():
    assert "pip install -e . && python train.py model=vae" in README
    assert 'pip install -e ".[dev]" && pytest' in README


def test_every_script_is_there_and_every_script_is_told_of():
    named = set(re.findall(r"python scripts/(\w+\.py)", README))
    assert named == {path.name for path in (Path(__file__).parents[1] / "scripts").glob("*.py")}


def example(word: str) -> str:
    """The one block of Python in which a word occurs."""
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if word in block)
    return found


def test_the_example_of_new_photos_runs(finished_run, dice_root, monkeypatch, capsys):
    photo = sorted((dice_root / "test_set" / "ano").iterdir())[0]
    there = example("Predictor.from_run").replace('"latest"', repr(str(finished_run)))
    there = (
        there.replace('"photo.png"', repr(str(photo)))
        .replace('"DIR"', repr(str(dice_root / "test_set")))
        .replace("found.show()", "found.figure()")
    )
    found = {}
    exec(there, found)
    assert "normals_only: " in capsys.readouterr().out
    assert all(one.anomalous for one in found["strange"])


@pytest.fixture
def own_photos(dice_root, tmp_path, monkeypatch):
    """`DIR/good` and `DIR/bad`, and photos in `NEW`, in the working directory."""
    for name, source in {"DIR/good": "train_set/00", "DIR/bad": "train_set/ano", "NEW": "test_set/00"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(dice_root / source)
    for photo in (dice_root / "train_set" / "05").iterdir():
        (tmp_path / "DIR" / "more").mkdir(exist_ok=True)
        (tmp_path / "DIR" / "more" / photo.name).symlink_to(photo)
    monkeypatch.chdir(tmp_path)


def test_the_lines_of_lightning_run(own_photos, capsys):
    lines = example("pytorch_lightning")
    assert len([line for line in lines.splitlines() if line]) <= 10
    short = "max_epochs=1, limit_train_batches=1, accelerator='cpu', enable_progress_bar=False"
    found = {}
    exec(lines.replace("max_epochs=12", short), found)
    printed = capsys.readouterr().out
    assert "'test/published/auroc': " in printed
    assert sum(len(scored.scores) for scored in found["scored"]) == len(found["data"].predict_dataset)
    state = found["detector"].state_dict()
    assert all((state[name] == value).all() for name, value in found["same"].state_dict().items())


def test_the_lines_of_the_commands_run(own_photos, capsys):
    # Templates take a second, a variational auto-encoder minutes.
    short = '"model=template", "model.comparison=mse", "data.image_size=64", "trainer.accelerator=cpu"'
    found = {}
    exec(example("import evaluate, train").replace('"model=vae"', short), found)
    assert "# template on folder" in capsys.readouterr().out
    assert len(found["found"]) == 2
    assert found["careful"].metrics["test"]["clean"]["at"]["recall_at"]["fn"] is not None


def test_every_part_of_the_package_is_told_of():
    package = Path(__file__).parents[1] / "anodice"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"^anodice/(\w+)/ ", README, flags=re.MULTILINE)) == rooms
