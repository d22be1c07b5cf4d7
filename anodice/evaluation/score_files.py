"""Scores in a CSV file, a run's own or those of any program, as a score table."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anodice.data.records import UNKNOWN
from anodice.errors import AnodiceError, first_line, nearest
from anodice.evaluation.score_table import COLUMNS, ScoreTable

NEEDED = ("path", "score", "label")
"""The columns without which there is nothing to evaluate; `split`, `class`, `group` and more may stand beside them."""

_LABELS = {"0": False, "1": True, "false": False, "true": True, "normal": False, "anomalous": True}
_FLAGS = {"": False, "0": False, "1": True, "false": False, "true": True}
_BITS = {"0": False, "1": True}
_LATER = {"group", "near_leaked"}
"""Columns that runs of before lack."""
_SPLITS = {"validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
_LEARNED = ("train", "training", "fit")
"""Splits that are left out: scores of photos that were learned from say nothing."""

Row = Mapping[str, str]


class ScoreFile(NamedTuple):
    """What a file of scores holds.

    Attributes:
        table: its rows of validation and test.
        about: a sentence on where they come from and how they are split.
    """

    table: ScoreTable
    about: str


def read_score_file(path: Path) -> ScoreFile:
    """Read a CSV file with the columns `path`, `score` and `label`, a row per photo.

    `score` is any finite number, higher = more anomalous; `label` is 0 or 1 (also `normal` and `anomalous`), 1 for
    anomalous. Further columns are read where they are there: `split` (`validation` or `test`; `train` is left out),
    `class`, `group` (copies and frames of a burst share it), `session`, and what else a run's own `scores.csv` has.

    Without `split` the groups are dealt by a hash of their names, half of each label to validation and half to test:
    the same photos to the same part in every file. A threshold from the photos it is tested on would be an oracle.

    Raises:
        AnodiceError: no such file, another format, a column that is missing, a value that cannot be.
    """
    rows = _rows(path)
    labels = np.array(_column(path, rows, "label", _among(_LABELS)), dtype=bool)
    contents = [row.get("content") or row["path"] for row in rows]
    groups = [row.get("group") or content for row, content in zip(rows, contents, strict=True)]
    there = rows[0].keys()
    faces = _column(path, rows, "face", lambda word: int(word or 0)) if "face" in there else [0] * len(rows)
    leaked = _column(path, rows, "leaked", _among(_FLAGS)) if "leaked" in there else [False] * len(rows)
    near = _column(path, rows, "near_leaked", _among(_FLAGS)) if "near_leaked" in there else None
    kinds = ["ano" if anomalous else "normal" for anomalous in labels.tolist()]
    table = ScoreTable(
        path=np.array([row["path"] for row in rows]),
        split=np.array(_splits(path, rows, labels, groups)),
        class_name=np.array([row.get("class") or kind for row, kind in zip(rows, kinds, strict=True)]),
        face=np.array(faces),
        session=np.array([row.get("session") or UNKNOWN for row in rows]),
        label=labels,
        score=np.array(_column(path, rows, "score", _finite), dtype=np.float64),
        leaked=np.array(leaked, dtype=bool),
        content=np.array(contents),
        predicted=np.array([row.get("predicted") or "" for row in rows]),
        group=np.array(groups),
        near_leaked=None if near is None else np.array(near, dtype=bool),
    )
    _check_once(path, table)
    counts = Counter(table.split.tolist())
    kept = table.where(table.split != "train")
    return ScoreFile(kept, _about(path, counts, dealt="split" not in rows[0]))


def read_scores_csv(path: Path) -> ScoreTable:
    """Read the `scores.csv` of a run, which holds what `write_scores` wrote, to the last digit.

    Raises:
        AnodiceError: another format, a column that is missing, a value that cannot be.
    """
    rows = _rows(path, needed=tuple(name for name in COLUMNS if name not in _LATER), strip=False)
    _column(path, rows, "verdict", _BITS.__getitem__)
    there = rows[0].keys()
    looked = "near_leaked" in there and rows[0]["near_leaked"] != ""
    table = ScoreTable(
        path=np.array([row["path"] for row in rows]),
        split=np.array(_column(path, rows, "split", _own_split)),
        class_name=np.array([row["class"] for row in rows]),
        face=np.array(_column(path, rows, "face", lambda word: int(word or 0))),
        session=np.array([row["session"] for row in rows]),
        label=np.array(_column(path, rows, "label", _BITS.__getitem__), dtype=bool),
        score=np.array(_column(path, rows, "score", _finite), dtype=np.float64),
        leaked=np.array(_column(path, rows, "leaked", _BITS.__getitem__), dtype=bool),
        content=np.array([row["content"] for row in rows]),
        predicted=np.array([row["predicted"] for row in rows]),
        group=np.array([row.get("group") or row["content"] for row in rows]),  # runs of before have contents alone
        near_leaked=np.array(_column(path, rows, "near_leaked", _BITS.__getitem__), dtype=bool) if looked else None,
    )
    _check_once(path, table)
    return table


def _own_split(word: str) -> str:
    if word not in ("validation", "test"):
        raise ValueError(word)
    return word


def _rows(path: Path, *, needed: Sequence[str] = NEEDED, strip: bool = True) -> list[dict[str, str]]:
    """The rows of the file by column, checked for their shape."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnodiceError(
            f"expected a CSV file in UTF-8 with the columns {', '.join(needed)}, but {path} cannot be read "
            f"({first_line(error)}); name another file."
        ) from error
    heads = [head.strip().lower() for head in lines[0]] if lines else []
    missing = [name for name in needed if name not in heads]
    if missing:
        other = next((mark for mark in (";", "\t", "|") if len(heads) == 1 and mark in heads[0]), None)
        if other is not None:
            raise AnodiceError(
                f"expected commas between the columns of {path}, got {other!r}; save it with commas, and with points "
                "in its numbers."
            )
        near = {name: nearest(name, heads, most=1) for name in missing}
        hint = "".join(f"; is {found[0]} the {name}?" for name, found in near.items() if found)
        raise AnodiceError(
            f"expected the columns {', '.join(needed)} in the first line of {path}, {', '.join(missing)} is missing "
            f"among {', '.join(heads) or 'none'}{hint or '; name the columns so.'}"
        )
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(heads):
            raise AnodiceError(
                f"expected {len(heads)} values in row {number} of {path}, one for each column, got {len(line)}; put "
                "values that hold a comma between quotes."
            )
    if len(lines) < 2:
        raise AnodiceError(f"expected a row for each photo in {path}, got the names of the columns alone; add scores.")
    words = ([word.strip() for word in line] if strip else line for line in lines[1:])
    return [dict(zip(heads, line, strict=True)) for line in words]


