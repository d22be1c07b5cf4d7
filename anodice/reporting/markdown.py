"""The figures of `metrics.json` as sentences and tables for people who see them for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anodice.metrics.comparison import Comparison, Difference
from anodice.thresholds.fitted import FittedThresholds

_ROWS = {
    "f1_max": "f1_max",
    "normals_only": "normals_only",
    "oracle": "oracle (hindsight)",
    "flag_everything": "flag everything",
    "flag_nothing": "flag nothing",
    "random": "flag at random",
}
_HEADS = (
    *("threshold", "value", "F1 [95 %]", "precision [95 %]", "recall [95 %]", "accuracy [95 %]"),
    *("tp", "fp", "fn", "tn", "fitted on"),
)
_CLASSES = {"dsm": "dish"}
"""What a class of some data is called, in place of `class`."""

_FIRST = (0, 2, 6, 7, 8, 9, 1, 3, 4, 5, 10)
"""The columns of `_HEADS`, the most important first: those that a narrow terminal shows."""
_FIRST_OF_RUNS = (0, 7, 4, 5, 11, 6, 3, 1, 2, 9, 10, 8, 13, 12, 14)
"""The columns of `runs_table`, the most important first."""
_FIRST_OF_PAIRS = (0, 1, 2, 7, 3, 4, 5, 6)
"""Those of `comparisons_table`."""


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the first of them the head, as a Markdown table that also reads well unrendered.

    >>> print(markdown_table([["a", "b"], ["1", "23"]]))
    | a | b  |
    |---|----|
    | 1 | 23 |
    """
    rows = [[_cell(word) for word in row] for row in rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(word: str) -> str:
    """A word that breaks no table and is no HTML, such as the name of a folder.

    >>> _cell("a | <b>")
    'a \\\\| &lt;b>'
    """
    return " ".join(word.splitlines()).replace("|", "\\|").replace("<", "&lt;")


def fitting(rows: Sequence[Sequence[str]], order: Sequence[int], width: int | None) -> Sequence[Sequence[str]]:
    """The columns of a table that fit side by side, as they stood.

    Args:
        rows: of cells, the first of them the head.
        order: the numbers of the columns, the most important first, which is always kept.
        width: characters that the rendered table may be wide; None for all columns.

    >>> fitting([["run", "long name", "F1"], ["a", "b", "0.9"]], order=(0, 2, 1), width=13)
    [['run', 'F1'], ['a', '0.9']]
    """
    if width is None:
        return rows
    widths = [max(len(row[k]) for row in rows) + 3 for k in range(len(rows[0]))]
    kept: list[int] = []
    for column in order:
        if not kept or 1 + sum(widths[k] for k in (*kept, column)) <= width:
            kept.append(column)
    return [[row[k] for k in sorted(kept)] for row in rows]


def number(value: float | None, digits: int = 3) -> str:
    """A figure for people; `n/a` for None."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def with_interval(found: dict[str, Any], name: str, digits: int = 2) -> str:
    """A figure and its interval, such as `0.981 [0.96, 0.99]`; `n/a` where it cannot be had."""
    value, low, high = (found.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None or low is None or high is None:
        return number(value)
    return f"{value:.3f} [{low:.{digits}f}, {high:.{digits}f}]"


def headline(metrics: dict[str, Any]) -> str:
    """The one sentence to quote: what the run's own threshold found and missed on the clean test images."""
    part = metrics["test"]["clean"]
    row = part["at"][metrics["threshold"]]
    if metrics["threshold"] == "oracle":
        words = "ORACLE, no result: at the threshold that is best for these very test images"
    elif row["fitted_on"].startswith("validation"):
        words = f"At the threshold that {metrics['threshold']} fitted on validation"
    else:
        words = f"At the threshold of the rule {metrics['threshold']}, which was fitted on {row['fitted_on']}"
    return f"{words}, {_found(part, row)}."


def distinct_line(metrics: dict[str, Any]) -> str | None:
    """The same of the distinct test; None where it is the clean one, or where nobody has looked for near copies."""
    near = metrics.get("near_leaked")
    if not near:
        return None
    part = metrics["test"]["distinct"]
    left = f"{part['normals']} normal and {part['anomalies']} anomalous"
    if part["normals"] + part["anomalies"] == 0:
        return "no image is left of the test without near copies of training images."
    told = _found(part, part["at"][metrics["threshold"]])
    return f"without the {near} near copies, {left} images are left; at the same threshold, {told}."


def _found(part: dict[str, Any], row: dict[str, Any]) -> str:
    """What a threshold found and missed on a test."""
    caught, alarms = _of(row["tp"], part["anomalies"], "anomalous image"), _plural(row["fp"], "false alarm")
    raised = f"raised {alarms} on {_plural(part['normals'], 'normal one')}" if part["normals"] > 0 else ""
    if part["anomalies"] == 0:
        return f"it {raised}; there was no anomalous image to find, so nobody knows what it misses"
    known = f"it found {caught}" + (f" and {raised}" if raised else "")
    return f"{known} (F1 {row['f1']:.2f}, 95 % interval {row['f1_low']:.2f} to {row['f1_high']:.2f})"


def summary(metrics: dict[str, Any], fitted: FittedThresholds) -> str:
    """What a report starts with: what was trained and tested, the result, warnings, the tables and how to read them."""
    return "\n\n".join([opening(metrics, fitted), table(metrics), f"## How to read this\n\n{legend(metrics)}"])


def opening(metrics: dict[str, Any], fitted: FittedThresholds) -> str:
    """What was trained and tested, the result and the warnings."""
    oracle = ", ORACLE threshold" if metrics["threshold"] == "oracle" else ""
    distinct = distinct_line(metrics)
    lines = [
        _origin(metrics),
        f"- Tested: {about_test(metrics)}",
        f"- Result: **{headline(metrics)}**",
        *([] if distinct is None else [f"- Distinct: {distinct}"]),
        f"- Threshold: {fitted.chosen.sentence()}.",
        *(f"- **WARNING**: {warning}" for warning in metrics["warnings"]),
    ]
    title = f"{metrics['model']} on {metrics['data']}" if metrics.get("scores") is None else metrics["data"]
    return "\n".join([f"# {title}{oracle}", "", *lines])


def _origin(metrics: dict[str, Any]) -> str:
    """What was trained, or, of scores from elsewhere, where they come from."""
    if metrics.get("scores") is not None:
        return f"- Scores: {metrics['scores']}."
    seconds, speed = metrics["fit_seconds"], metrics["fit_images_per_second"]
    trained = "not timed" if seconds is None else f"{seconds:.0f} s of training"
    trained += "" if speed is None else f" at {speed:.0f} images/s"
    return (
        f"- Trained: {metrics['model']} with {metrics['parameters']:,} parameters on {metrics['data']}, seed "
        f"{metrics['seed']}, {trained}."
    )


def about_test(metrics: dict[str, Any]) -> str:
    """What the test images are, and how many of them are copies and near copies of training images."""
    published, clean = metrics["test"]["published"], metrics["test"]["clean"]
    total = published["normals"] + published["anomalies"]
    words = f"{total} images, {published['normals']} normal and {published['anomalies']} anomalous"
    nearly = f" {metrics['near_leaked']} of these are near copies." if metrics.get("near_leaked") else ""
    if metrics["leaked"] == 0:
        return f"{words}; none is a copy of a training image.{nearly}"
    return (
        f"{words} (the published test), but {metrics['leaked']} of them are copies of training images. Without these "
        f"{clean['normals']} normal and {clean['anomalies']} anomalous ones are left: the clean test, which counts."
        f"{nearly}"
    )


def table(metrics: dict[str, Any]) -> str:
    """The tests of one run, the clean one first, each with its ranking figures and its row per threshold."""
    leaked, near = metrics["leaked"], metrics.get("near_leaked")
    titles = {"clean": "Test" if leaked == 0 else "Clean test: without copies of training images"}
    if near:
        titles["distinct"] = f"Distinct test: also without near copies of training images ({near})"
    if leaked > 0:
        titles["published"] = f"Published test: with copies of training images ({leaked})"
    return "\n\n".join(_part(title, metrics["test"][name], metrics["threshold"]) for name, title in titles.items())


def thresholds_table(part: dict[str, Any], chosen: str, *, width: int | None = None) -> str:
    """A row per threshold of one test split.

    Args:
        chosen: the run's own rule.
        width: characters that it may be wide; the least important columns are left out. None for all of them.
    """
    rows = [_HEADS, *(_row(rule, row, chosen) for rule, row in (part["at"] | part["baselines"]).items())]
    return markdown_table(fitting(rows, _FIRST, width))


def legend(metrics: dict[str, Any]) -> str:
    """What the rows and the columns of the tables mean."""
    lines = [
        "`*` marks the run's own threshold. An image is anomalous when its score is at least the threshold; anomalous "
        "is the positive class: tp are anomalies found, fn anomalies missed, fp false alarms, tn normal images passed.",
        "`f1_max` is the threshold with the highest F1 on the validation images; `normals_only` looks at their normal "
        "ones alone.",
        "`oracle (hindsight)` is the best threshold for the test images themselves: an upper bound, never a result.",
        "`flag everything`, `flag nothing` and `flag at random` (as many as are anomalous, on average) need no "
        "detector: whatever is no better is worth nothing.",
        "Brackets hold 95 % intervals: so far the figure for all photos of this kind may lie from the one that these "
        "few test images give. An interval counts copies as one image.",
        "Prevalence is the share of anomalous images. Precision, F1 and AP depend on it: they would be lower where "
        "anomalies are rarer.",
        "Accuracy: the share of all images that are judged right. Where anomalies are rare, a detector that finds none "
        "of them has a high one, as the row of `flag nothing` shows: quote F1.",
        "AUROC: how often an anomalous image scores above a normal one. AP: precision, averaged over the recalls. Both "
        "judge the order of the scores and need no threshold.",
    ]
    if metrics.get("near_leaked"):
        lines.append(
            "The distinct test leaves out near copies of images that were fitted or validated, too: other frames of "
            "the same burst, and the same photo re-encoded, shifted or turned."
        )
    lines += [f"n/a: {reason}" for reason in reasons(metrics)]
    return "\n".join(f"- {line}" for line in lines)


def runs_table(runs: dict[str, dict[str, Any]], *, width: int | None = None) -> str:
    """Several runs, one row each: the verdicts of each run's own threshold on the clean test images, and the cost.

    Args:
        runs: folder name -> the content of its `metrics.json`.
        width: characters that it may be wide; the least important columns are left out. None for all of them.
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
        "normals_only F1 [95 %]",
        "parameters",
        "training",
        "ms/image",
    ]
    rows = [heads]
    for name, metrics in runs.items():
        clean, published = metrics["test"]["clean"], metrics["test"]["published"]
        at = clean["at"][metrics["threshold"]]
        about = [name, metrics["model"], metrics["data"], str(metrics["seed"])]
        ranking = [number(clean["auroc"], 4), number(clean["average_precision"], 4)]
        verdicts = [with_interval(at, "f1"), number(published["at"][metrics["threshold"]]["f1"])]
        threshold = _ROWS.get(metrics["threshold"], metrics["threshold"])
        verdicts += [number(at["precision"]), number(at["recall"]), with_interval(clean["at"]["normals_only"], "f1")]
        seconds = metrics["fit_seconds"]
        size = metrics["parameters"]
        cost = ["n/a" if size is None else f"{size:,}", "n/a" if seconds is None else f"{seconds:.0f} s"]
        rows.append([*about, *ranking, threshold, *verdicts, *cost, number(metrics.get("score_milliseconds"), 1)])
    return markdown_table(fitting(rows, _FIRST_OF_RUNS, width))


def comparisons_table(found: dict[tuple[str, str], Comparison], *, width: int | None = None) -> str:
    """Pairs of runs on the same images, a row each: differences of the first's figures minus the second's.

    Args:
        found: names of the two runs -> their comparison.
        width: characters that it may be wide; the least important columns are left out. None for all of them.
    """
    heads = ["first", "second", "F1 [95 %]", "AUROC [95 %]", "AP [95 %]", "only first right", "only second right", "p"]
    rows = [heads]
    for names, pair in found.items():
        figures = [_signed(d) for d in (pair.f1, pair.auroc, pair.average_precision)]
        rows.append([*names, *figures, str(pair.only_first_right), str(pair.only_second_right), f"{pair.p_value:.3g}"])
    return markdown_table(fitting(rows, _FIRST_OF_PAIRS, width))


def details(metrics: dict[str, Any]) -> str:
    """False alarms by face and errors by shooting session, on the clean test images at the run's own threshold.

    Of photos of anything but dice, the classes take the place of the faces.
    """
    part = metrics["test"]["clean"]
    known = part["faces"].keys() - {"0"}
    kind = "face" if known else _CLASSES.get(metrics["data"], "class")
    rows = part["faces"] if known else part.get("classes", part["faces"])
    faces = [[kind, "normal", "false alarms", "rate [95 %]"]]
    for name, row in rows.items():
        faces.append([name, str(row["normals"]), str(row["false_alarms"]), with_interval(row, "false_alarm_rate")])
    sessions = [["session", "normal", "false alarms", "rate [95 %]", "anomalous", "misses", "rate [95 %]"]]
    for name, row in part["sessions"].items():
        alarms = [str(row["normals"]), str(row["false_alarms"]), with_interval(row, "false_alarm_rate")]
        misses = [str(row["anomalies"]), str(row["misses"]), with_interval(row, "miss_rate")]
        sessions.append([name, *alarms, *misses])
    oracle = " (ORACLE)" if metrics["threshold"] == "oracle" else ""
    why = (
        "Nobody wrote down the faces of the anomalous images, so the first table has the normal ones alone. "
        if kind == "face"
        else "The first table has the normal images alone. "
    )
    if set(part["sessions"]) == {"unknown"}:
        return f"## By {kind}\n\nThe clean test at the run's own threshold{oracle}. {why}\n\n{markdown_table(faces)}"
    return (
        f"## By {kind} and by shooting session\n\nThe clean test at the run's own threshold{oracle}. {why}A detector "
        f"that errs in one session only has trouble with its light.\n\n{markdown_table(faces)}\n\n"
        f"{markdown_table(sessions)}"
    )


def reasons(metrics: dict[str, Any]) -> list[str]:
    """Why figures are missing, each reason once."""
    found = {}
    for part in metrics["test"].values():
        for rule, row in (part["at"] | part["baselines"]).items():
            if "reason" in row:
                found.setdefault(row["reason"], f"{_ROWS.get(rule, rule)}: {row['reason']}")
    return list(found.values())


def _part(title: str, part: dict[str, Any], chosen: str) -> str:
    auroc, precision, rate = (
        with_interval(part, figure, 3) for figure in ("auroc", "average_precision", "false_positive_rate_at_95_recall")
    )
    at = part["at"][chosen]
    facts = [
        f"{part['normals']} normal, {part['anomalies']} anomalous (prevalence {number(part['prevalence'])})",
        f"AUROC {auroc}, AP {precision}",
        f"false-positive rate at 95 % recall {rate}",
        f"false-alarm rate at the run's threshold: pooled over the images {with_interval(at, 'false_alarm_rate', 3)}, "
        f"mean over the classes {number(at['mean_class_false_alarm_rate'])}",
    ]
    if (slight := part.get("slight")) is not None:
        both = _plural(slight["anomalies"] + slight["normals"], "image")
        facts.append(f"{both} of the alarms are slight anomalies, {slight['normals']} of them on normal images")
    if part["class_accuracy"] is not None:
        faces = "" if part["face_accuracy"] is None else f", face of {part['face_accuracy']:.3f}"
        facts.append(f"takes {part['class_accuracy']:.3f} of the normal images for the right class{faces}")
    if part.get("pixels", {}).get("auroc") is not None:
        facts.append(_pixels(part["pixels"]))
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"## {title}\n\n{listed}\n\n{thresholds_table(part, chosen)}"


def _pixels(found: dict[str, Any]) -> str:
    """How well the anomaly maps point at the defects, in a line."""
    threshold = "" if found["f1_max"] is None else f"F1 {found['f1_max']:.3f} at the threshold from validation, "
    return (
        f"pixels, where {_plural(found['images_with_masks'], 'image')} have a mask of their defects: "
        f"AUROC {found['auroc']:.3f}, AUPRO {found['aupro']:.3f} (up to a false-positive rate of 0.3), "
        f"{threshold}F1 {found['f1_max_oracle']:.3f} at the oracle's"
    )


def _row(rule: str, row: dict[str, Any], chosen: str) -> list[str]:
    name = _ROWS.get(rule, rule) + (" *" if rule == chosen else "")
    value = "n/a" if row.get("threshold") is None else f"{row['threshold']:.5g}"
    words = {"flag_everything": "lowest", "per_class": "by class", "flag_nothing": "none", "random": "none"}
    counts = ["n/a" if row.get(k) is None else str(row[k]) for k in ("tp", "fp", "fn", "tn")]
    figures = [with_interval(row, figure) for figure in ("f1", "precision", "recall", "accuracy")]
    fitted_on = "nothing" if "fitted_on" not in row else row["fitted_on"] or "n/a"
    return [name, words.get(rule, value), *figures, *counts, fitted_on]


def _signed(difference: Difference) -> str:
    if difference.value is None:
        return "n/a"
    if difference.interval is None:
        return f"{difference.value:+.3f} [n/a]"
    return f"{difference.value:+.3f} [{difference.interval.low:+.3f}, {difference.interval.high:+.3f}]"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _of(part: int, whole: int, what: str) -> str:
    return f"{part} of {_plural(whole, what)}"
