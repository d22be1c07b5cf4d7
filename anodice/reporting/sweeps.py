"""A sweep in one table: a row for each configuration, its figures over seeds and folds."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anodice.app.sweep_folder import is_group, short_key
from anodice.metrics.repeats import Spread, spread
from anodice.reporting.markdown import markdown_table, number

INTERVAL = "95 % interval of the mean by Student's t"

_REPEATS = ("seed", "fold")
"""Last parts of the keys that tell repetitions of one configuration apart."""

_LONGEST, _MOST = 26, 20
"""Characters of a configuration, and configurations, on the console."""


class Trained(NamedTuple):
    """A finished job: its overrides, key -> value, and the content of its `metrics.json`."""

    values: Mapping[str, str]
    metrics: Mapping[str, Any]


class Configuration(NamedTuple):
    """The jobs that differ in seed or fold alone.

    Attributes:
        told: what tells it from the others.
        jobs: their names.
        figures: name of the figure -> its spread over them.
    """

    told: str
    jobs: tuple[str, ...]
    figures: Mapping[str, Spread]


def configurations(trained: Mapping[str, Trained], optimized: str) -> list[Configuration]:
    """The finished jobs by configuration, in the order of the jobs.

    Args:
        trained: name of the job -> what it left.
        optimized: the validation figure by which the best is chosen, `auroc` or `average_precision`.
    """
    members: dict[str, list[str]] = {}
    for name, label in _told_apart(trained).items():
        members.setdefault(label, []).append(name)
    return [
        Configuration(label, tuple(names), _spreads([trained[name].metrics for name in names], optimized))
        for label, names in members.items()
    ]


def best(found: Sequence[Configuration]) -> list[Configuration]:
    """Those with the highest mean of the validation figure; several where it is the same, none where none has it."""
    means = [c.figures["validation"].mean for c in found]
    highest = max((mean for mean in means if mean is not None), default=None)
    return [c for c, mean in zip(found, means, strict=True) if mean is not None and mean == highest]


def short_name(configuration: Configuration, most: int) -> str:
    """What tells a configuration in so many characters: else its job, where it has one, or what fits of it."""
    told = configuration.told
    if len(told) > most and len(configuration.jobs) == 1:
        told = configuration.jobs[0]
    return told if len(told) <= most else f"{told[: most - 1]}…"


def console(found: Sequence[Configuration], optimized: str) -> str:
    """The table for a terminal of 80 columns: the most telling figures of the best configurations."""
    chosen = best(found)
    order = sorted(found, key=lambda c: -(c.figures["validation"].mean or 0.0))[:_MOST] if len(found) > _MOST else found
    rows = [["configuration", "n", "validation", "test F1 [95 % t]", "AUROC"]]
    for c in order:
        star = " *" if c in chosen else ""
        figures = [_short(c.figures["validation"]), _interval(c.figures["f1"]), number(c.figures["auroc"].mean)]
        rows.append([short_name(c, _LONGEST - len(star)) + star, str(len(c.jobs)), *figures])
    more = f"\nthe first {_MOST} of {len(found)} configurations, by validation" if len(found) > _MOST else ""
    told = "".join(f"\nbest: {c.told}" for c in chosen[:3] if len(c.told) > _LONGEST)
    return f"{markdown_table(rows)}{more}\n{legend(optimized)}{told}"


def legend(optimized: str) -> str:
    """What the columns mean."""
    return (
        f"* best by {optimized.replace('_', ' ')} of validation; test figures choose nothing. n: seeds\n"
        "and folds. Test: clean images, each run's own threshold. ±: deviation.\n"
        f"[..]: {INTERVAL}."
    )


def markdown(found: Sequence[Configuration], optimized: str, failed: Mapping[str, str]) -> str:
    """All columns, with what a reader needs to know of them, and the failed jobs."""
    chosen, names = best(found), list(_FIGURES)
    rows = [["configuration", "n", *(_HEADS.get(name, name) for name in names), "jobs"]]
    for c in found:
        cells = [_whole(c.figures[name], _DIGITS.get(name, 3)) for name in names]
        rows.append([c.told + (" *" if c in chosen else ""), str(len(c.jobs)), *cells, ", ".join(c.jobs)])
    words = f"Each figure is the mean ± the deviation over the jobs of a row, and in brackets the {INTERVAL}."
    return "\n\n".join(
        [
            "# Sweep",
            f"{words} {legend(optimized)}",
            markdown_table(rows) if found else "No job has finished.",
            *([f"## Failed\n\n{failures(failed)}"] if failed else []),
        ]
    )


def failures(failed: Mapping[str, str]) -> str:
    """The failed jobs, each with its reason."""
    return "\n".join(f"- {name}: {reason}" for name, reason in failed.items())


def write_csv(path: Path, found: Sequence[Configuration], failed: Mapping[str, str]) -> None:
    """A row for each configuration and each failed job; empty cells for what cannot be had."""
    chosen = best(found)
    parts = ("n", "mean", "deviation", "low", "high")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["configuration", "best", "jobs", *(f"{name}_{part}" for name in _FIGURES for part in parts), "failed"]
        )
        for c in found:
            cells = ["" if cell is None else cell for name in _FIGURES for cell in c.figures[name]]
            writer.writerow([c.told, int(c in chosen), " ".join(c.jobs), *cells, ""])
        for name, reason in failed.items():
            writer.writerow(["", 0, name, *[""] * (len(_FIGURES) * len(parts)), reason])


def _own(metrics: Mapping[str, Any], part: str = "clean") -> Mapping[str, Any]:
    return metrics["test"][part]["at"][metrics["threshold"]]


_FIGURES: dict[str, Callable[[Mapping[str, Any], str], float | None]] = {
    "validation": lambda m, optimized: m["validation"][optimized],
    "f1": lambda m, _: _own(m)["f1"],
    "precision": lambda m, _: _own(m)["precision"],
    "recall": lambda m, _: _own(m)["recall"],
    "auroc": lambda m, _: m["test"]["clean"]["auroc"],
    "average_precision": lambda m, _: m["test"]["clean"]["average_precision"],
    "f1_normals_only": lambda m, _: m["test"]["clean"]["at"].get("normals_only", {}).get("f1"),
    "f1_published": lambda m, _: _own(m, "published")["f1"],
    "parameters": lambda m, _: m["parameters"],
    "fit_seconds": lambda m, _: m["fit_seconds"],
    "score_milliseconds": lambda m, _: m.get("score_milliseconds"),
}
"""Name -> how it is read from `metrics.json`; the test figures are of the clean images, but for the published F1."""

_HEADS = {
    "validation": "validation",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "AP",
    "f1_normals_only": "F1, normals_only",
    "f1_published": "F1, copies included",
    "fit_seconds": "training, s",
    "score_milliseconds": "ms/image",
}
_DIGITS = {"auroc": 4, "average_precision": 4, "validation": 4, "parameters": 0, "fit_seconds": 0}
_AMOUNTS = ("parameters", "fit_seconds", "score_milliseconds")


def _spreads(metrics: Sequence[Mapping[str, Any]], optimized: str) -> dict[str, Spread]:
    return {
        name: spread([read(m, optimized) for m in metrics], within=(0, float("inf") if name in _AMOUNTS else 1))
        for name, read in _FIGURES.items()
    }


def _told_apart(trained: Mapping[str, Trained]) -> dict[str, str]:
    """Name of the job -> the values that tell its configuration from the others."""
    keys = [
        key
        for key in dict.fromkeys(key for found in trained.values() for key in found.values)
        if key.rpartition(".")[2] not in _REPEATS and len({found.values.get(key) for found in trained.values()}) > 1
    ]
    return {
        name: " ".join(_word(key, found.values[key], keys) for key in keys if key in found.values)
        or f"{found.metrics['model']} on {found.metrics['data']}"
        for name, found in trained.items()
    }


def _word(key: str, value: str, keys: Sequence[str]) -> str:
    return value if is_group(key) else f"{short_key(key, keys)}={_shorter(value)}"


def _shorter(value: str) -> str:
    """A number in few digits, anything else as it is.

    >>> _shorter("0.00044909209274763987"), _shorter("dice11")
    ('0.000449', 'dice11')
    """
    try:
        return f"{float(value):.3g}" if len(value) > 8 else value
    except ValueError:
        return value


def _short(figure: Spread) -> str:
    deviation = "" if figure.deviation is None else f" ± {figure.deviation:.3f}"
    return f"{number(figure.mean)}{deviation}"


def _interval(figure: Spread) -> str:
    between = "" if figure.low is None else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{number(figure.mean)}{between}"


def _whole(figure: Spread, digits: int) -> str:
    if figure.deviation is None:
        return number(figure.mean, digits)
    between = ", ".join(number(end, digits) for end in (figure.low, figure.high))
    return f"{number(figure.mean, digits)} ± {number(figure.deviation, digits)} [{between}]"
