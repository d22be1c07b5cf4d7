"""What trainings and evaluations give people in Python: a run's folder, or scores from elsewhere, as an object."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from anodice.app import run_folder
from anodice.app.files import read_text
from anodice.evaluation.run_results import METRICS, read_metrics, read_scores, read_thresholds
from anodice.evaluation.score_table import ScoreTable
from anodice.reporting.comparisons import Evaluated, compared
from anodice.reporting.markdown import details, opening, runs_table, summary, thresholds_table
from anodice.reporting.run_files import FIGURES, REPORT
from anodice.thresholds.threshold import Threshold

if TYPE_CHECKING:  # torch loads for those who need it
    from anodice.data.datamodule import DiceDataModule
    from anodice.models.detector import Detector
    from anodice.prediction.predictor import Predictor

_MOST_PAIRED = 4
"""The most runs that are compared pair by pair."""


class Markdown(str):
    """Text that a notebook shows as it is meant; everywhere else it is a word like any other."""

    def _repr_markdown_(self) -> str:
        return str(self)


class Picture(type(Path())):  # type: ignore[misc]
    """The path of a PNG file, which a notebook shows."""

    def _repr_png_(self) -> bytes | None:
        return self.read_bytes() if self.suffix == ".png" else None


class Figures(Mapping[str, Picture]):
    """Name -> file of each picture of a folder, in order; a notebook shows one by its name, or all of them.

    Args:
        folder: it may be empty or missing.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {path.stem: Picture(path) for path in sorted(folder.glob("*.png"))}

    def __getitem__(self, name: str) -> Picture:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"Figures({', '.join(self)})"

    def _repr_html_(self) -> str:
        pictures = ((html.escape(name), base64.b64encode(path.read_bytes()).decode()) for name, path in self.items())
        return "".join(
            f'<figure><img src="data:image/png;base64,{data}" alt="{name}" width="640"><figcaption>{name}</figcaption>'
            "</figure>"
            for name, data in pictures
        )


class Evaluation:
    """Figures, thresholds and scores of one detector.

    Attributes:
        name: what it is called in tables.
        metrics: the figures, as in `metrics.json`; None in the place of one that cannot be had.
        scores: a row for each validation and test photo, in columns of NumPy: `path`, `split`, `label`, `score`, ...
        thresholds: rule -> `Threshold`, of those that could be fitted.
        threshold: the one that gives the verdicts.
    """

    def __init__(self, name: str, evaluated: Evaluated) -> None:
        self.name, self.evaluated = name, evaluated

    @property
    def metrics(self) -> dict[str, Any]:
        return self.evaluated.metrics

    @property
    def scores(self) -> ScoreTable:
        return self.evaluated.table

    @property
    def thresholds(self) -> dict[str, Threshold]:
        return self.evaluated.fitted.by_rule

    @property
    def threshold(self) -> Threshold:
        return self.evaluated.fitted.chosen

    def report(self) -> Markdown:
        """The report for people, which a notebook shows as Markdown."""
        return Markdown(f"{summary(self.metrics, self.evaluated.fitted)}\n\n{details(self.metrics)}")

    def __repr__(self) -> str:
        clean = self.metrics["test"]["clean"]
        auroc, f1 = clean["auroc"], clean["at"][self.threshold.rule]["f1"]
        figures = (f"{word} {value:.3f}" for word, value in (("AUROC", auroc), ("F1", f1)) if value is not None)
        return f"<{', '.join([self.name, *figures])}>"

    def _repr_markdown_(self) -> str:
        table = thresholds_table(self.metrics["test"]["clean"], self.threshold.rule)
        return f"{opening(self.metrics, self.evaluated.fitted)}\n\n{table}"


class Run(Evaluation):
    """A finished training, by its folder.

    Beside what `Evaluation` has: `folder`, `config`, `figures`, `predictor()`, `load()`.

    Args:
        folder: of the run.
        results: where its figures lie; None for the folder itself. Those of another threshold lie in a folder of
            their own, in `evaluations/`.
        name: for tables; None for the name of the folder.

    Raises:
        AnodiceError: no such run, or one without figures.

    >>> run = Run("logs/runs/2026-01-22_10-15-00_vae_synthetic")  # doctest: +SKIP
    >>> run.metrics["test"]["clean"]["auroc"]  # doctest: +SKIP
    0.998
    >>> run.predictor()("photo.png").verdict  # doctest: +SKIP
    'normal'
    """

    def __init__(self, folder: str | Path, *, results: Path | None = None, name: str | None = None) -> None:
        self.folder = run_folder.find_run(str(folder), Path("logs"), need=METRICS)
        self.results = self.folder if results is None else results
        self.name = self.folder.absolute().name if name is None else name

    @cached_property
    def evaluated(self) -> Evaluated:  # type: ignore[override]
        return Evaluated(read_metrics(self.results), read_thresholds(self.results), read_scores(self.results))

    @property
    def config(self) -> DictConfig:
        """The config that it was trained with."""
        return run_folder.read_config(self.folder)

    @property
    def figures(self) -> Figures:
        """Name -> file of each picture in the run folder."""
        return Figures(self.folder / FIGURES)

    def report(self) -> Markdown:
        """`report.md`, which a notebook shows as Markdown."""
        return Markdown(read_text(self.results, REPORT))

    def predictor(self, *, threshold: str | float | Threshold | None = None, device: str | None = None) -> Predictor:
        """What scores new photos with this run; see `Predictor.from_run`.

        Args:
            threshold: None for `self.threshold`.
        """
        from anodice.prediction.predictor import Predictor

        chosen = self.threshold if threshold is None else threshold
        return Predictor.from_run(self.folder, threshold=chosen, device=device)

    def load(self, root: str | Path | None = None) -> tuple[Detector, DiceDataModule]:
        """The detector with its best weights, and the data module with the run's photos.

        Args:
            root: where the photos are now; None where the run found them.

        Raises:
            AnodiceError: the photos are not those of the run.
        """
        from anodice.programs.loading import load_run

        return load_run(self.folder, None if root is None else str(root))


class Runs(Mapping[str, Evaluation]):
    """Several evaluations by name, and their comparison.

    Args:
        told: a report that is written already, such as that of a sweep; None for the table of all and their pairs.
    """

    def __init__(self, found: Mapping[str, Evaluation], *, told: str | None = None) -> None:
        self._found, self._told = dict(found), told

    def __getitem__(self, name: str) -> Evaluation:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"Runs({', '.join(map(repr, self.values()))})"

    def report(self, *, width: int | None = None) -> Markdown:
        """A row for each, on the clean test photos at its own threshold; of few, also pair by pair.

        Args:
            width: characters that tables may be wide; the least important columns are left out. None for all of them.
        """
        if self._told is not None:
            return Markdown(self._told)
        rows = runs_table({name: one.metrics for name, one in self.items()}, width=width)
        pairs = f"at most {_MOST_PAIRED} runs are compared pair by pair; name those of interest."
        if len(self) <= _MOST_PAIRED:
            pairs = compared({name: one.evaluated for name, one in self.items()}, width=width)
        return Markdown(f"{rows}\n\nclean test images, each at its run's own threshold\n\n{pairs}")

    def _repr_markdown_(self) -> str:
        return self.report()
