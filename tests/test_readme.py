"""The README is the first screen: the commands to begin with, an example that runs. The pages: `test_docs.py`."""

from __future__ import annotations

from tests.pages import PAGES, blocks_of


def test_first_command_is_the_default():
    assert "pip install -e . && python train.py model=vae" in PAGES["README.md"]
    assert 'pip install -e ".[dev]" && pytest' in PAGES["README.md"]


def test_the_lines_of_lightning_run(own_photos, capsys):
    (lines,) = blocks_of("README.md")
    assert len([line for line in lines.splitlines() if line]) <= 10
    short = "max_epochs=1, limit_train_batches=1, accelerator='cpu', enable_progress_bar=False"
    found = {}
    exec(lines.replace("max_epochs=12", short), found)
    printed = capsys.readouterr().out
    assert "'test/published/auroc': " in printed
    assert sum(len(scored.scores) for scored in found["scored"]) == len(found["data"].predict_dataset)
    state = found["detector"].state_dict()
    assert all((state[name] == value).all() for name, value in found["same"].state_dict().items())