def _column(path: Path, rows: Sequence[Row], name: str, read: Callable[[str], object]) -> list:
    """The values of a column, each read; one that cannot be is told with its row."""
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(read(row[name]))
        except (ValueError, KeyError) as error:
            raise AnodiceError(
                f"expected {_EXPECTED[name]} in the column {name} of {path}, got {row[name]!r} in row {number}; mend "
                "or leave out that row."
            ) from error
    return found


_EXPECTED = {
    "label": "0 (normal) or 1 (anomalous)",
    "score": "a finite number such as 0.25",
    "face": "a whole number or nothing",
    "verdict": "0 or 1",
    "leaked": "0 or 1",
    "near_leaked": "0 or 1",
    "split": "validation or test",
}


def _among(known: Mapping[str, bool]) -> Callable[[str], bool]:
    return lambda word: known[word.lower().removesuffix(".0")]


def _finite(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(word)
    return value


def _splits(path: Path, rows: Sequence[Row], labels: NDArray[np.bool_], groups: Sequence[str]) -> list[str]:
    """`validation`, `test` or `train` of each row."""
    if "split" not in rows[0]:
        return _dealt(labels, groups)
    known = _SPLITS | dict.fromkeys(_LEARNED, "train")
    found: list[str] = _column(path, rows, "split", lambda word: known[word.lower()])
    for part in ("validation", "test"):
        if part not in found:
            raise AnodiceError(
                f"expected rows of validation and of test in the column split of {path}, got none of {part}; leave the "
                "column out to have the photos divided by halves."
            )
    return found


def _dealt(labels: NDArray[np.bool_], groups: Sequence[str]) -> list[str]:
    """Half of the groups of each label to either part, by a hash of their names."""
    anomalous = {group for group, label in zip(groups, labels.tolist(), strict=True) if label}
    part: dict[str, str] = {}
    for kind in (anomalous, set(groups) - anomalous):
        order = sorted(kind, key=lambda group: hashlib.blake2b(group.encode()).digest())
        part |= dict.fromkeys(order[::2], "test") | dict.fromkeys(order[1::2], "validation")
    return [part[group] for group in groups]


def _check_once(path: Path, table: ScoreTable) -> None:
    most, times = Counter(table.path.tolist()).most_common(1)[0]
    if times > 1:
        raise AnodiceError(
            f"expected each photo once in {path}, got {most} {times} times; where these are different photos, write "
            "their folders into the column path as well."
        )


def _about(path: Path, counts: Mapping[str, int], *, dealt: bool) -> str:
    rows = f"{path.name}, {counts['validation']} photos of validation and {counts['test']} of test"
    if dealt:
        return (
            f"{rows}; it has no column split, so half of the photos of each label, chosen by a hash of their names, "
            "fit the thresholds, and the other half test them"
        )
    return rows + (f"; {counts['train']} of the training are left out" if counts.get("train") else "")
