"""The figures of `metrics.json`: pure functions of a score table and its thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import binomtest

from anodice.data.records import UNKNOWN
from anodice.evaluation.score_table import ScoreTable
from anodice.metrics.bootstrap import Interval, bootstrap, rate_interval
from anodice.metrics.sweep import Confusion, sweep
from anodice.thresholds.fitted import FittedThresholds
from anodice.thresholds.rules import Oracle
from anodice.thresholds.threshold import Threshold

MEASURED = (
    "fit_seconds",
    "fit_images_per_second",
    "seconds_to_first_step",
    "peak_memory_megabytes",
    "peak_gpu_memory_megabytes",
    "score_milliseconds",
)
"""The figures of `metrics.json` that only the training itself measures, each None where it cannot be had.

`seconds_to_first_step` counts from the start of the command (of a later job of a multirun: of the job) to the end of
the first training step: imports, reading of the photos, everything; a resumed training keeps it. The peaks are in 10^6
bytes, up to the end of the training: what the process held at most, in a multirun with its earlier jobs, and what torch
held at most on the GPU. `score_milliseconds` is per image, in the run's batches.
"""

REFUTED = 0.01
"""The p-value below which the false alarms of the test refute the rate that a threshold aims at."""

FEW_ANOMALIES = 30
"""Below so many, a report warns that the figures are rough."""


def run_metrics(
    table: ScoreTable, fitted: FittedThresholds, *, seed: int, pixels: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The figures of `metrics.json` that come from scores.

    `test` holds those of the published, of the clean and, where near copies are known, of the distinct images; `faces`
    and `sessions` are those of the published ones. A figure that cannot be had is None, with its reason beside it.
    `seed` seeds the intervals. `pixels` holds the pixel figures of the parts, which do not come from scores.
    """
    parts = _parts(table, fitted, seed)
    for name, found in (pixels or {}).items():
        if name in parts:
            parts[name]["pixels"] = found
    return {
        "threshold": fitted.chosen.rule,
        "warnings": [*_of_images(table), *fitted.warnings(), *_refuted(table, fitted)],
        "leaked": int(table.published.leaked.sum()),
        "near_leaked": None if table.distinct is None else len(table.clean) - len(table.distinct),
        "test": parts,
        "validation": _ranking(table.validation),
        "faces": parts["published"]["faces"],
        "sessions": parts["published"]["sessions"],
    }


def _parts(table: ScoreTable, fitted: FittedThresholds, seed: int) -> dict[str, dict[str, Any]]:
    """The figures of each test; those of one that leaves nothing out are those of the one before it."""
    tables = {"published": table.published, "clean": table.clean, "distinct": table.distinct}
    parts: dict[str, dict[str, Any]] = {}
    counted, last = -1, ""
    for name, part in tables.items():
        if part is None:
            continue
        parts[name] = dict(parts[last]) if len(part) == counted else _part(part, fitted, seed)
        counted, last = len(part), name
    return parts


def _of_images(table: ScoreTable) -> list[str]:
    """What a reader must know of the images before the figures, in sentences."""
    test, found = table.published, []
    leaked = int(test.leaked.sum())
    if leaked > 0:
        found.append(
            f"{leaked} of {len(test)} test images are copies of training images. Quote the figures of the clean test, "
            "which leaves them out; those of the published test count them and say less about new photos."
        )
    near = 0 if table.distinct is None else len(table.clean) - len(table.distinct)
    if near > 0:
        found.append(
            f"{near} of {len(table.clean)} images of the {table.clean_words} are near copies of images that were "
            "fitted or validated, such as other frames of a burst. Where the figures of the distinct test, which "
            "leaves them out as well, are lower, believe those."
        )
    anomalies, normals = int(table.clean.label.sum()), int((~table.clean.label).sum())
    few = [f"{n} {word}" for n, word in ((anomalies, "anomalous"), (normals, "normal")) if 0 < n < FEW_ANOMALIES]
    if few:
        found.append(
            f"the clean test has only {' and '.join(few)} images, so its figures are rough: mind the intervals."
        )
    normal_sessions = set(test.session[~test.label].tolist())
    alone = test.label & ~np.isin(test.session, [*sorted(normal_sessions), UNKNOWN])
    if normal_sessions and alone.sum() > test.label.sum() / 2:
        found.append(
            f"{int(alone.sum())} of {int(test.label.sum())} anomalous test images come from shooting sessions without "
            "any normal one, so the detector may know the session by its light instead of the defect; look at the "
            "misses of the other sessions."
        )
    return found


