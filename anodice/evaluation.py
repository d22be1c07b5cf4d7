"""Evaluating finished runs from their folders alone: what `evaluate.py` runs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig

from anodice import runs
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.inference import load_weights, score_records
from anodice.metrics.report import runs_table
from anodice.models.detector import Detector
from anodice.reports import TIMES, about, summary, write_results
from anodice.scores import ScoreTable, read_scores, score_table
from anodice.thresholds.rules import Rule
from anodice.verdicts import Fitted, evaluate, fit_thresholds

log = logging.getLogger(__name__)


def evaluate_runs(config: DictConfig) -> None:
    """Evaluate one run, or several in one table.

    Without `threshold` the images are scored anew with the run's best checkpoint and the results replace those in the
    run folder, which they equal. With it, the rule is fitted on the saved scores, and what comes out is written to
    `evaluations/<rule>/` in the run folder.
    """
    references = list(config.run) if isinstance(config.run, ListConfig) else [config.run]
    rule = None if config.get("threshold") is None else instantiate(config.threshold)
    need = runs.BEST if rule is None else runs.METRICS
    log_dir = Path(config.paths.log_dir)
    found = [run for reference in references for run in runs.find_runs(str(reference), log_dir, need=need)]
    metrics = {}
    names_differ = len({run.name for run in found}) == len(found)
    for run in found:
        results, fitted = _score_again(run, config.data.root) if rule is None else _threshold_again(run, rule)
        metrics[run.name if names_differ else str(runs.readable(run))] = results
        if len(found) == 1:
            log.info("\n%s", summary(results, fitted))
    if len(found) > 1:
        log.info("\n%s\n\nclean test images, each at its run's own threshold", runs_table(metrics))


def _score_again(run: Path, root: str | None) -> tuple[dict, Fitted]:
    config = runs.read_config(run)
    if root is not None:
        config.data.root = root
    data: DiceDataModule = instantiate(config.data)
    _check_same_photos(run, data)
    detector: Detector = instantiate(config.model)
    load_weights(detector, run / runs.BEST)
    detector.to(_device(config.trainer.accelerator))
    table = score_table(data.photos.records, data.photos.split, lambda part: score_records(detector, data, part))
    metrics = run / runs.METRICS  # a training that was killed has none, and nobody knows how long it took
    measured = json.loads(metrics.read_text()) if metrics.is_file() else dict.fromkeys(TIMES)
    head = {**about(config, detector), **{name: measured[name] for name in TIMES}}
    return _write(run, head, run, table, instantiate(config.threshold))


def _threshold_again(run: Path, rule: Rule) -> tuple[dict, Fitted]:
    folder = run / "evaluations" / rule.name
    folder.mkdir(parents=True, exist_ok=True)
    return _write(run, json.loads((run / runs.METRICS).read_text()), folder, read_scores(run / runs.SCORES), rule)


def _write(run: Path, head: dict, folder: Path, table: ScoreTable, rule: Rule) -> tuple[dict, Fitted]:
    """Evaluate the table and write the results, with what is known of the training at their head, into the folder."""
    fitted = fit_thresholds(table, rule, json.loads((run / runs.SPLIT).read_text())["digest"])
    metrics = {**head, **evaluate(table, fitted, seed=head["seed"])}
    write_results(folder, metrics, table, fitted)
    return metrics, fitted


def _check_same_photos(run: Path, data: DiceDataModule) -> None:
    expected = json.loads((run / runs.SPLIT).read_text())["digest"]
    if data.photos.split.digest != expected:
        raise AnodiceError(
            f"expected the photos that {run} was trained on (split {expected}), but those in {data.photos.walked.root} "
            f"give the split {data.photos.split.digest}; bring the photos back as they were, or train a new run."
        )


def _device(accelerator: str) -> torch.device:
    """Where the trainer of this config would put the detector."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
