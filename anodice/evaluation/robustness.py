"""How well fixed thresholds hold when light, lens and pose change: figures of perturbed test photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from anodice.augmentation.perturbations import PERTURBATIONS
from anodice.data.datamodule import Batch, DiceDataModule
from anodice.evaluation.inference import score_records
from anodice.metrics.sweep import Confusion, sweep
from anodice.models.detector import Detector
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)


def measure_robustness(
    detector: Detector,
    data: DiceDataModule,
    thresholds: Mapping[str, Threshold],
    *,
    names: Iterable[str],
    severities: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """The figures of the clean test photos (without copies of training photos) as they are, and under each change.

    Args:
        names: of `PERTURBATIONS`.
        severities: 1 to 5.
        seed: of the perturbations.

    Returns:
        `images`: normals and anomalies; `thresholds`: rule -> its sentence; `unchanged`: AUROC and, by rule, F1 and
        counts; `perturbed`: name -> severity -> the same; `mean`: severity -> means over the perturbations. Figures
        that cannot be had, for want of normal or anomalous photos, are None.
    """
    split = data.photos.split
    indices = [i for i in split.test if i not in split.leaked]
    labels = np.array([data.photos.records[i].anomalous for i in indices], dtype=bool)

    def figures(change: Callable[[Batch], Tensor] | None) -> dict[str, Any]:
        return _figures(*score_records(detector, data, indices, change=change), labels, thresholds)

    def perturbation(name: str, severity: int) -> Callable[[Batch], Tensor]:
        perturb = PERTURBATIONS[name]
        return lambda batch: perturb(batch["image"], severity=severity, indices=batch["index"], seed=seed)

    unchanged, perturbed = figures(None), {}
    log.info("unchanged: AUROC %s", _told(unchanged))
    for name in names:
        perturbed[name] = {str(s): figures(perturbation(name, s)) for s in severities}
        log.info("%s: AUROC %s", name, ", ".join(map(_told, perturbed[name].values())))
    return {
        "images": {"normals": int((~labels).sum()), "anomalies": int(labels.sum())},
        "seed": seed,
        "thresholds": {name: threshold.sentence() for name, threshold in thresholds.items()},
        "unchanged": unchanged,
        "perturbed": perturbed,
        "mean": {str(s): _mean([rows[str(s)] for rows in perturbed.values()]) for s in severities},
    }


def _figures(
    scores: np.ndarray, classes: np.ndarray, labels: np.ndarray, thresholds: Mapping[str, Threshold]
) -> dict[str, Any]:
    at = {}
    for name, threshold in thresholds.items():
        counts = Confusion.from_flags(threshold.flags(scores, classes), labels)
        at[name] = {"f1": counts.f1, "tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn}
    return {"auroc": sweep(scores, labels).auroc, "at": at}


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """AUROC and F1 averaged over rows of figures; None where any is."""

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if len(known) == len(values) else None

    rules = rows[0]["at"]
    f1 = {rule: {"f1": mean([row["at"][rule]["f1"] for row in rows])} for rule in rules}
    return {"auroc": mean([row["auroc"] for row in rows]), "at": f1}


def _told(row: Mapping[str, Any]) -> str:
    return "n/a" if row["auroc"] is None else f"{row['auroc']:.4f}"
