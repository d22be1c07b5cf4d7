"""How long a command takes to start: processor time of whole processes, which other jobs change little."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from anodice.dice.dataset import write_synthetic
from anodice.errors import AnodiceError
from benchmarks.rows import Row, row

PROJECT = Path(__file__).parents[2]
UNIT = "s of processor time"


def _imports() -> float:
    return _seconds("-c", "import torch, pytorch_lightning")


def _seconds(*arguments: str, status: int = 0, folder: Path | None = None) -> float:
    """Processor seconds of a python with these arguments, its own start among them."""
    before = os.times()
    # Threads that wait for each other use the processor, too.
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=alone
    )
    after = os.times()
    if done.returncode != status:
        raise AnodiceError(f"expected python {' '.join(arguments)} to end with {status}, got {done.stderr[-500:]}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def _train(*arguments: str, status: int = 0) -> Callable[[], float]:
    return lambda: _seconds(str(PROJECT / "train.py"), *arguments, status=status)


@row("start_help", reach=0.3, at_most=True, unit=UNIT)
def start_help() -> Row:
    """python train.py --help, against the imports of torch and Lightning alone."""
    return Row(usual=_imports, ours=_train("--help"))


@row("start_wrong_option", reach=0.3, at_most=True, unit=UNIT)
def start_wrong_option() -> Row:
    """python train.py with an option that does not exist, against the imports of torch and Lightning alone."""
    return Row(usual=_imports, ours=_train("trainer.max_epochz=3", status=2))


@row("start_evaluate", reach=1.5, at_most=True, unit=UNIT)
def start_evaluate() -> Row:
    """python evaluate.py on a run with 60 small photos to score, figures and all, against the imports alone."""
    folder, run = _tiny_run()
    ours = (str(PROJECT / "evaluate.py"), f"run={run}")
    return Row(usual=_imports, ours=lambda: _seconds(*ours, folder=Path(folder.name)))


@row("start_other_threshold", reach=0.5, at_most=True, unit=UNIT)
def start_other_threshold() -> Row:
    """python evaluate.py with another threshold, which needs no model, against the imports alone."""
    folder, run = _tiny_run()
    ours = (str(PROJECT / "evaluate.py"), f"run={run}", "threshold=recall_at")
    return Row(usual=_imports, ours=lambda: _seconds(*ours, folder=Path(folder.name)))


def _tiny_run() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A run of a few steps on a few drawn photos, and the folder that holds it as long as somebody holds the folder."""
    folder = tempfile.TemporaryDirectory(prefix="anodice-")
    root, logs = Path(folder.name) / "dice", Path(folder.name) / "logs"
    write_synthetic(root, seed=0, train_per_class=6, train_anomalies=12, test_per_class=2, test_anomalies=8, size=64)
    options = ["debug=fast", "data=dice11", f"data.root={root}", "data.image_size=64", "data.batch_size=8"]
    options += [
        "split.validation_fraction=0.34",
        f"paths.log_dir={logs}",
        f"paths.cache_dir={Path(folder.name) / 'cache'}",
    ]
    _train(*options, "model=vae")()
    return folder, next((logs / "runs").iterdir())
