"""The summary of a sweep, from the figures that its jobs have left: console, Markdown, CSV and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from anodice.app.files import read_json, write_text
from anodice.app.run_folder import readable
from anodice.app.sweep_folder import FAILED, FINISHED, PRUNED, SWEEP, read_job, values_of
from anodice.errors import AnodiceError
from anodice.evaluation.run_results import read_metrics
from anodice.reporting.plots.sweeps import comparison
from anodice.reporting.run_files import save_figures
from anodice.reporting.sweeps import Trained, best, configurations, console, failures, markdown, short_name, write_csv

SUMMARY = "summary"


class Summary(NamedTuple):
    """What is told of a sweep.

    Attributes:
        text: for the console.
        jobs: how many there are.
        trained: the names of those that have finished.
        failed: name -> reason.
    """

    text: str
    jobs: int
    trained: tuple[str, ...]
    failed: dict[str, str]


def write_summary(folder: Path) -> Summary:
    """Write `summary.md`, `summary.csv` and `summary.png` into the folder of a sweep, from what its jobs left."""
    told = read_json(folder, SWEEP, {"jobs": dict, "optimized_metric": str})
    names, optimized = list(told["jobs"]), told["optimized_metric"]
    ended = {name: read_job(folder / name) for name in names}
    failed = {name: job.get("reason", "") for name, job in ended.items() if job.get("state") == FAILED}
    pruned = [name for name, job in ended.items() if job.get("state") == PRUNED]
    cut = [name for name, job in ended.items() if not job]
    trained: dict[str, Trained] = {}
    for name in (name for name, job in ended.items() if job.get("state") == FINISHED):
        try:
            trained[name] = Trained(values_of(told["jobs"][name]), read_metrics(folder / name))
        except AnodiceError as error:
            failed[name] = str(error)
    found = configurations(trained, optimized)
    write_text(folder / f"{SUMMARY}.md", f"{markdown(found, optimized, failed)}\n")
    write_csv(folder / f"{SUMMARY}.csv", found, failed)
    if found:
        titles = {"validation": f"validation {optimized.replace('_', ' ')}", "f1": "test F1", "auroc": "test AUROC"}
        rows = [(short_name(c, 40) + (" *" if c in best(found) else ""), c.figures) for c in found]
        save_figures(folder, {SUMMARY: comparison(rows, titles, title=folder.name)})
    parts = [
        console(found, optimized) if found else "no job has finished",
        *([f"failed:\n{failures(failed)}"] if failed else []),
        *([f"pruned: {', '.join(pruned)}"] if pruned else []),
        *([f"not finished: {', '.join(cut)}; the command of the sweep goes on with them"] if cut else []),
        f"all columns: {readable(folder.absolute() / f'{SUMMARY}.md')}, .csv, .png",
    ]
    return Summary("\n\n".join(parts), len(names), tuple(trained), failed)


def find_sweep(reference: str, log_dir: Path) -> Path | None:
    """The folder of a sweep that a path, or a name under the logs, means; None where it means none."""
    folders = (Path(reference), log_dir / "multiruns" / reference)
    return next((folder for folder in folders if (folder / SWEEP).is_file()), None)
