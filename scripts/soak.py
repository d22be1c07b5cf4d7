"""Many short trainings, evaluations and predictions in one process: memory, threads, open files and temporary folders.

    python scripts/soak.py --rounds 200 --output soak.png

Each round trains a detector for a few steps on drawn dice, evaluates it and scores its test photos. What the process
holds after each is printed and drawn; what goes on rising is a leak. Exit status 1 where something does.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import anodice
from anodice.dice.dataset import write_synthetic

FIGURES = ("memory in MB", "threads", "open files", "temporary files")
_WARM = 0.3
"""Share of the rounds in which caches still fill."""
_MAY_RISE = (1.1, 1.0, 1.0, 1.0)
"""The last rounds' median over that of those after the warm-up, of each figure."""


def held(temporary: Path) -> tuple[float, ...]:
    """What this process holds now; see `FIGURES`."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    files = len(list(Path("/proc/self/fd").iterdir()))
    return memory, threading.active_count(), files, sum(1 for _ in temporary.rglob("*"))


def rising(figures: NDArray[np.float64]) -> list[str]:
    """The names of the figures (rounds, 4) that are higher in the last third than after the warm-up.

    >>> flat = np.ones((30, 4)) * 100
    >>> rising(flat), rising(flat + np.arange(30)[:, None] * [[5, 0, 1, 0]])
    ([], ['memory in MB', 'open files'])
    """
    rounds = len(figures)
    warm = figures[int(_WARM * rounds) : max(int(_WARM * rounds) + 1, rounds * 2 // 3)]
    before, after = np.median(warm, axis=0), np.median(figures[-max(1, rounds // 3) :], axis=0)
    return [
        name for name, a, b, most in zip(FIGURES, before, after, _MAY_RISE, strict=True) if b > a * most + (most == 1.0)
    ]


def drawn(figures: NDArray[np.float64]) -> Figure:
    """A row for each figure over the rounds."""
    figure = Figure(figsize=(7, 7), layout="constrained")
    for axis, name, values in zip(figure.subplots(len(FIGURES), sharex=True), FIGURES, figures.T, strict=True):
        axis.plot(np.arange(1, len(values) + 1), values)
        axis.set(ylabel=name, ylim=(0, 1.1 * max(values.max(), 1)))
    axis.set_xlabel("rounds")
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="(%(default)s)")
    parser.add_argument("--models", default="conv_ae,template", help="taken in turn (%(default)s)")
    parser.add_argument("--output", type=Path, help="PNG file for the picture")
    options = parser.parse_args(arguments)
    models, found = options.models.split(","), []
    with tempfile.TemporaryDirectory() as folder:
        root, temporary = Path(folder), Path(folder) / "tmp"
        temporary.mkdir()
        tempfile.tempdir = str(temporary)  # what is left there is counted
        sizes = {"train_per_class": 6, "train_anomalies": 12, "test_per_class": 2, "test_anomalies": 8, "size": 64}
        write_synthetic(root / "dice", seed=0, **sizes)
        for k in range(options.rounds):
            run = anodice.train(*_overrides(root, models[k % len(models)]))
            anodice.evaluate(run)
            run.predictor()(root / "dice" / "test_set")
            shutil.rmtree(run.folder)
            found.append(held(temporary))
            print(f"round {k + 1}: " + ", ".join(f"{v:.0f} {name}" for v, name in zip(found[-1], FIGURES, strict=True)))
        tempfile.tempdir = None
    figures = np.array(found)
    if options.output is not None:
        drawn(figures).savefig(options.output, dpi=100)
    leaks = rising(figures)
    print(f"rising: {', '.join(leaks) or 'nothing'}")
    return 1 if leaks else 0


def _overrides(root: Path, model: str) -> list[str]:
    places = [f"data.root={root / 'dice'}", f"paths.log_dir={root / 'logs'}", f"paths.cache_dir={root / 'cache'}"]
    small = ["data=dice11", "data.image_size=64", "data.batch_size=8", "split.validation_fraction=0.34", "threads=1"]
    short = [] if model == "template" else ["data.steps_per_epoch=2", "trainer.max_epochs=1"]
    return [f"model={model}", *places, *small, *short, "figure_formats=[png]"]


if __name__ == "__main__":
    sys.exit(main())
