"""Score tables that are made up, and what comes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from anodice.evaluation.run_metrics import run_metrics
from anodice.evaluation.score_table import ScoreTable
from anodice.thresholds.f1 import F1Max
from anodice.thresholds.fitted import FittedThresholds, fit_thresholds
from anodice.thresholds.rule import Rule


def made_up(
    normals: int = 60,
    anomalies: int = 20,
    *,
    leaked: int = 10,
    near: int | None = None,
    gap: float = 2.0,
    predicted: str = "",
) -> ScoreTable:
    """Validation and test alike: normals around 0, anomalies around `gap`.

    The first test normals are copies, and the last `near` test anomalies near copies; None where nobody has looked.
    """
    rng = np.random.default_rng(0)
    label = np.tile([False] * normals + [True] * anomalies, 2)
    count = len(label)
    split = np.repeat(["validation", "test"], count // 2)
    first = np.arange(count) - count // 2
    return ScoreTable(
        path=np.array([f"photo_{k}.png" for k in range(count)]),
        split=split,
        class_name=np.where(label, "ano", "03"),
        face=np.where(label, 0, 1 + np.arange(count) % 2),
        session=np.where(np.arange(count) % 3 == 0, "16_09_21", "img"),
        label=label,
        score=rng.normal(size=count) + gap * label,
        leaked=(split == "test") & (first < leaked),
        content=np.array([f"hash_{k}" for k in range(count)]),
        predicted=np.full(count, predicted, dtype="U2"),
        group=np.array([f"hash_{k}" for k in range(count)]),
        near_leaked=None if near is None else np.arange(count) >= count - near,
    )


def fitted_to(table: ScoreTable, rule: Rule | None = None) -> FittedThresholds:
    """The thresholds of a rule, by default `F1Max`."""
    return fit_thresholds(F1Max() if rule is None else rule, table.validation, table.published, split_digest="abcd")


def metrics_of(table: ScoreTable, rule: Rule | None = None) -> dict[str, Any]:
    """What `metrics.json` says of the table."""
    return run_metrics(table, fitted_to(table, rule), seed=0)
