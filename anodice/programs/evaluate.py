"""Evaluating finished runs from their folders alone: what `evaluate.py` runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig

from anodice.app import run_folder
from anodice.app.console import width
from anodice.app.process import use_threads
from anodice.evaluation.run_metrics import MEASURED, run_metrics
from anodice.evaluation.score_table import ScoreTable, read_scores, score_table
from anodice.reporting.comparisons import Evaluated, compared
from anodice.reporting.markdown import runs_table
from anodice.reporting.run_files import FIGURES, METRICS, REPORT, SCORES, save_figures, write_results
from anodice.reporting.terminal import results
from anodice.thresholds.fitted import fit_thresholds
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import Oracle

log = logging.getLogger(__name__)


def evaluate_runs(config: DictConfig) -> None:
    """Evaluate one run, or several in one table and pair by pair.

    Without `threshold` the images are scored anew with the run's best checkpoint and the results replace those in the
    run folder, which they equal. With it, the rule is fitted on the saved scores, and what comes out is written to
    `evaluations/<rule and its settings>/` in the run folder.
    """
    references = list(config.run) if isinstance(config.run, ListConfig) else [config.run]
    rule = None if config.get("threshold") is None else instantiate(config.threshold)
    if isinstance(rule, Oracle):
        rule.check(0, 0)
    need = run_folder.BEST if rule is None else METRICS
    log_dir = Path(config.paths.log_dir)
    found = [run for reference in references for run in run_folder.find_runs(str(reference), log_dir, need=need)]
    evaluated = {}
    names_differ = len({run.name for run in found}) == len(found)
    for run in found:
        done = _score_again(run, config.data.root) if rule is None else _threshold_again(run, rule)
        evaluated[run.name if names_differ else str(run_folder.readable(run))] = done
        if len(found) == 1:
            log.info("\n%s", results(done.metrics, done.fitted, width=width()))
            log.info("\nhow to read it: %s", run_folder.readable(_folder(run, rule) / REPORT))
    if len(found) > 1:
        log.info(
            "\n%s\n\nclean test images, each at its run's own threshold",
            runs_table({name: done.metrics for name, done in evaluated.items()}, width=width()),
        )
        log.info("\n%s", compared(evaluated, width=width()))


def _score_again(run: Path, root: str | None) -> Evaluated:
    # What needs no model need not wait for torch and Lightning: other thresholds, comparisons, wrong names of runs.
    from anodice.data.photos import groups
    from anodice.evaluation.inference import score_photos
    from anodice.evaluation.pixel_metrics import pixel_figures
    from anodice.programs.loading import about, load_run
    from anodice.reporting.visualise import errors

    config = run_folder.read_config(run)
    use_threads(config.get("threads", "auto"))  # another number may change the last digit
    detector, data = load_run(run, root)
    scored, photos = score_photos(detector, data), data.photos
    table = score_table(photos.records, photos.split, scored.scores, scored.classes, groups=groups(photos))
    metrics = run / METRICS  # a training that was killed has none, and nobody knows how long it took
    measured = json.loads(metrics.read_text()) if metrics.is_file() else {}
    head = {**about(config, detector), **{name: measured.get(name) for name in MEASURED}}
    done = _write(run, head, run, table, instantiate(config.threshold), pixel_figures(scored, photos))
    title = f"{head['model']} on {head['data']}, seed {head['seed']}: {run.name}"
    galleries = errors(detector, data, scored, table, done.fitted.chosen, title=title)
    figures = {f"gallery_{name}": shown.page() for name, shown in galleries.items()}
    save_figures(run / FIGURES, figures, formats=config.get("figure_formats", ["png"]))
    return done


def _folder(run: Path, rule: Rule | None) -> Path:
    """Where the results lie: in the run folder, or in one of their own for another rule."""
    return run if rule is None else run / "evaluations" / rule.label


def _threshold_again(run: Path, rule: Rule) -> Evaluated:
    folder = _folder(run, rule)
    folder.mkdir(parents=True, exist_ok=True)
    head = json.loads((run / METRICS).read_text())
    pixels = {name: part["pixels"] for name, part in head["test"].items() if "pixels" in part}
    return _write(run, head, folder, read_scores(run / SCORES), rule, pixels)


def _write(
    run: Path, head: dict[str, Any], folder: Path, table: ScoreTable, rule: Rule, pixels: Mapping[str, dict[str, Any]]
) -> Evaluated:
    """Evaluate the table and write the results, with what is known of the training at their head, into the folder."""
    digest = json.loads((run / run_folder.SPLIT).read_text())["digest"]
    fitted = fit_thresholds(rule, table.validation, table.published, split_digest=digest)
    metrics = {**head, **run_metrics(table, fitted, seed=head["seed"], pixels=pixels)}
    write_results(folder, metrics, table, fitted)
    return Evaluated(metrics, fitted, table)
