"""Several runs against each other, in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, count, product
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anodice.evaluation.score_table import ScoreTable, same_images
from anodice.metrics.comparison import Comparison, compare
from anodice.reporting.markdown import comparisons_table, markdown_table
from anodice.thresholds.fitted import FittedThresholds

_LONG = 16
"""Characters of a name that tables have no room for beside the figures."""
_LISTED = 10
"""How many images are named on which two runs differ."""


class Evaluated(NamedTuple):
    """What is known of an evaluated run: the content of its `metrics.json`, its thresholds and its scores."""

    metrics: dict[str, Any]
    fitted: FittedThresholds
    table: ScoreTable


def compared(evaluated: Mapping[str, Evaluated], *, width: int | None = None) -> str:
    """Each pair of runs with the same test images against each other; runs of long names are given letters.

    Args:
        evaluated: name of the run -> what is known of it.
        width: characters that the table may be wide; the least important columns are left out. None for all of them.
    """
    if max(map(len, evaluated)) > _LONG:
        letters = dict(zip(evaluated, _letters(), strict=False))
        told = "\n".join(f"- {letter}: {name}" for name, letter in letters.items())
        return f"{told}\n\n{compared({letters[name]: done for name, done in evaluated.items()}, width=width)}"
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
    return "\n\n".join([words, comparisons_table(found, width=width), *lists, *others])


def _letters() -> Iterator[str]:
    """`A` to `Z`, then `AA`, `AB` and so on."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))


def _differing(
    names: tuple[str, str], tables: tuple[ScoreTable, ScoreTable], flags: list[NDArray[np.bool_]], found: Comparison
) -> str:
    """The images on which two runs differ, with the score and the verdict of each."""
    if not found.differing:
        return f"{names[0]} and {names[1]} give the same verdict on each of the {found.images} images."
    rows = [["image", "in truth", *names]]
    words = ("normal", "anomalous")
    for k in found.differing[:_LISTED]:
        said = [f"{words[int(f[k])]} ({t.score[k]:.4g})" for f, t in zip(flags, tables, strict=True)]
        rows.append([str(tables[0].path[k]), words[int(tables[0].label[k])], *said])
    differing = len(found.differing)
    title = f"{names[0]} and {names[1]} differ on {differing} of {found.images} images"
    return f"{title}{f', the first {_LISTED} of which are' if differing > _LISTED else ''}:\n\n{markdown_table(rows)}"