def _refuted(table: ScoreTable, fitted: FittedThresholds) -> list[str]:
    """The rates of false alarms that the clean test refutes, by an exact binomial test, in sentences."""
    found, normals = [], table.clean.where(~table.clean.label)
    for name, threshold in fitted.by_rule.items():
        detail = threshold.detail or {}
        rate = detail.get("false_alarm_rate", 1 - detail.get("quantile", 1))
        alarms = int(threshold.flags(normals.score, normals.predicted).sum())
        if rate == 0 or alarms == 0:
            continue
        p = binomtest(alarms, len(normals), rate, alternative="greater").pvalue
        if p < REFUTED:
            found.append(
                f"{name}: the {table.clean_words} refutes its rate of {rate:.3g}: {alarms} false alarms on "
                f"{len(normals)} normal images, which such a rate gives with a probability of {p:.2g} (exact binomial "
                "test). These photos are not like the normal ones of validation: compare their shooting sessions, and "
                "hold photos like them out for validation."
            )
    return found


def _ranking(part: ScoreTable) -> dict[str, Any]:
    """Counts, and the figures that need no threshold."""
    normals, anomalies = int((~part.label).sum()), int(part.label.sum())
    found: dict[str, Any] = {
        "normals": normals,
        "anomalies": anomalies,
        "prevalence": anomalies / (normals + anomalies) if normals + anomalies > 0 else None,
        **dict.fromkeys(_RANKING),
    }
    if normals == 0 or anomalies == 0:
        return {**found, "reason": f"needs both classes; there are {normals} normal and {anomalies} anomalous images"}
    swept = sweep(part.score, part.label)
    at_recall = swept.false_positive_rate_at(0.95)
    figures = (swept.auroc, swept.average_precision, at_recall)
    return found | dict(zip(_RANKING, figures, strict=True))


def _part(part: ScoreTable, fitted: FittedThresholds, seed: int) -> dict[str, Any]:
    found = {**_ranking(part), **_accuracies(part)}
    thresholds: dict[str, Threshold | str] = {**fitted.by_rule, **fitted.refused}
    if fitted.chosen.rule != Oracle.name:
        thresholds["oracle"] = found.get("reason") or Oracle(allowed=True).fit(
            part.score, part.label, fitted_on="test", split_digest=fitted.chosen.split_digest
        )
    found["at"] = {name: _at(part, thresholds[name], seed) for name in _order(list(thresholds))}
    found["baselines"] = _baselines(part)
    flags = fitted.chosen.flags(part.score, part.predicted)
    if "slight" in (fitted.chosen.detail or {}):
        slight = fitted.chosen.slight(part.score, part.predicted)
        found["slight"] = {"anomalies": int((slight & part.label).sum()), "normals": int((slight & ~part.label).sum())}
    if "reason" not in found:
        # The ranking's intervals do not depend on the verdicts: those of the chosen threshold will do.
        spread = bootstrap(part.score, part.label, flags, part.group, seed=seed)
        for name in _RANKING:
            found |= _ends(name, getattr(spread, name))
    found["faces"] = {
        str(face): _false_alarms(part, flags, part.face == face)
        for face in sorted(set(part.face[~part.label].tolist()) - {0})
    }
    found["classes"] = {
        name: _false_alarms(part, flags, part.class_name == name)
        for name in sorted(set(part.class_name[~part.label].tolist()))
    }
    found["sessions"] = {
        str(session): _by_session(part, flags, part.session == session)
        for session in sorted(set(part.session.tolist()))
    }
    return found


