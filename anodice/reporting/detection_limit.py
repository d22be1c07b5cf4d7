"""What `measure_detection` found, as words, tables and a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anodice.augmentation.graded_defects import GRADED_DEFECTS
from anodice.evaluation.detection_limit import Measured
from anodice.metrics.detection_limit import Limit
from anodice.reporting.markdown import markdown_table
from anodice.reporting.plots.heat_maps import HeatMap, heat_maps
from anodice.reporting.run_files import save_figures
from anodice.thresholds.threshold import Threshold

LEVELS = (0.5, 0.95)
"""The shares of defects for which the smallest size is told."""


class DetectionReport:
    """Words, tables and picture of what was measured.

    Args:
        tried: photos, those among them that the run flags as they are.
    """

    def __init__(
        self, threshold: Threshold, image_size: int, tried: int, measured: Sequence[Measured], *, seed: int
    ) -> None:
        self.threshold, self.image_size, self.tried, self.measured = threshold, image_size, tried, measured
        self.limits = [{level: m.limits(level, seed=seed) for level in LEVELS} for m in measured]

    def write(self, folder: Path) -> None:
        """Write `detection_limit.md`, `limits.csv`, `recall.csv` and `detection_limit.png`."""
        (folder / "detection_limit.md").write_text(f"# Detection limit\n\n{self.text()}")
        rows = [["kind", "contrast", "share", "size", "low", "high", "photos"]]
        recalls = [["kind", "contrast", "size", "photos", "recall"]]
        for m, limits in zip(self.measured, self.limits, strict=True):
            shares = m.recall()
            for c, contrast in enumerate(m.contrasts):
                about = [m.kind, f"{contrast:g}"]
                for level in LEVELS:
                    at = limits[level][c]
                    ends = ["", "", ""] if at is None else [at.size, at.low, at.high]
                    rows.append([*about, level, *ends, m.photos(c)])
                known = zip(m.sizes, shares[c], strict=True)
                recalls += [[*about, f"{s:g}", m.photos(c), "" if math.isnan(r) else r] for s, r in known]
        for name, table in (("limits", rows), ("recall", recalls)):
            with (folder / f"{name}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(table)
        save_figures(folder, {"detection_limit": self.figure()})

    def text(self) -> str:
        """What a person reads: how it was measured, a sentence for each kind, a table of all limits."""
        used = len(self.measured[0].found)
        head = (
            f"Defects of known size and contrast were painted on {used} normal test photos that are no copies of "
            f"training photos and that no threshold was fitted on; {self.tried - used} of {self.tried} photos are left "
            f"out because the run flags them as they are. Sizes are in pixels of the {self.image_size} pixels that a "
            f"photo is wide; contrast is in grey levels of 256. Each defect is one plain mark on a bare part of the "
            f"photo, with one place per photo and kind. The run's threshold: {self.threshold.sentence()}."
        )
        sentences = "\n".join(f"- {self._sentence(k)}" for k in range(len(self.measured)))
        rows = [["defect", "size", "contrast", "found 50 % of the time", "found 95 % of the time", "photos"]]
        for m, limits in zip(self.measured, self.limits, strict=True):
            kind = GRADED_DEFECTS[m.kind]
            for c, contrast in enumerate(m.contrasts):
                sizes = [_words(limits[level][c], m.sizes) for level in LEVELS]
                rows.append([kind.what, kind.dimension, f"{contrast:g}", *sizes, str(m.photos(c))])
        note = (
            "In brackets: 95 % intervals of a bootstrap over the photos; sizes between two that were painted are "
            "interpolated. A size with `<`: even the smallest one painted is found more often than that. With `>`: "
            "even the largest is found less often."
        )
        return f"{head}\n\n{sentences}\n\n{markdown_table(rows)}\n\n{note}\n"

    def figure(self) -> Figure:
        """A heat map of the recall for each kind."""
        maps = [
            HeatMap(
                GRADED_DEFECTS[m.kind].what, GRADED_DEFECTS[m.kind].dimension, m.sizes, m.contrasts, m.recall(), limits
            )
            for m, limits in zip(self.measured, self.limits, strict=True)
        ]
        words = f"Painted defects found at the run's own threshold, in % ({len(self.measured[0].found)} photos)"
        return heat_maps(maps, title=words)

    def _sentence(self, k: int) -> str:
        """The limits at the strongest contrast that could be painted."""
        m, kind = self.measured[k], GRADED_DEFECTS[self.measured[k].kind]
        there = [c for c, at in enumerate(self.limits[k][LEVELS[0]]) if at is not None]
        if not there:
            return f"{kind.what}: the photos leave no room for any contrast."
        half, most = (self.limits[k][level][there[-1]] for level in LEVELS)
        tone = f"{m.contrasts[there[-1]]:g} grey levels {'darker' if kind.sign < 0 else 'brighter'}"
        return (
            f"{kind.what}, {tone} than what it lies on: found half of the time {_from(half, m, kind.dimension)}, "
            f"95 % of the time {_from(most, m, kind.dimension)}."
        )


def _from(at: Limit, measured: Measured, dimension: str) -> str:
    """A limit in a sentence: `from a diameter of 3.1 [2.8, 3.5] pixels`, `not even at a diameter of 16 pixels`."""
    if math.isinf(at.size):
        return f"not even at a {dimension} of {measured.sizes[-1]:g} pixels"
    if at.size == 0:
        return f"already below a {dimension} of {measured.sizes[0]:g} pixels"
    return f"from a {dimension} of {_words(at, measured.sizes)} pixels"


def _words(at: Limit | None, sizes: NDArray[np.float64]) -> str:
    """A limit and its interval, such as `3.1 [2.8, 3.5]`."""
    if at is None:
        return "n/a"

    def one(size: float) -> str:
        if size == 0:
            return f"< {sizes[0]:g}"
        return f"> {sizes[-1]:g}" if math.isinf(size) else f"{size:.2g}"

    ends = {one(at.size), one(at.low), one(at.high)}
    return one(at.size) if len(ends) == 1 else f"{one(at.size)} [{one(at.low)}, {one(at.high)}]"
