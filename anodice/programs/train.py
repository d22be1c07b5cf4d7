"""One training, from a config to a run folder with figures: what `train.py` runs."""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback

from anodice.app import run_folder
from anodice.app.configs import shared_parameters
from anodice.app.console import width
from anodice.app.files import forget_checksums, note_checksums, read_json, write_json, write_text
from anodice.app.process import begin_job, use_threads
from anodice.app.recipe import check_names, names_in
from anodice.app.stopping import NAMES, Stopped
from anodice.data.datamodule import DiceDataModule
from anodice.data.photos import evidence
from anodice.data.splitting.split import write_split
from anodice.errors import AnodiceError
from anodice.evaluation.inference import ScoredPhotos, score_photos
from anodice.evaluation.pixel_metrics import pixel_figures
from anodice.evaluation.run_metrics import run_metrics
from anodice.evaluation.run_results import with_interruption
from anodice.evaluation.score_table import score_table
from anodice.models.detector import Detector
from anodice.models.loading import load_weights
from anodice.prediction.facts import PREDICTION, prediction_facts
from anodice.programs.automatic import automatic
from anodice.programs.loading import about, check_photos, told_limits
from anodice.programs.trainer import make_trainer
from anodice.reporting.comparisons import Evaluated
from anodice.reporting.data_summary import describe
from anodice.reporting.run_files import (
    FIGURES,
    REPORT,
    check_formats,
    save_figures,
    score_figures,
    title_of,
    write_results,
)
from anodice.reporting.start_page import start_page
from anodice.reporting.tensorboard import write_start, writer_of
from anodice.reporting.tensorboard_end import write_codes, write_final
from anodice.reporting.terminal import results, where_to_look
from anodice.reporting.visualise import codes_of, detector_figures, errors, sample_panels
from anodice.thresholds.fitted import fit_thresholds
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import Learned, Oracle
from anodice.training.callbacks import StopOnInterrupt
from anodice.training.checkpoints import resume_point
from anodice.training.monitors import check_monitors
from anodice.training.throughput import Throughput

log = logging.getLogger(__name__)


def train(
    config: DictConfig, run: Path, *, changes: Sequence[str] = (), job: bool = False, callbacks: Sequence[Callback] = ()
) -> float | None:
    """Train a detector, fit its threshold on validation, test it, and write the run folder.

    Args:
        config: as `train.yaml` composes it.
        run: the folder, which is there; with `resume`, the one to go on in.
        changes: the overrides that a resumed run goes on with.
        job: whether a sweep runs it, whose resumed jobs take devices, threads and paths from the config.
        callbacks: further ones than those of the config.

    Returns:
        The figure `optimized_metric` of the validation images, for sweepers; None where it cannot be had.

    Raises:
        Stopped: Ctrl-C or SIGTERM ended the training early; all is written.
    """
    begun = begin_job()
    config = (
        _resumed_config(run, config, changes, job)
        if config.resume is not None
        else _config_to_run(automatic(config, changes))
    )
    rule, detector, data, trainer = _prepare(config, run, callbacks)
    begins, point = config.resume is None, None
    if not begins:
        check_photos(run, data)
        point = resume_point(run, detector)
        begins = point is None
        if begins:
            log.warning("%s was cut before its first checkpoint: it starts over", run_folder.readable(run))
            run_folder.clear(run)
    forget_checksums(run, *_KEPT)
    _write_start(run, config, data, device=str(trainer.strategy.root_device))
    if begins:
        write_start(trainer, detector, {"config": OmegaConf.to_yaml(config), "data": describe(data.photos, width=200)})
    log.info(start_page(detector, trainer, folder=run_folder.readable(run)))
    measured = _learn(run, trainer, detector, data, point=point, changes=changes, begun=begun)
    stopped = _stopped(trainer)

    photos = data.photos
    together, near = evidence(photos)
    start = time.perf_counter()
    scored = score_photos(detector, data)
    measured["score_milliseconds"] = 1000 * (time.perf_counter() - start) / len(scored.indices)
    table = score_table(photos.records, photos.split, scored.scores, scored.classes, groups=together, near_leaked=near)
    rule, digest = told_limits(rule, detector), photos.split.digest
    fitted = fit_thresholds(rule, table.validation, table.published, split_digest=digest)
    pixels = pixel_figures(scored, photos, near_leaked=near)
    figures_of = run_metrics(table, fitted, seed=config.seed, pixels=pixels)
    metrics = {**about(config, detector), **measured, **with_interruption(figures_of, stopped and stopped.words)}
    write_results(run, metrics, table, fitted)
    write_json(run / PREDICTION, prediction_facts(scored, photos))
    note_checksums(run, *_KEPT)
    _draw(run, config, trainer, detector, data, scored, Evaluated(metrics, fitted, table))
    (run / run_folder.FIT).unlink(missing_ok=True)
    where = run_folder.readable(run)
    log.info("\n%s\n\n%s", results(metrics, fitted, width=width()), where_to_look(where, config.paths.log_dir))
    if stopped is not None:
        raise Stopped(stopped.signal)
    return metrics["validation"][config.optimized_metric]