def _baselines(part: ScoreTable) -> dict[str, dict[str, Any]]:
    """What needs no detector: to flag nothing, and to flag at random as many as are anomalous, on average."""
    anomalies, count = int(part.label.sum()), len(part)
    share = anomalies / count if anomalies > 0 else None
    nothing = {"f1": None, "precision": None, "recall": 0.0 if anomalies > 0 else None}
    nothing["accuracy"] = Confusion(tp=0, fp=0, fn=anomalies, tn=count - anomalies).accuracy
    right = None if share is None else share**2 + (1 - share) ** 2
    nothing |= {"tp": 0, "fp": 0, "fn": anomalies, "tn": count - anomalies}
    return {
        "flag_nothing": {**nothing, "reason": "nothing is flagged, so there is no precision and no F1"},
        "random": {"f1": share, "precision": share, "recall": share, "accuracy": right},
    }


def _at(part: ScoreTable, threshold: Threshold | str, seed: int) -> dict[str, Any]:
    """One row of the table: the figures at a threshold, or None throughout with the reason why there is none."""
    if isinstance(threshold, str):
        return {**dict.fromkeys(_ROW), "reason": threshold}
    row: dict[str, Any] = dict.fromkeys(_ROW)
    row |= {"threshold": threshold.value, "fitted_on": threshold.fitted_on_words}
    flags = threshold.flags(part.score, part.predicted)
    counts = Confusion.from_flags(flags, part.label)
    row |= {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn}
    row |= _rate("accuracy", flags == part.label, part, np.full(len(part), True))
    row |= _rate("false_alarm_rate", flags, part, ~part.label)
    row["mean_class_false_alarm_rate"] = _mean_over_classes(part, flags)
    if not part.label.any():
        return {**row, "reason": "no anomalous test image"}
    row |= {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall}
    if counts.precision is None:
        row["reason"] = "nothing is flagged, so there is no precision"
    spread = bootstrap(part.score, part.label, flags, part.group, seed=seed)
    for name in ("f1", "precision", "recall"):
        row |= _ends(name, getattr(spread, name))
    return row


def _mean_over_classes(part: ScoreTable, flags: np.ndarray) -> float | None:
    """The mean of the classes' false-alarm rates, each class for as much as any other; None without normals."""
    names = sorted(set(part.class_name[~part.label].tolist()))
    rates = [flags[~part.label & (part.class_name == name)].mean() for name in names]
    return float(np.mean(rates)) if rates else None


def _rate(name: str, hits: np.ndarray, part: ScoreTable, among: np.ndarray) -> dict[str, float | None]:
    """The share of hits among some of the images, with the ends of its interval; None where there are none."""
    value = float(hits[among].mean()) if among.any() else None
    return {name: value, **_ends(name, rate_interval(hits[among], part.group[among].tolist()))}


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = (None, None) if interval is None else interval
    return {f"{name}_low": low, f"{name}_high": high}


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


_RANKING = ("auroc", "average_precision", "false_positive_rate_at_95_recall")
_ROW = (
    *("threshold", "f1", "f1_low", "f1_high", "precision", "precision_low", "precision_high"),
    *("recall", "recall_low", "recall_high", "tp", "fp", "fn", "tn", "fitted_on"),
    *("accuracy", "accuracy_low", "accuracy_high"),
    *("false_alarm_rate", "false_alarm_rate_low", "false_alarm_rate_high", "mean_class_false_alarm_rate"),
)


def _order(names: list[str]) -> list[str]:
    """The rows as they are shown: any other rule the user chose first, then the four that always stand there."""
    always = ["f1_max", "normals_only", "oracle", "flag_everything"]
    return [name for name in names if name not in always] + always


def _false_alarms(part: ScoreTable, verdicts: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    normals = chosen & ~part.label
    found = {"normals": int(normals.sum()), "false_alarms": int((verdicts & normals).sum())}
    return {**found, **_rate("false_alarm_rate", verdicts, part, normals)}


def _by_session(part: ScoreTable, verdicts: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    anomalies = chosen & part.label
    found = {"anomalies": int(anomalies.sum()), "misses": int((~verdicts & anomalies).sum())}
    return {**_false_alarms(part, verdicts, chosen), **found, **_rate("miss_rate", ~verdicts, part, anomalies)}
