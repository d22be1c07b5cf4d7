"""The runs that the page offers, and what it shows of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anodice.app.run_folder import BEST, CONFIG
from anodice.evaluation.run_results import SCORES, THRESHOLDS, read_scores
from anodice.evaluation.score_table import ScoreTable
from anodice.prediction.facts import PREDICTION
from anodice.prediction.predictor import Predictor
from anodice.reporting.run_files import FIGURES

GALLERIES = {
    "Misses": "gallery_misses.png",
    "False alarms": "gallery_false_alarms.png",
    "Nearest calls": "gallery_nearest.png",
    "Normal photos": "panels_normal.png",
    "Anomalous photos": "panels_anomalous.png",
}
"""The pictures of a run's photos, by what they show."""


@dataclass(frozen=True, eq=False)
class OpenRun:
    """A run that was chosen.

    Attributes:
        folder: its folder.
        stamp: of its files, see `stamp`.
        predictor: scores photos with it.
        scores: of its validation and test photos.
    """

    folder: Path
    stamp: str
    predictor: Predictor
    scores: ScoreTable

    def galleries(self) -> dict[str, Path]:
        """The pictures that the run has of its photos, by what they show."""
        paths = {title: self.folder / FIGURES / name for title, name in GALLERIES.items()}
        return {title: path for title, path in paths.items() if path.is_file()}


def usable_runs(log_dir: Path) -> dict[str, Path]:
    """The finished runs under a folder of logs by their names in it, the newest first: nothing else can be chosen."""
    found = [path.parent for path in log_dir.rglob(CONFIG) if (path.parent / BEST).is_file()]
    newest = sorted(found, key=lambda run: (run / BEST).stat().st_mtime, reverse=True)
    return {_name(run, log_dir): run for run in newest}


def stamp(folder: Path) -> str:
    """Folder and times of the files that verdicts come from: another one when they have changed."""
    files = (folder / name for name in (BEST, THRESHOLDS, PREDICTION, SCORES))
    return " ".join([str(folder), *(str(path.stat().st_mtime_ns) if path.is_file() else "-" for path in files)])


def open_run(folder: Path) -> OpenRun:
    """Load what the page shows of a run.

    Raises:
        AnodiceError: the run is not whole.
    """
    return OpenRun(folder, stamp(folder), Predictor.from_run(folder), read_scores(folder))


def _name(run: Path, log_dir: Path) -> str:
    inside = run.relative_to(log_dir)
    return str(inside.relative_to("runs")) if inside.parts[0] == "runs" else str(inside)
