"""A training in a process of its own, for those who have no run yet; how far it is."""

from __future__ import annotations

import atexit
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

RECIPES = {
    "Quick look (about a minute; the detector learns next to nothing)": ("model=vae", "debug=fast"),
    "A variational auto-encoder (some minutes)": ("model=vae",),
}
"""Trainings on drawn dice: what is said of them, and what `train.py` is told."""

_EPOCH = re.compile(r"epoch (\d+) of (\d+): val loss")
"""An epoch that is over; before, a line tells its steps."""
_STAGES = (
    ("drawing the synthetic dice", 0.1, "Drawing the dice, once"),
    ("photos under", 0.2, "Training"),
    ("looking for near duplicates", 0.9, "Testing"),
    ("how to read it:", 1.0, "Done"),
)
"""What the training says when a stage begins, the share that is done by then, and what people read."""


@dataclass(frozen=True)
class Progress:
    """How far a training is: the share in [0, 1], what it does, whether it is still at it, or has failed."""

    share: float
    stage: str
    running: bool
    failed: bool = False


class FirstTraining:
    """A training that was started.

    Args:
        log_dir: where its run folder goes.
        words: what `train.py` is told besides.
    """

    def __init__(self, log_dir: Path, words: tuple[str, ...]) -> None:
        self._said = Path(tempfile.mkdtemp(prefix="anodice-")) / "training.txt"
        command = [sys.executable, "-c", "from anodice.programs.commands import train; train()"]
        path = str(log_dir.absolute()).replace("\\", "\\\\").replace("'", "\\'")
        with self._said.open("w") as output:
            self._process = subprocess.Popen(
                [*command, *words, f"paths.log_dir='{path}'"],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.stop)

    def progress(self) -> Progress:
        """How far it is now."""
        code = self._process.poll()
        if code not in (None, 0):
            return Progress(1.0, f"The training failed: {self._last_line()}", running=False, failed=True)
        return progress_of(self._said.read_text(), running=code is None)

    def stop(self) -> None:
        """End it, if it is still running."""
        if self._process.poll() is None:
            self._process.terminate()

    def _last_line(self) -> str:
        return (self._said.read_text().strip().splitlines() or ["it said nothing"])[-1]


def progress_of(said: str, *, running: bool) -> Progress:
    """From what a training has said so far to how far it is.

    >>> progress_of("photos under /here\\nepoch 1 of 4: val loss 3\\nepoch 2 of 4: step 7 of 80", running=True)
    Progress(share=0.375, stage='Training, epoch 1 of 4', running=True, failed=False)
    """
    share, stage = 0.0, "Starting"
    for words, reached, name in _STAGES:
        if words in said:
            share, stage = reached, name
    epochs = _EPOCH.findall(said)
    if epochs and stage == "Training":
        done, of = (int(number) for number in epochs[-1])
        share, stage = 0.2 + 0.7 * done / of, f"Training, epoch {done} of {of}"
    return Progress(share, stage, running)
