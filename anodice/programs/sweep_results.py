"""The summary of a sweep, from the figures that its jobs have left: console, Markdown, CSV and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from anodice.app.run_folder import read_config, readable
from anodice.app.sweep_folder import FAILED, PRUNED, SWEEP, read_job
from anodice.reporting.plots.sweeps import comparison
from anodice.reporting.run_files import METRICS, save_figures
from anodice.reporting.sweeps import Trained, best, configurations, console, failures, markdown, write_csv

SUMMARY = "summary"


class Summary(NamedTuple):
    """What is told of a sweep.

    Attributes:
        text: for the console.
        jobs: how many there are.
        failed: name -> reason.
    """

    text: str
    jobs: int
    failed: dict[str, str]


def write_summary(folder: Path) -> Summary:
    """Write `summary.md`, `summary.csv` and `summary.png` into the folder of a sweep, from what its jobs left."""
    names, optimized = _told(folder)
    trained = {name: _trained(folder / name) for name in names if (folder / name / METRICS).is_file()}
    ended = {name: read_job(folder / name) for name in names}
    failed = {name: job["reason"] for name, job in ended.items() if job.get("state") == FAILED}
    trained = {name: found for name, found in trained.items() if name not in failed}
    pruned = [name for name, job in ended.items() if job.get("state") == PRUNED]
    cut = [name for name in names if name not in (*trained, *failed, *pruned)]
    found = configurations(trained, optimized)
    (folder / f"{SUMMARY}.md").write_text(f"{markdown(found, optimized, failed)}\n")
    write_csv(folder / f"{SUMMARY}.csv", found, failed)
    if found:
        titles = {"validation": f"validation {optimized.replace('_', ' ')}", "f1": "test F1", "auroc": "test AUROC"}
        rows = [(c.told + (" *" if c in best(found) else ""), c.figures) for c in found]
        save_figures(folder, {SUMMARY: comparison(rows, titles, title=folder.name)})
    parts = [
        console(found, optimized) if found else "no job has finished",
        *([f"failed:\n{failures(failed)}"] if failed else []),
        *([f"pruned: {', '.join(pruned)}"] if pruned else []),
        *([f"not finished: {', '.join(cut)}; the command of the sweep goes on with them"] if cut else []),
        f"all columns: {readable(folder.absolute() / f'{SUMMARY}.md')}, .csv, .png",
    ]
    return Summary("\n\n".join(parts), len(names), failed)


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / SWEEP).is_file()


def _told(folder: Path) -> tuple[list[str], str]:
    """The names of the jobs, and the validation figure by which the best is chosen."""
    told = json.loads((folder / SWEEP).read_text())
    return list(told["jobs"]), told["optimized_metric"]


def _trained(run: Path) -> Trained:
    config: Any = OmegaConf.to_container(read_config(run))
    return Trained(config, json.loads((run / METRICS).read_text()))
