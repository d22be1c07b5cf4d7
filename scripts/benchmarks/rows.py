"""What a row of the benchmark is, and how it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from anodice.errors import AnodiceError

Side = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """Two ways to the same, the usual one and ours, each with the number of items that a call does.

    A side is timed, unless the row is entered with a unit of its own: then it returns the figure, such as megabytes.
    """

    usual: Side
    ours: Side
    usual_items: int = 1
    our_items: int = 1


@dataclass(frozen=True)
class Entry:
    """A row by its name, before it is prepared.

    Args:
        prepare: builds what both sides need, checks that they agree, and returns the row.
        reach: what the median ratio must reach; None where there is only something to tell.
        at_most: the ratio is ours / usual and must not exceed `reach`; else it is usual / ours and must not fall short.
        unit: of the figures per item that the sides return; None for sides that are timed, in milliseconds.
    """

    prepare: Callable[[], Row]
    reach: float | None
    at_most: bool
    unit: str | None

    @property
    def about(self) -> str:
        """What is compared: the first line of the docstring."""
        return (self.prepare.__doc__ or "").splitlines()[0]


@dataclass(frozen=True)
class Result:
    """Medians per item in `unit`, and the ratio: median, lowest and highest of the rounds."""

    name: str
    about: str
    unit: str
    usual: float
    ours: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rounds: int
    reach: float | None
    at_most: bool
    reached: bool | None

    def __str__(self) -> str:
        relation = "of the usual" if self.at_most else "times better"
        text = (
            f"{self.name}: {self.ratio:.3g} {relation} ({self.ratio_low:.3g} to {self.ratio_high:.3g} in {self.rounds} "
            f"rounds): {self.usual:.3g} -> {self.ours:.3g} {self.unit} each"
        )
        if self.reach is None:
            return text
        bound = "at most" if self.at_most else "at least"
        return f"{text}; {bound} {self.reach:g}: {'reached' if self.reached else 'NOT REACHED'}"


class NotHereError(AnodiceError):
    """A row that this machine cannot measure: the others go on."""


ROWS: dict[str, Entry] = {}
"""The rows by name."""


def row(
    name: str, *, reach: float | None = None, at_most: bool = False, unit: str | None = None
) -> Callable[[Callable[[], Row]], Callable[[], Row]]:
    """Enters a function that prepares a row into `ROWS`; see `Entry`."""

    def enter(prepare: Callable[[], Row]) -> Callable[[], Row]:
        ROWS[name] = Entry(prepare, reach, at_most, unit)
        return prepare

    return enter


def measure(name: str, rounds: int) -> Result:
    """Run both sides of a row in turn, once to warm up and then `rounds` times.

    Raises:
        AnodiceError: the sides do not agree.
        NotHereError: this machine lacks what the row needs.
    """
    entry = ROWS[name]
    prepared = entry.prepare()
    figure = _milliseconds if entry.unit is None else _returned
    pairs = [
        (figure(prepared.usual) / prepared.usual_items, figure(prepared.ours) / prepared.our_items)
        for _ in range(rounds + 1)
    ][1:]
    ratios = [ours / usual if entry.at_most else usual / ours for usual, ours in pairs]
    ratio, reached = median(ratios), None
    if entry.reach is not None:
        reached = ratio <= entry.reach if entry.at_most else ratio >= entry.reach
    return Result(
        name=name,
        about=entry.about,
        unit=entry.unit or "ms",
        usual=median(usual for usual, _ in pairs),
        ours=median(ours for _, ours in pairs),
        ratio=ratio,
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        rounds=rounds,
        reach=entry.reach,
        at_most=entry.at_most,
        reached=reached,
    )


def _milliseconds(side: Side) -> float:
    start = time.perf_counter()
    side()
    return 1e3 * (time.perf_counter() - start)


def _returned(side: Side) -> float:
    return float(side())  # type: ignore[arg-type]
