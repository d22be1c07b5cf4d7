"""Evaluating finished runs from their folders alone: what `evaluate.py` runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig

from anodice.app import run_folder
from anodice.app.process import use_threads
from anodice.evaluation.run_metrics import Fitted, evaluate, fit_thresholds
from anodice.evaluation.score_table import ScoreTable, read_scores, same_images, score_table
from anodice.metrics.comparison import Comparison, compare
from anodice.reporting.markdown import comparisons_table, markdown_table, runs_table
from anodice.reporting.run_files import MEASURED, about, save_figures, summary, write_results
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import Oracle

log = logging.getLogger(__name__)


def evaluate_runs(config: DictConfig) -> None:
    """Evaluate one run, or several in one table and pair by pair.

    Without `threshold` the images are scored anew with the run's best checkpoint and the results replace those in the
    run folder, which they equal. With it, the rule is fitted on the saved scores, and what comes out is written to
    `evaluations/<rule>/` in the run folder.
    """
    references = list(config.run) if isinstance(config.run, ListConfig) else [config.run]
    rule = None if config.get("threshold") is None else instantiate(config.threshold)
    if isinstance(rule, Oracle):
        rule.check(0, 0)
    need = run_folder.BEST if rule is None else run_folder.METRICS
    log_dir = Path(config.paths.log_dir)
    found = [run for reference in references for run in run_folder.find_runs(str(reference), log_dir, need=need)]
    evaluated = {}
    names_differ = len({run.name for run in found}) == len(found)
    for run in found:
        done = _score_again(run, config.data.root) if rule is None else _threshold_again(run, rule)
        evaluated[run.name if names_differ else str(run_folder.readable(run))] = done
        if len(found) == 1:
            log.info("\n%s", summary(done.metrics, done.fitted))
    if len(found) > 1:
        log.info(
            "\n%s\n\nclean test images, each at its run's own threshold",
            runs_table({name: done.metrics for name, done in evaluated.items()}),
        )
        log.info("\n%s", _compared(evaluated))


class _Evaluated(NamedTuple):
    metrics: dict[str, Any]
    fitted: Fitted
    table: ScoreTable


_LISTED = 10
"""How many images are named on which two runs differ."""


def _compared(evaluated: Mapping[str, _Evaluated]) -> str:
    """Each pair of runs with the same test images against each other, in words and a table."""
    found: dict[tuple[str, str], Comparison] = {}
    others, differing = [], []
    for names in combinations(evaluated, 2):
        first, second = (evaluated[name] for name in names)
        tables = same_images(first.table, second.table)
        if tables is None:
            others.append(f"{names[0]} and {names[1]} were tested on different images, so they are not compared.")
            continue
        flags = [e.fitted.chosen.flags(t.score, t.predicted) for e, t in zip((first, second), tables, strict=True)]
        # A group is a piece of evidence in both runs: that of the first serves, the images are the same.
        found[names] = compare(
            [t.score for t in tables], flags, tables[0].label, tables[0].group.tolist(), seed=first.metrics["seed"]
        )
        differing.append(_differing(names, tables, flags, found[names]))
    if not found:
        return "\n".join(others)
    words = (
        "Pairs of runs on the same clean test images: the first's figures minus the second's, with paired 95 % "
        "intervals (one that holds 0 tells no difference); how many images only one of them judges right, each at its "
        "own threshold; and how often two equally good runs would differ so unevenly (p, exact McNemar test)."
    )
    lists = differing if len(found) <= 3 else ["Evaluate two runs alone to see the images on which they differ."]
    return "\n\n".join([words, comparisons_table(found), *lists, *others])


def _differing(
    names: tuple[str, str], tables: tuple[ScoreTable, ScoreTable], flags: list[np.ndarray], found: Comparison
) -> str:
    """The images on which two runs differ, with the score and the verdict of each."""
    if not found.differing:
        return f"{names[0]} and {names[1]} give the same verdict on each of the {found.images} images."
    rows = [["image", "in truth", *names]]
    words = ("normal", "anomalous")
    for k in found.differing[:_LISTED]:
        said = [f"{words[int(f[k])]} ({t.score[k]:.4g})" for f, t in zip(flags, tables, strict=True)]
        rows.append([str(tables[0].path[k]), words[int(tables[0].label[k])], *said])
    count = len(found.differing)
    title = f"{names[0]} and {names[1]} differ on {count} of {found.images} images"
    return f"{title}{f', the first {_LISTED} of which are' if count > _LISTED else ''}:\n\n{markdown_table(rows)}"


def _score_again(run: Path, root: str | None) -> _Evaluated:
    # What needs no model need not wait for torch and Lightning: other thresholds, comparisons, wrong names of runs.
    from anodice.data.photos import groups
    from anodice.evaluation.inference import load_run, score_records
    from anodice.evaluation.pixel_metrics import pixel_figures
    from anodice.reporting.visualise import error_gallery

    config = run_folder.read_config(run)
    use_threads(config.get("threads", "auto"))  # another number may change the last digit
    detector, data = load_run(run, root)
    table = score_table(
        data.photos.records,
        data.photos.split,
        lambda part: score_records(detector, data, part),
        groups=groups(data.photos),
    )
    metrics = run / run_folder.METRICS  # a training that was killed has none, and nobody knows how long it took
    measured = json.loads(metrics.read_text()) if metrics.is_file() else {}
    head = {**about(config, detector), **{name: measured.get(name) for name in MEASURED}}
    done = _write(run, head, run, table, instantiate(config.threshold), pixel_figures(detector, data))
    save_figures(run / run_folder.FIGURES, error_gallery(detector, data, table, done.fitted.chosen))
    return done


def _threshold_again(run: Path, rule: Rule) -> _Evaluated:
    folder = run / "evaluations" / rule.name
    folder.mkdir(parents=True, exist_ok=True)
    head = json.loads((run / run_folder.METRICS).read_text())
    pixels = {name: part["pixels"] for name, part in head["test"].items() if "pixels" in part}
    return _write(run, head, folder, read_scores(run / run_folder.SCORES), rule, pixels)


def _write(
    run: Path, head: dict, folder: Path, table: ScoreTable, rule: Rule, pixels: Mapping[str, dict[str, Any]]
) -> _Evaluated:
    """Evaluate the table and write the results, with what is known of the training at their head, into the folder."""
    fitted = fit_thresholds(table, rule, json.loads((run / run_folder.SPLIT).read_text())["digest"])
    metrics = {**head, **evaluate(table, fitted, seed=head["seed"], pixels=pixels)}
    write_results(folder, metrics, table, fitted)
    return _Evaluated(metrics, fitted, table)
