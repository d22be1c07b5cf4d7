"""Evaluating finished runs from their folders alone: what `evaluate.py` runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from anodice.app import run_folder
from anodice.app.console import width
from anodice.app.files import forget_checksums, note_checksums, write_json
from anodice.app.process import use_threads
from anodice.app.recipe import make
from anodice.errors import AnodiceError
from anodice.evaluation.run_metrics import MEASURED, run_metrics
from anodice.evaluation.run_results import METRICS, read_metrics, read_scores, with_interruption
from anodice.evaluation.score_files import read_score_file
from anodice.evaluation.score_table import ScoreTable, score_table
from anodice.programs.runs import Evaluation, Run, Runs
from anodice.programs.sweep_results import find_sweep, write_summary
from anodice.reporting.comparisons import Evaluated
from anodice.reporting.run_files import (
    FIGURES,
    REPORT,
    save_figures,
    score_figures,
    title_of,
    write_results,
)
from anodice.reporting.terminal import results
from anodice.thresholds.f1 import F1Max
from anodice.thresholds.fitted import fit_thresholds
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import Oracle

log = logging.getLogger(__name__)

_SEED = 42
"""Of the intervals of scores from elsewhere, as of trainings that choose no other."""


def evaluate_runs(config: DictConfig) -> Runs:
    """Evaluate one run, or several in one table and, where they are few, pair by pair.

    With `threshold` the rule is fitted on the saved scores, and what comes out is written to `evaluations/<rule and its
    settings>/` in the run folder. Without it, the images of one run are scored anew with its best checkpoint and the
    results replace those in the run folder, which they equal; several runs are told by the figures that they have.
    `rescore` decides otherwise. The folder of a sweep is told by its configurations. With `scores`, files of scores
    take the place of runs.

    Returns:
        what was evaluated, by the names that the tables have.
    """
    if config.get("scores") is not None:
        return _of_files(config)
    if config.get("out") is not None:
        raise AnodiceError("expected out=FOLDER beside scores=FILE.csv only; the results of runs lie in their folders.")
    references = list(config.run) if isinstance(config.run, ListConfig) else [config.run]
    rule = None if config.get("threshold") is None else instantiate(config.threshold)
    again = _scores_again(config.get("rescore", "auto"), config.data.root)
    sweep = find_sweep(str(references[0]), Path(config.paths.log_dir)) if len(references) == 1 else None
    if sweep is not None and rule is None and again is not True:
        summary = write_summary(sweep)
        log.info("\n%s", summary.text)
        done = {name: Run(sweep / name, name=name) for name in summary.trained}
        return Runs(done, told=(sweep / "summary.md").read_text())
    if isinstance(rule, Oracle):
        rule.check(0, 0)
    need = run_folder.BEST if rule is None else METRICS
    log_dir = Path(config.paths.log_dir)
    found = [run for reference in references for run in run_folder.find_runs(str(reference), log_dir, need=need)]
    evaluated: dict[str, Evaluation] = {}
    names_differ = len({run.name for run in found}) == len(found)
    for run in found:
        if rule is not None:
            _threshold_again(run, rule)
        elif again is True or (again is None and len(found) == 1) or not (run / METRICS).is_file():
            _score_again(run, config.data.root)
        name = run.name if names_differ else str(run_folder.readable(run))
        evaluated[name] = Run(run, results=_folder(run, rule), name=name)
        if len(found) == 1:
            _tell(evaluated[name].evaluated, read=_folder(run, rule) / REPORT)
    if len(found) > 1:
        log.info("\n%s", Runs(evaluated).report(width=width()))
    return Runs(evaluated)


def _tell(done: Evaluated, *, read: Path | None) -> None:
    log.info("\n%s", results(done.metrics, done.fitted, width=width()))
    if read is not None:
        log.info("\nhow to read it: %s", run_folder.readable(read))


def _of_files(config: DictConfig) -> Runs:
    """Evaluate files of scores: each by itself, several also against each other."""
    paths = [Path(str(path)) for path in (config.scores if isinstance(config.scores, ListConfig) else [config.scores])]
    rule = F1Max() if config.get("threshold") is None else instantiate(config.threshold)
    if isinstance(rule, Oracle):
        rule.check(0, 0)
    names_differ = len({path.stem for path in paths}) == len(paths)
    found: dict[str, Evaluation] = {}
    for path in paths:
        name = path.stem if names_differ else str(path)
        done = evaluate_scores(path, rule)
        found[name] = Evaluation(name, done)
        folder = None if config.get("out") is None else Path(config.out) / (path.stem if len(paths) > 1 else "")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            write_results(folder, done.metrics, done.table, done.fitted)
            save_figures(folder / FIGURES, score_figures(done.table, done.fitted, title=name))
        if len(paths) == 1:
            _tell(done, read=None if folder is None else folder / REPORT)
    if len(paths) > 1:
        log.info("\n%s", Runs(found).report(width=width()))
    return Runs(found)


def evaluate_scores(path: Path, rule: Rule) -> Evaluated:
    """Evaluate the scores of any program; see `read_score_file` for what the file holds.

    Raises:
        AnodiceError: another file, or one that the rule cannot be fitted to.
    """
    table, about = read_score_file(path)
    fitted = fit_thresholds(rule, table.validation, table.published, split_digest="")
    head = {"model": path.stem, "data": path.name, "split": None, "seed": _SEED, "parameters": None, "scores": about}
    return Evaluated({**head, **dict.fromkeys(MEASURED), **run_metrics(table, fitted, seed=_SEED)}, fitted, table)


def _scores_again(rescore: bool | str, root: str | None) -> bool | None:
    """Whether the photos are scored again; None where the number of runs decides.

    Raises:
        AnodiceError: another word than auto, true or false.
    """
    if rescore not in ("auto", True, False):
        raise AnodiceError(f"expected rescore to be auto, true or false, got {rescore!r}.")
    return (True if root is not None else None) if rescore == "auto" else bool(rescore)


def _score_again(run: Path, root: str | None) -> None:
    # What needs no model need not wait for torch and Lightning: other thresholds, comparisons, wrong names of runs.
    from anodice.data.photos import evidence
    from anodice.evaluation.inference import score_photos
    from anodice.evaluation.pixel_metrics import pixel_figures
    from anodice.prediction.facts import PREDICTION, prediction_facts
    from anodice.programs.loading import about, load_run, told_limits
    from anodice.reporting.visualise import errors

    config = run_folder.read_config(run)
    use_threads(config.get("threads", "auto"))  # another number may change the last digit
    detector, data = load_run(run, root)
    photos, (together, near) = data.photos, evidence(data.photos)
    scored = score_photos(detector, data)
    table = score_table(photos.records, photos.split, scored.scores, scored.classes, groups=together, near_leaked=near)
    pixels = pixel_figures(scored, photos, near_leaked=near)
    measured = _measured(run)
    head = {**about(config, detector), **{name: measured.get(name) for name in (*MEASURED, "interrupted")}}
    rule = told_limits(make(OmegaConf.to_container(config.threshold)), detector)
    done = _write(run, head, run, table, rule, pixels)
    forget_checksums(run, PREDICTION)
    write_json(run / PREDICTION, prediction_facts(scored, photos))
    note_checksums(run, PREDICTION)
    galleries = errors(detector, data, scored, table, done.fitted.chosen, title=title_of(head, run))
    figures = {f"gallery_{name}": shown.page() for name, shown in galleries.items()}
    save_figures(run / FIGURES, figures, formats=config.get("figure_formats", ["png"]))


def _measured(run: Path) -> dict[str, Any]:
    """What only the training knows; nothing where it was killed, or where its figures are damaged."""
    if not (run / METRICS).is_file():
        return {}
    try:
        return read_metrics(run)
    except AnodiceError as error:
        log.warning("what only the training measured is lost: %s", error)
        return {}


def _folder(run: Path, rule: Rule | None) -> Path:
    """Where the results lie: in the run folder, or in one of their own for another rule."""
    return run if rule is None else run / "evaluations" / rule.label


def _threshold_again(run: Path, rule: Rule) -> None:
    folder = _folder(run, rule)
    folder.mkdir(parents=True, exist_ok=True)
    head = read_metrics(run)
    pixels = {name: part["pixels"] for name, part in head["test"].items() if "pixels" in part}
    _write(run, head, folder, read_scores(run), rule, pixels)


def _write(
    run: Path, head: dict[str, Any], folder: Path, table: ScoreTable, rule: Rule, pixels: Mapping[str, dict[str, Any]]
) -> Evaluated:
    """Evaluate the table and write the results, with what is known of the training at their head, into the folder."""
    digest = run_folder.read_digest(run)
    fitted = fit_thresholds(rule, table.validation, table.published, split_digest=digest)
    interrupted = head.get("interrupted")
    head = {key: value for key, value in head.items() if key != "interrupted"}
    metrics = {**head, **with_interruption(run_metrics(table, fitted, seed=head["seed"], pixels=pixels), interrupted)}
    write_results(folder, metrics, table, fitted)
    return Evaluated(metrics, fitted, table)
