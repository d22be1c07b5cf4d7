"""Where the time of a training step goes: what `debug=profile` adds to a training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch.profiler import ProfilerActivity, profile, schedule

log = logging.getLogger(__name__)

TABLE, TRACE = "profile.txt", "profile_trace.json"
"""The files in the run folder: the most expensive operators, and each of their calls, for chrome://tracing."""


class Profile(Callback):
    """Records some training steps with torch's profiler, into `TABLE` and `TRACE` in the run folder.

    Args:
        skip: steps before the first one recorded; the first are slower than all others.
        steps: how many are recorded; fewer where the training ends before.
        operators: rows of the table; the ten most expensive are logged too.
    """

    def __init__(self, *, skip: int, steps: int, operators: int) -> None:
        self.skip, self.steps, self.operators = skip, steps, operators
        self._profiler: profile | None = None
        self._seen = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit" and not pl_module.automatic_optimization:
            log.warning("%s learns in one pass: it has no training steps to profile", type(pl_module).__name__)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not pl_module.automatic_optimization:
            return
        activities = [ProfilerActivity.CPU]
        if pl_module.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        # One step less is skipped for the profiler to warm up in.
        skipped = schedule(wait=max(0, self.skip - 1), warmup=min(1, self.skip), active=self.steps, repeat=1)
        self._seen, self._profiler = 0, profile(activities=activities, schedule=skipped)
        self._profiler.start()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self._seen += 1
        if self._profiler is None:
            return
        if self._seen == self.skip + self.steps:
            self._finish(trainer, pl_module.device)
        else:
            self._profiler.step()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._finish(trainer, pl_module.device)

    def _finish(self, trainer: pl.Trainer, device: torch.device) -> None:
        if self._profiler is None:
            return
        profiler, self._profiler = self._profiler, None
        profiler.stop()
        recorded = min(self.steps, self._seen - self.skip)
        if recorded < 1:
            log.warning("the training ended before step %d, so none was profiled", self.skip + 1)
            return
        run = Path(trainer.default_root_dir)
        averages = profiler.key_averages()
        order = f"self_{'cpu' if device.type == 'cpu' else 'device'}_time_total"
        table = averages.table(sort_by=order, row_limit=self.operators, max_name_column_width=60)
        (run / TABLE).write_text(f"{recorded} training steps on {device.type}\n\n{table}\n")
        profiler.export_chrome_trace(str(run / TRACE))
        log.info(
            "%d training steps, the most expensive operators of which are\n%s\nmore of them in %s in the run folder; "
            "each call is in %s, for chrome://tracing or https://ui.perfetto.dev",
            recorded,
            averages.table(sort_by=order, row_limit=10, max_name_column_width=60),
            TABLE,
            TRACE,
        )