_KEPT = (run_folder.CONFIG, run_folder.SPLIT, run_folder.BEST, run_folder.LAST, PREDICTION)
"""What later commands rely on, beside the results."""


class _Stop(NamedTuple):
    """What ended a training early, and when."""

    signal: int
    words: str


def _stopped(trainer: pl.Trainer) -> _Stop | None:
    number = next((c.signal for c in trainer.callbacks if isinstance(c, StopOnInterrupt)), None)
    if number is None:
        return None
    return _Stop(
        number,
        f"the training was interrupted by {NAMES[signal.Signals(number)]} in epoch {max(1, trainer.current_epoch)} of "
        f"{trainer.max_epochs}: these are the figures of what it had learned until then; python train.py resume=FOLDER "
        "goes on with it.",
    )


def _draw(
    run: Path,
    config: DictConfig,
    trainer: pl.Trainer,
    detector: Detector,
    data: DiceDataModule,
    scored: ScoredPhotos,
    done: Evaluated,
) -> None:
    """Draw all figures, into files and into TensorBoard."""
    log.info("drawing the figures ...")
    metrics, fitted, table = done.metrics, done.fitted, done.table
    title = title_of(metrics, run)
    galleries = errors(detector, data, scored, table, fitted.chosen, title=title)
    codes = codes_of(detector, data, table)
    plots = {**score_figures(table, fitted, title=title), **detector_figures(detector, codes, title=title)}
    panels = sample_panels(detector, data, of_each=4, title=title, scored=scored)
    pages = {f"gallery_{name}": shown.page() for name, shown in galleries.items()}
    save_figures(run / FIGURES, {**plots, **panels, **pages}, formats=config.get("figure_formats", ["png"]))
    report = (run / REPORT).read_text(encoding="utf-8")
    write_final(
        trainer, shared_parameters(config), metrics, report=report, table=table, figures=plots, errors=galleries
    )
    if codes is not None and writer_of(trainer) is not None:
        write_codes(run, codes, fitted.chosen)
    for logger in trainer.loggers:
        logger.finalize("success")  # Lightning did before; the final figures opened it again, with a thread of its own


def _prepare(
    config: DictConfig, run: Path, callbacks: Sequence[Callback]
) -> tuple[Rule, Detector, DiceDataModule, pl.Trainer]:
    """Make everything and check it: whatever is wrong shows before the first batch."""
    _quieten()
    check_formats(config.get("figure_formats", ["png"]))
    use_threads(config.get("threads", "auto"))  # resumed runs from before there was a choice have none
    pl.seed_everything(config.seed, verbose=False)
    rule, detector = instantiate(config.threshold), instantiate(config.model)  # mistakes show before any photo is read
    if isinstance(rule, Oracle):
        rule.check(0, 0)
    trainer = make_trainer(config, run, callbacks)
    if trainer.world_size > 1:
        raise AnodiceError(
            f"expected one device per training, got {trainer.world_size}; set trainer.devices=1, and give "
            "the others trainings of their own: dice are small."
        )
    check_monitors(trainer.callbacks, detector, labelled=True)
    data: DiceDataModule = instantiate(config.data)
    log.info(describe(data.photos, width=width()))
    normals, anomalies = _counts(data)
    rule.check(normals, anomalies)
    if isinstance(rule, Learned) and not detector.keeps_limits:
        raise AnodiceError(
            f"expected a detector that learns the highest normal score of each class for threshold=learned, got "
            f"{type(detector).__name__}, which does not with these settings; use model=fourier, model=template "
            "model.comparison=ncc, or another threshold."
        )
    check_monitors(trainer.callbacks, detector, labelled=anomalies > 0)
    return rule, detector, data, trainer


