"""What `predict.py` leaves for programs and people: `predictions.csv`, `predictions.jsonl`, pictures of the maps."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any, Self, TextIO

from anodice.errors import AnodiceError
from anodice.prediction.prediction import Prediction, Unreadable

TABLE, LINES, MAPS = "predictions.csv", "predictions.jsonl", "maps"
COLUMNS = ("path", "score", "threshold", "verdict", "class", "face", "width", "height", "regions", "reason")

UNREADABLE = "unreadable"
"""The verdict of a file that is no photo."""


class PredictionFiles:
    """Writes each prediction as it comes, in bounded memory: a line of JSON, and a row of CSV.

    A row's `regions` are boxes `left top right bottom`, the highest peak first, separated by semicolons.

    Args:
        folder: made where it is missing.
        maps: write a picture of each photo, its map and its regions into `maps/`.

    Raises:
        AnodiceError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, maps: bool) -> None:
        self.folder, self.maps = folder, maps
        (folder / MAPS if maps else folder).mkdir(parents=True, exist_ok=True)
        self.count = _mended(folder)
        self._lines: TextIO = (folder / LINES).open("a", encoding="utf-8")
        self._table: TextIO = (folder / TABLE).open("a", encoding="utf-8", newline="")
        self._rows = csv.DictWriter(self._table, COLUMNS, extrasaction="ignore")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()
        self._table.close()

    def add(self, one: Prediction | Unreadable) -> None:
        """Write what was said of one photo."""
        if self.maps and isinstance(one, Prediction):
            one.overlay().save(self.folder / MAPS / f"{self.count + 1:06d}_{_slug(one.name)}.png")
        row = row_of(one)
        self._lines.write(json.dumps(row, allow_nan=False) + "\n")
        self._rows.writerow(_cells(row))
        self._lines.flush()
        self._table.flush()
        self.count += 1


def _mended(folder: Path) -> int:
    """Write both files anew from the whole lines of JSON that an earlier prediction left; how many there are."""
    rows = read_lines(folder / LINES)
    beside = {name: folder / f".{name}.new" for name in (LINES, TABLE)}
    beside[LINES].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with beside[TABLE].open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(map(_cells, rows))
    for name, new in beside.items():
        new.replace(folder / name)
    return len(rows)


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table, with its regions as words."""
    boxes = ("{} {} {} {}".format(*region["box"]) for region in row.get("regions", []))
    return {**row, "path": for_spreadsheets(row["path"]), "regions": "; ".join(boxes)}


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheets(name: str) -> str:
    """A name that no spreadsheet computes: one that begins as a formula stands behind an apostrophe.

    >>> for_spreadsheets("=1+1.png"), for_spreadsheets("a.png")
    ("'=1+1.png", 'a.png')
    """
    return f"'{name}" if name.startswith(_FORMULA) else name


def row_of(one: Prediction | Unreadable) -> dict[str, Any]:
    """Plain values of a prediction; of an unreadable file its path, that verdict and the `reason`."""
    if isinstance(one, Prediction):
        return one.as_dict()
    return {"path": one.name, "verdict": UNREADABLE, "reason": one.reason}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What an earlier prediction left in `predictions.jsonl`, without a last line that was cut; nothing without a file.

    Raises:
        AnodiceError: a line before the last is none of ours.
    """
    if not path.is_file():
        return []
    rows, lines = [], path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({**row, "path": str(row["path"]), "verdict": str(row["verdict"])})
        except (ValueError, KeyError, TypeError) as error:
            if number < len(lines):
                raise AnodiceError(
                    f"expected predictions in {path}, but line {number} is none; name another folder with out=."
                ) from error
    return rows


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:60]
