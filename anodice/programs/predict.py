"""Scoring new photos with a finished run: what `predict.py` runs."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig

from anodice.app import run_folder
from anodice.app.console import counted
from anodice.app.process import use_threads
from anodice.app.stopping import Stopped
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.run_results import read_scores
from anodice.prediction.arriving import arriving
from anodice.prediction.photos import files_of
from anodice.prediction.prediction import Prediction, Unreadable
from anodice.prediction.prediction_files import LINES, UNREADABLE, PredictionFiles, read_lines
from anodice.prediction.predictor import Predictor
from anodice.prediction.tally import Tally
from anodice.thresholds.fitted import fit_thresholds
from anodice.thresholds.rules import Oracle
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)

FAILURES = ("anomaly",)
"""What `fail_on` may name."""

_LOOKS = 1.0
"""Seconds between two looks at watched folders."""


def predict(config: DictConfig) -> bool:
    """Score photos, write what is found, and show the strangest.

    Returns:
        whether something was found that `fail_on` names.

    Raises:
        AnodiceError: no such run, threshold or photos, or no photo among the files.
    """
    if config.fail_on is not None and config.fail_on not in FAILURES:
        raise unknown("value of fail_on", str(config.fail_on), FAILURES)
    photos = [str(one) for one in config.photos] if isinstance(config.photos, ListConfig) else [str(config.photos)]
    number = sum(1 for _ in files_of(photos))  # a wrong path shows before anything is loaded or made
    use_threads(config.threads)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a file is told in a sentence of ours
    run = run_folder.find_run(str(config.run), Path(config.paths.log_dir))
    predictor = Predictor.from_run(run, threshold=_threshold(config, run))
    log.info("run        %s", run_folder.readable(run))
    log.info("threshold  %s", predictor.threshold.sentence())
    out = _out(config, run)
    tally = Tally()
    try:
        with PredictionFiles(out, maps=config.maps) as written:
            for one in _watched(predictor, photos, out) if config.watch else _there(predictor, photos, out, number):
                written.add(one)
                tally.add(one)
    except KeyboardInterrupt as stop:
        log.info("stopped; what was scored is kept")
        if not config.watch or isinstance(stop, Stopped):
            raise
    finally:
        log.info("%s", tally.summary(out))
    if not config.watch and tally.photos == 0:
        raise AnodiceError(f"expected photos at {', '.join(photos)}, but none of {number} files is one; see {out}.")
    return config.fail_on == "anomaly" and tally.anomalous > 0


def _there(predictor: Predictor, photos: list[str], out: Path, number: int) -> Iterator[Prediction | Unreadable]:
    files = _without(files_of(photos), out)
    yield from counted(predictor.stream(files), number, f"scoring {number} files", unit="photos")


def _watched(predictor: Predictor, photos: list[str], out: Path) -> Iterator[Prediction | Unreadable]:
    """What arrives while nobody ends it; photos that an earlier watch has scored are left out."""
    known = {row["path"] for row in read_lines(out / LINES) if row["verdict"] != UNREADABLE}
    log.info("watching   %s; Ctrl-C ends it", ", ".join(photos))
    for files in arriving(photos, known, seconds=_LOOKS):
        for one in predictor.stream(_without(files, out)):
            log.info("%s  %s", one.name, one.sentence() if isinstance(one, Prediction) else one.reason)
            yield one


def _without(files: Iterable[Path], out: Path) -> Iterator[Path]:
    """The files that this command does not write itself."""
    return (path for path in files if not path.absolute().is_relative_to(out.absolute()))


def _threshold(config: DictConfig, run: Path) -> Threshold | None:
    """The rule that was asked for, fitted to the run's validation scores; None for the run's own threshold."""
    if config.get("threshold") is None:
        return None
    rule, table = instantiate(config.threshold), read_scores(run)
    if isinstance(rule, Oracle):
        raise AnodiceError(
            "expected a threshold fitted on validation photos to judge new ones, got oracle, which is fitted on the "
            "test photos; use threshold=f1_max or normals_only."
        )
    digest = run_folder.read_digest(run)
    return fit_thresholds(rule, table.validation, table.published, split_digest=digest).chosen


def _out(config: DictConfig, run: Path) -> Path:
    """Where to write: a new folder, the one that was asked for, or that of an earlier watch of this run."""
    base = Path(config.paths.log_dir) / "predictions"
    if config.out is None and config.watch:
        return base / f"watch_{run.absolute().name}"
    if config.out is None:
        return Path(run_folder.claim_folder(str(base / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{run.absolute().name}")))
    out = Path(str(config.out)).expanduser()
    if (out / LINES).exists() and not config.watch:
        raise AnodiceError(f"expected a folder without predictions, got out={out}; name another, or set watch=true.")
    return out