def _config_to_run(config: DictConfig) -> DictConfig:
    """The config as it will really run, with its automatic values filled in."""
    automatic = OmegaConf.is_interpolation(config.trainer, "precision")
    config = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    if automatic:
        log.info(
            "trainer.precision=%s, the fastest here (scores are always computed in float32)", config.trainer.precision
        )
    return config


def _resumed_config(run: Path, given: DictConfig, changes: Sequence[str], job: bool) -> DictConfig:
    config = run_folder.read_config(run)
    if job:  # the rest is as it was
        config.threads, config.trainer.devices, config.paths = given.threads, given.trainer.devices, given.paths
    for override in changes:
        if not override.startswith(("trainer.", "callbacks.", "paths.", "threads=")):
            raise AnodiceError(
                f"expected only trainer.*, callbacks.*, paths.* and threads beside resume=, got {override}; the rest "
                f"comes from {run / run_folder.CONFIG}. Start a new run to change it."
            )
    trusted = set(names_in(OmegaConf.to_container(given))) if job else set()  # which are those of the job
    config = OmegaConf.merge(config, OmegaConf.from_dotlist(list(changes)))
    trusted |= {word.partition("=")[2] for word in changes}
    check_names(OmegaConf.to_container(config), trusted=trusted)
    config.resume = str(run)
    log.info("resuming %s", run_folder.readable(run))
    return config


def _quieten() -> None:
    """Leave out what Lightning says of choices that are ours, such as that the batches need no workers."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*this fit will run with no optimizer.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")


def _counts(data: DiceDataModule) -> tuple[int, int]:
    """Normal and anomalous validation photos."""
    anomalies = sum(data.photos.records[i].anomalous for i in data.photos.split.validation)
    return len(data.photos.split.validation) - anomalies, anomalies


def _write_start(run: Path, config: DictConfig, data: DiceDataModule, *, device: str) -> None:
    write_split(run / run_folder.SPLIT, data.photos.split, data.photos.records)
    write_json(run / run_folder.ENVIRONMENT, run_folder.environment(device))
    write_text(run / run_folder.CONFIG, OmegaConf.to_yaml(config))  # the last: a run with it can be gone on with


def _learn(
    run: Path,
    trainer: pl.Trainer,
    detector: Detector,
    data: DiceDataModule,
    *,
    point: Path | None,
    changes: Sequence[str],
    begun: float,
) -> dict[str, float | None]:
    """Train the detector, which has its best epoch's weights then; all of `MEASURED` but the last.

    Args:
        point: the checkpoint to go on from; None to begin.
        changes: of the training to go on with.
    """
    if point is not None and (run / run_folder.FIT).is_file() and not changes:  # cut while it was scored
        load_weights(detector, run / run_folder.BEST)
        detector.to(trainer.strategy.root_device).eval()
        return read_json(run, run_folder.FIT, dict.fromkeys(("fit_seconds", "fit_images_per_second"), object))
    throughput = next((c for c in trainer.callbacks if isinstance(c, Throughput)), Throughput())
    throughput.begun = begun
    try:
        trainer.fit(detector, datamodule=data, ckpt_path=point, weights_only=True)
    except SystemExit as left:  # Lightning's way to end at once
        if isinstance(left.__context__, KeyboardInterrupt):
            raise left.__context__ from None
        raise
    detector.to(trainer.strategy.root_device)  # Lightning has moved it to the CPU; evaluate.py scores on the device too
    figures = throughput.figures(trainer.strategy.root_device)
    if not detector.automatic_optimization and figures["fit_seconds"]:  # one pass over the photos in place of steps
        figures["fit_images_per_second"] = len(data.photos.split.fit) / figures["fit_seconds"]
    if _stopped(trainer) is None:
        write_json(run / run_folder.FIT, figures)
    return figures
