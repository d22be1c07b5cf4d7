"""The figures of `metrics.json` as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_ROWS = {
    "f1_max": "f1_max",
    "normals_only": "normals_only",
    "oracle": "oracle (hindsight)",
    "flag_everything": "flag everything",
}
_HEADS = ("threshold", "value", "F1 [95 %]", "precision", "recall", "tp", "fp", "fn", "tn", "fitted on")


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the first of them the head, as a Markdown table that also reads well unrendered.

    >>> print(markdown_table([["a", "b"], ["1", "23"]]))
    | a | b  |
    |---|----|
    | 1 | 23 |
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def number(value: float | None, digits: int = 3) -> str:
    """A figure for people; `n/a` for None."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def with_interval(found: dict[str, Any], name: str) -> str:
    """A figure and its interval, such as `0.981 [0.96, 0.99]`; `n/a` where it cannot be had."""
    low, high = found.get(f"{name}_low"), found.get(f"{name}_high")
    if found[name] is None or low is None or high is None:
        return number(found[name])
    return f"{found[name]:.3f} [{low:.2f}, {high:.2f}]"


def table(metrics: dict[str, Any]) -> str:
    """Both test splits of one run, each with its ranking figures and its row per threshold."""
    published, clean = metrics["test"]["published"], metrics["test"]["clean"]
    if published == clean:
        what = "no test image is a copy of a training image, so the published and the clean test are one"
        return _part("test", what, published, metrics["threshold"])
    both = {
        "published test": ("all test images", published),
        "clean test": ("without copies of training images", clean),
    }
    return "\n\n".join(_part(name, what, part, metrics["threshold"]) for name, (what, part) in both.items())


def runs_table(runs: dict[str, dict[str, Any]]) -> str:
    """Several runs, one row each: the verdicts of each run's own threshold on the clean test images.

    Args:
        runs: folder name -> the content of its `metrics.json`.
    """
    heads = [
        "run",
        "model",
        "data",
        "seed",
        "AUROC",
        "AP",
        "threshold",
        "F1 [95 %]",
        "F1 published",
        "precision",
        "recall",
    ]
    rows = [heads]
    for name, metrics in runs.items():
        clean, published = metrics["test"]["clean"], metrics["test"]["published"]
        at = clean["at"][metrics["threshold"]]
        about = [name, metrics["model"], metrics["data"], str(metrics["seed"])]
        ranking = [number(clean["auroc"], 4), number(clean["average_precision"], 4)]
        verdicts = [with_interval(at, "f1"), number(published["at"][metrics["threshold"]]["f1"])]
        rows.append([*about, *ranking, metrics["threshold"], *verdicts, number(at["precision"]), number(at["recall"])])
    return markdown_table(rows)


def details(metrics: dict[str, Any]) -> str:
    """False alarms by face and errors by shooting session, on the published test images at the run's own threshold."""
    faces = [["face", "normal", "false alarms"]]
    faces += [[name, str(row["normals"]), str(row["false_alarms"])] for name, row in metrics["faces"].items()]
    sessions = [["session", "normal", "false alarms", "anomalous", "misses"]]
    columns = ("normals", "false_alarms", "anomalies", "misses")
    sessions += [[name, *(str(row[k]) for k in columns)] for name, row in metrics["sessions"].items()]
    return (
        "All test images at the run's own threshold, by the face of the die (which nobody wrote down for the anomalous "
        f"ones) and by shooting session:\n\n{markdown_table(faces)}\n\n{markdown_table(sessions)}"
    )


def reasons(metrics: dict[str, Any]) -> list[str]:
    """Why figures are missing, each reason once."""
    found = {}
    for name, part in metrics["test"].items():
        for rule, row in part["at"].items():
            if "reason" in row:
                found.setdefault(row["reason"], f"{rule} on {name}: {row['reason']}")
    return list(found.values())


def _part(name: str, what: str, part: dict[str, Any], chosen: str) -> str:
    auroc, precision = (with_interval(part, figure) for figure in ("auroc", "average_precision"))
    head = f"{name} ({what}): {part['normals']} normal, {part['anomalies']} anomalous; AUROC {auroc}, AP {precision}"
    if part["class_accuracy"] is not None:
        head += f"; class of the normal images right: {part['class_accuracy']:.3f}"
        head += "" if part["face_accuracy"] is None else f", face: {part['face_accuracy']:.3f}"
    rows = [_HEADS, *(_row(rule, row, chosen) for rule, row in part["at"].items())]
    return f"{head}\n\n{markdown_table(rows)}"


def _row(rule: str, row: dict[str, Any], chosen: str) -> list[str]:
    name = _ROWS.get(rule, rule) + (" *" if rule == chosen else "")
    value = "n/a" if row["threshold"] is None else f"{row['threshold']:.5g}"
    value = {"flag_everything": "lowest", "per_class": "by class"}.get(rule, value)
    counts = ["n/a" if row[k] is None else str(row[k]) for k in ("tp", "fp", "fn", "tn")]
    figures = [with_interval(row, "f1"), number(row["precision"]), number(row["recall"])]
    return [name, value, *figures, *counts, row["fitted_on"] or "n/a"]
