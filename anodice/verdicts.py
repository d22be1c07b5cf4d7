"""From scores to thresholds to figures: pure functions of a score table, shared by train.py and evaluate.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anodice.errors import AnodiceError
from anodice.metrics.bootstrap import bootstrap
from anodice.metrics.sweep import Confusion, sweep
from anodice.scores import ScoreTable
from anodice.thresholds.fitted import Threshold
from anodice.thresholds.rules import F1Max, FlagEverything, NormalsOnly, Oracle, Rule


@dataclass(frozen=True)
class Fitted:
    """The thresholds of a run.

    Attributes:
        chosen: that of the rule which the user picked; it gives the verdicts.
        by_rule: rule name -> threshold, the chosen one among them.
        refused: rule name -> why it could not be fitted.
    """

    chosen: Threshold
    by_rule: dict[str, Threshold]
    refused: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For `threshold.json`: rule name -> its threshold, or the reason why there is none."""
        chosen = self.chosen.rule
        fitted = {
            name: {**t.as_dict(), "chosen": name == chosen, "sentence": t.sentence()}
            for name, t in self.by_rule.items()
        }
        return fitted | {name: {"value": None, "rule": name, "reason": why} for name, why in self.refused.items()}


def fit_thresholds(table: ScoreTable, rule: Rule, split_digest: str) -> Fitted:
    """Fit the chosen rule, and those that every table shows, on the validation images.

    Raises:
        AnodiceError: the chosen rule cannot be fitted; the other rules may fail, with their reason kept.
    """
    validation = table.validation
    provenance = {"classes": validation.predicted, "fitted_on": "validation", "split_digest": split_digest}
    chosen = rule.fit(validation.score, validation.label, **provenance)
    by_rule, refused = {}, {}
    for shown in (F1Max(), NormalsOnly(), FlagEverything()):
        if shown.name == rule.name:
            by_rule[shown.name] = chosen
            continue
        try:
            by_rule[shown.name] = shown.fit(validation.score, validation.label, **provenance)
        except AnodiceError as error:
            refused[shown.name] = str(error)
    by_rule.setdefault(rule.name, chosen)
    return Fitted(chosen, by_rule, refused)


def evaluate(table: ScoreTable, fitted: Fitted, *, seed: int) -> dict[str, Any]:
    """The figures of `metrics.json` that come from scores: `test`, `validation`, `faces`, `sessions`.

    A figure that cannot be had is None, with its reason beside it. `seed` seeds the intervals.
    """
    verdicts = fitted.chosen.flags(table.published.score, table.published.predicted)
    return {
        "threshold": fitted.chosen.rule,
        "test": {
            "published": _part(table.published, fitted, seed),
            "clean": _part(table.clean, fitted, seed),
        },
        "validation": _ranking(table.validation),
        "faces": {
            str(face): _false_alarms(table.published, verdicts, table.published.face == face)
            for face in sorted(set(table.published.face[~table.published.label].tolist()))
        },
        "sessions": {
            str(session): _by_session(table.published, verdicts, table.published.session == session)
            for session in sorted(set(table.published.session.tolist()))
        },
    }


def _ranking(part: ScoreTable) -> dict[str, Any]:
    """Counts, and the figures that need no threshold."""
    normals, anomalies = int((~part.label).sum()), int(part.label.sum())
    found: dict[str, Any] = {"normals": normals, "anomalies": anomalies, "auroc": None, "average_precision": None}
    if normals == 0 or anomalies == 0:
        return {**found, "reason": f"needs both classes; there are {normals} normal and {anomalies} anomalous images"}
    swept = sweep(part.score, part.label)
    return {**found, "auroc": swept.auroc, "average_precision": swept.average_precision}


def _part(part: ScoreTable, fitted: Fitted, seed: int) -> dict[str, Any]:
    found = {**_ranking(part), **_accuracies(part)}
    thresholds: dict[str, Threshold | str] = {**fitted.by_rule, **fitted.refused}
    thresholds["oracle"] = found.get("reason") or Oracle().fit(
        part.score, part.label, fitted_on="test", split_digest=fitted.chosen.split_digest
    )
    found["at"] = {name: _at(part, thresholds[name], seed) for name in _order(list(thresholds))}
    if "reason" not in found:
        # The ranking's intervals do not depend on the verdicts: those of the chosen threshold will do.
        flags = fitted.chosen.flags(part.score, part.predicted)
        spread = bootstrap(part.score, part.label, flags, part.content, seed=seed)
        found |= {"auroc_low": spread.auroc.low, "auroc_high": spread.auroc.high}
        found |= {
            "average_precision_low": spread.average_precision.low,
            "average_precision_high": spread.average_precision.high,
        }
    return found


def _at(part: ScoreTable, threshold: Threshold | str, seed: int) -> dict[str, Any]:
    """One row of the table: the figures at a threshold, or None throughout with the reason why there is none."""
    if isinstance(threshold, str):
        return {**dict.fromkeys(_ROW), "reason": threshold}
    row: dict[str, Any] = dict.fromkeys(_ROW)
    row |= {"threshold": threshold.value, "fitted_on": threshold.fitted_on_words}
    flags = threshold.flags(part.score, part.predicted)
    counts = Confusion.from_flags(flags, part.label)
    row |= {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn}
    if not part.label.any():
        return {**row, "reason": "no anomalous test image"}
    row |= {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall}
    if counts.precision is None:
        row["reason"] = "nothing is flagged, so there is no precision"
    spread = bootstrap(part.score, part.label, flags, part.content, seed=seed)
    for name in ("f1", "precision", "recall"):
        interval = getattr(spread, name)
        if interval is not None:
            row |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row


def _accuracies(part: ScoreTable) -> dict[str, float | None]:
    """Shares of the normal images that the detector takes for the right class, and for a class of the right face."""
    found: dict[str, float | None] = {"class_accuracy": None, "face_accuracy": None}
    normals = part.where(~part.label)
    if len(normals) == 0 or (normals.predicted == "").any():
        return found
    found["class_accuracy"] = float((normals.predicted == normals.class_name).mean())
    if (normals.face > 0).all():
        faces = dict(zip(normals.class_name.tolist(), normals.face.tolist(), strict=True))
        predicted = np.array([faces.get(name, 0) for name in normals.predicted.tolist()])
        found["face_accuracy"] = float((predicted == normals.face).mean())
    return found


_ROW = (
    *("threshold", "f1", "f1_low", "f1_high", "precision", "precision_low", "precision_high"),
    *("recall", "recall_low", "recall_high", "tp", "fp", "fn", "tn", "fitted_on"),
)


def _order(names: list[str]) -> list[str]:
    """The rows as they are shown: any other rule the user chose first, then the four that always stand there."""
    always = ["f1_max", "normals_only", "oracle", "flag_everything"]
    return [name for name in names if name not in always] + always


def _false_alarms(part: ScoreTable, verdicts: np.ndarray, chosen: np.ndarray) -> dict[str, int]:
    normals = chosen & ~part.label
    return {"normals": int(normals.sum()), "false_alarms": int((verdicts & normals).sum())}


def _by_session(part: ScoreTable, verdicts: np.ndarray, chosen: np.ndarray) -> dict[str, int]:
    anomalies = chosen & part.label
    found = {"anomalies": int(anomalies.sum()), "misses": int((~verdicts & anomalies).sum())}
    return {**_false_alarms(part, verdicts, chosen), **found}
