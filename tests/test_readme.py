"""The README is the first screen: the commands to begin with, an example that runs. The pages: `test_docs.py`."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_first_command_is_the_default():
    assert "pip install -e . && python train.py model=vae" in README
    assert 'pip install -e ".[dev]" && pytest' in README


def example(word: str) -> str:
    """The one block of Python in which a word occurs."""
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if word in block)
    return found


def test_the_library_example_runs(dice_root, tmp_path, monkeypatch, capsys):
    small = (
        example("pytorch_lightning")
        .replace('"DIR"', f"{str(dice_root)!r}")
        .replace("dice11)", "dice11, image_size=64, batch_size=8)", 1)
    )
    small = small.replace("image_size=128", "image_size=64").replace("max_epochs=12", "max_epochs=1, accelerator='cpu'")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(small, found)
    printed = capsys.readouterr().out
    assert "'test/auroc': " in printed
    assert "'test/published/auroc': " in printed
    assert sum(len(scored.scores) for scored in found["scored"]) == 30
    state = found["detector"].state_dict()
    assert all((state[name] == value).all() for name, value in found["same"].state_dict().items())
