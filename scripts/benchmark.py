"""Measure how much faster our ways are than the usual ones: `python scripts/benchmark.py`.

Both sides of a row run in turn in one process, several rounds; the median of the rounds' ratios counts, and the
smallest and largest tell how far to trust it. Before any timing a row checks that both sides give the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from anodice.data.dice import CLASSES, render
from anodice.data.orientation import DarkRayUpright
from anodice.data.turning import DARK, disk, turned
from anodice.errors import AnodiceError, unknown

Side = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """Two ways to the same: each call does the work for `items` items."""

    usual: Side
    usual_items: int
    ours: Side
    our_items: int


@dataclass(frozen=True)
class Result:
    """Milliseconds per item (medians), and how many times faster ours is: median, lowest and highest of the rounds."""

    name: str
    usual_ms: float
    our_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rounds: int


ROWS: dict[str, Callable[[], Row]] = {}
"""Name -> a function that prepares the row, checks that both sides agree, and returns it."""


def row(name: str) -> Callable[[Callable[[], Row]], Callable[[], Row]]:
    """Enters a function into `ROWS`; the first line of its docstring tells what is compared."""

    def enter(prepare: Callable[[], Row]) -> Callable[[], Row]:
        ROWS[name] = prepare
        return prepare

    return enter


@row("orientation")
def orientation() -> Row:
    """The dark ray's angle per photo: 360 rotations with Pillow and counting, against the search over a batch."""
    generator = np.random.default_rng(0)
    photos = np.stack([render(CLASSES[i % len(CLASSES)], generator).image for i in range(256)])
    ours = DarkRayUpright()
    few = photos[: len(CLASSES)]
    # Pillow turns with another arithmetic, so the angles are compared with a loop over our own rotation.
    looped = [_loop(photo, lambda masked, angle: turned(masked[None], np.array([float(angle)]))[0]) for photo in few]
    if not np.array_equal(ours.angles(photos)[: len(few)], looped):
        raise AnodiceError("the batched search gives other angles than the loop; that is a bug, please report it.")

    def pillow(masked: NDArray[np.uint8], angle: int) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(masked).rotate(angle, Image.Resampling.BILINEAR, center=(64, 64)))

    return Row(
        usual=lambda: [_loop(photo, pillow) for photo in few],
        usual_items=len(few),
        ours=lambda: ours.angles(photos),
        our_items=len(photos),
    )


def _loop(photo: NDArray[np.uint8], rotate: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]) -> int:
    """The angle that `DarkRayUpright` means, by turning the photo to each."""
    size = len(photo)
    masked = np.where(disk(size), photo, np.uint8(255))
    best = best_angle = 0
    for angle in range(360):
        dark = rotate(masked, angle)[:, : size // 2] < DARK
        if np.count_nonzero(dark[size // 2 :]) > np.count_nonzero(dark[: size // 2]):
            continue
        score = np.count_nonzero(dark[size // 2])
        if score > best:
            best, best_angle = score, angle
    return best_angle


def measure(name: str, rounds: int) -> Result:
    """Run both sides of a row in turn."""
    prepared = ROWS[name]()
    prepared.usual()
    prepared.ours()
    usual, ours = [], []
    for _ in range(rounds):
        usual.append(_milliseconds(prepared.usual) / prepared.usual_items)
        ours.append(_milliseconds(prepared.ours) / prepared.our_items)
    ratios = [theirs / mine for theirs, mine in zip(usual, ours, strict=True)]
    return Result(name, median(usual), median(ours), median(ratios), min(ratios), max(ratios), rounds)


def _milliseconds(side: Side) -> float:
    start = time.perf_counter()
    side()
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    about = "\n".join(f"  {name}: {prepare.__doc__.splitlines()[0]}" for name, prepare in ROWS.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nrows:\n{about}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAME", help="one row instead of all")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each row (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results and the versions to FILE")
    options = parser.parse_args()
    if options.only is not None and options.only not in ROWS:
        raise unknown("row", options.only, ROWS)
    if options.rounds < 1:
        raise AnodiceError(f"expected --rounds of at least 1, got {options.rounds}.")
    # One thread on either side: the ratio is then that of the work, not of the machine.
    torch.set_num_threads(1)
    results = []
    for name in ROWS if options.only is None else [options.only]:
        result = measure(name, options.rounds)
        results.append(result)
        print(
            f"{name}: {result.ratio:.0f} times faster ({result.ratio_low:.0f} to {result.ratio_high:.0f} in "
            f"{result.rounds} rounds): {result.usual_ms:.3g} -> {result.our_ms:.3g} ms each"
        )
    if options.json is not None:
        versions = {"python": sys.version.split()[0], "numpy": np.__version__, "torch": torch.__version__}
        text = json.dumps({"versions": versions, "rows": [asdict(result) for result in results]}, indent=2)
        options.json.write_text(f"{text}\n")


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
