"""What was found in many photos: counts, the strangest of them, what could not be read."""

from __future__ import annotations

import heapq
import time
from itertools import count
from pathlib import Path

from rich.cells import cell_len

from anodice.app.console import width
from anodice.prediction.prediction import Prediction, Unreadable

SHOWN = 20
"""Photos and unreadable files that are told one by one, at most."""


class Tally:
    """Gathers predictions in bounded memory."""

    def __init__(self) -> None:
        self.normal = self.anomalous = self.unreadable = 0
        self._first_unreadable: list[Unreadable] = []
        self._strangest: list[tuple[float, int, Prediction]] = []
        self._order, self._began = count(0, -1), time.monotonic()

    @property
    def photos(self) -> int:
        """How many were scored."""
        return self.normal + self.anomalous

    def add(self, one: Prediction | Unreadable) -> None:
        """Take in one file."""
        if isinstance(one, Unreadable):
            self.unreadable += 1
            if len(self._first_unreadable) < SHOWN:
                self._first_unreadable.append(one)
            return
        self.anomalous += one.anomalous
        self.normal += not one.anomalous
        # By the distance from the threshold: classes may have their own.
        heapq.heappush(self._strangest, (one.score - one.cut, next(self._order), one))
        if len(self._strangest) > SHOWN:
            heapq.heappop(self._strangest)

    def summary(self, out: Path) -> str:
        """A table of the strangest photos, the counts, and where the rest is, in the width of the terminal."""
        seconds = time.monotonic() - self._began
        lines = [*self._table(), ""] if self._strangest else []
        lines.append(
            f"{_plural(self.photos, 'photo')}: {self.anomalous} anomalous, {self.normal} normal, in {seconds:.1f} s "
            f"({self.photos / max(seconds, 1e-9):.0f} photos/s)"
        )
        if self.unreadable:
            lines.append(f"{_plural(self.unreadable, 'file')} left out:")
            lines += [f"  {_shown(one.name)} {one.reason}" for one in self._first_unreadable]
            if self.unreadable > SHOWN:
                lines.append("  ...")
        return "\n".join([*lines, f"all are in {out}/predictions.csv and .jsonl"])

    def _table(self) -> list[str]:
        found = [one for *_, one in sorted(self._strangest, key=lambda entry: entry[:2], reverse=True)]
        rows = [("verdict", "score", "threshold", "class", "regions", "photo, the strangest first")]
        rows += [
            (one.verdict, f"{one.score:.4g}", f"{one.cut:.4g}", one.class_name or "", str(len(one.regions)), one.name)
            for one in found
        ]
        if not any(row[3] for row in rows[1:]):
            rows = [(*row[:3], *row[4:]) for row in rows]
        wide = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
        room = width() - sum(wide) - 2 * len(wide)
        more = [f"... and {self.photos - SHOWN} more"] if self.photos > SHOWN else []
        return [
            "  ".join(
                [*(cell.ljust(size) for cell, size in zip(row, wide, strict=False)), _end(row[-1], room)]
            ).rstrip()
            for row in rows
        ] + more


def _shown(name: str) -> str:
    """A file name in one line: what would break it, or move the cursor, is written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def _end(name: str, room: int) -> str:
    """A name, or its end where it is too long for so many columns."""
    name = _shown(name)
    if cell_len(name) <= room:
        return name
    while cell_len(name) >= room:
        name = name[1:]
    return f"…{name}"


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
