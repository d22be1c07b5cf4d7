"""How small and how faint a defect may be and still be found: what `scripts/detection_limit.py` runs.

Marks of graded size and contrast are painted onto held-out normal photos, and the share of them that the run flags at
its own threshold is measured. Nobody has to collect defects for that.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anodice.app import run_folder
from anodice.augmentation.graded_defects import KINDS, coverage, find_place, paint
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.evaluation.inference import class_names, load_run
from anodice.metrics.detection_limit import Limit, limit
from anodice.models.detector import Detector
from anodice.reporting.markdown import markdown_table
from anodice.reporting.plots.heat_maps import HeatMap, heat_maps
from anodice.reporting.run_files import read_thresholds, save_figures
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)

FOLDER = "detection_limit"
LEVELS = (0.5, 0.95)
"""The shares of defects for which the smallest size is told."""

_FEWEST = 5


@dataclass(frozen=True, eq=False)
class Measured:
    """Whether the run flags each painted photo.

    Attributes:
        kind: key of `KINDS`.
        sizes: (S,) in pixels.
        contrasts: (C,) in grey levels.
        found: (P, C, S), 1 for flagged, 0 for passed, NaN where the grey levels leave no room for the contrast.
    """

    kind: str
    sizes: NDArray[np.float64]
    contrasts: NDArray[np.float64]
    found: NDArray[np.float64]

    def photos(self, contrast: int) -> int:
        """The number of photos on which the contrast of this index could be painted."""
        return int(np.isfinite(self.found[:, contrast, 0]).sum())

    def recall(self) -> NDArray[np.float64]:
        """(C, S), NaN where it could be painted on fewer than 5 photos."""
        enough = [self.photos(c) >= _FEWEST for c in range(len(self.contrasts))]
        shares = np.full(self.found.shape[1:], np.nan)
        shares[enough] = np.nanmean(self.found[:, enough], axis=0)
        return shares

    def limits(self, level: float, *, seed: int) -> list[Limit | None]:
        """The smallest size for each contrast; None where it could be painted on fewer than 5 photos."""
        rows = (self.found[:, c] for c in range(len(self.contrasts)))
        painted = [row[np.isfinite(row[:, 0])] for row in rows]
        return [limit(row, self.sizes, level, seed=seed) if len(row) >= _FEWEST else None for row in painted]


def held_out(data: DiceDataModule, count: int) -> list[int]:
    """Up to `count` distinct normal test photos, evenly spread, that are no copies of training photos."""
    records, split = data.photos.records, data.photos.split
    normals = [i for i in split.test if not records[i].anomalous and i not in split.leaked]
    distinct = list({records[i].content: i for i in normals}.values())
    places = np.linspace(0, len(distinct) - 1, min(count, len(distinct))).round().astype(int)
    return [distinct[k] for k in places]


def measure(
    detector: Detector, data: DiceDataModule, threshold: Threshold, photos: Sequence[NDArray[np.uint8]], *, seed: int
) -> list[Measured]:
    """Paint every kind in every size and contrast on each photo (H, W, C), and see what is flagged.

    All defects of a kind lie at one place of a photo; the places depend on the seed and the photo's number.
    """
    scale = data.image_size / 128
    measured = []
    for number, (name, kind) in enumerate(KINDS.items()):
        sizes, contrasts = np.array(kind.sizes) * scale, np.array(kind.contrasts)
        width = None if kind.width is None else kind.width * scale
        found = np.full((len(photos), len(contrasts), len(sizes)), np.nan)
        for row, photo in enumerate(photos):
            place = find_place(photo, float(sizes[-1]), np.random.default_rng([seed, number, row]))
            levels = place.level + kind.sign * contrasts
            room = np.flatnonzero((levels >= 0) & (levels <= 255))
            covers = [coverage(place, float(size), width, data.image_size) for size in sizes]
            painted = [paint(photo, covered, kind.sign * contrasts[c]) for c in room for covered in covers]
            if painted:
                found[row, room] = _flags(detector, data, threshold, painted).reshape(len(room), len(sizes))
        measured.append(Measured(name, sizes, contrasts, found))
        log.info("%s: painted on %d photos", kind.what, len(photos))
    return measured


@torch.inference_mode()
def _flags(
    detector: Detector, data: DiceDataModule, threshold: Threshold, photos: Sequence[NDArray[np.uint8]]
) -> NDArray[np.bool_]:
    verdicts = []
    for start in range(0, len(photos), data.batch_size):
        batch = torch.from_numpy(np.stack(photos[start : start + data.batch_size])).to(detector.device)
        scored = detector(data.transform(batch))
        verdicts.append(threshold.flags(scored.scores.cpu().numpy(), class_names(detector, scored)))
    return np.concatenate(verdicts)


def detection_limit(run: Path, *, root: str | None, photos: int, seed: int) -> str:
    """Measure the run, write tables and picture into its folder `detection_limit`, and tell what was found.

    Args:
        root: where the photos are now; None where the run found them.
        photos: how many to paint on, at least 5.
        seed: of the places and the intervals.

    Raises:
        AnodiceError: too few photos are there, or are passed as they are.
    """
    if photos < _FEWEST:
        raise AnodiceError(f"expected at least {_FEWEST} photos to paint on, got {photos}; 60 give fair intervals.")
    threshold = read_thresholds(run).chosen
    detector, data = load_run(run, root)
    chosen = held_out(data, photos)
    pixels = [data.photos.pixels[data.photos.rows[i]] for i in chosen]
    passed = ~_flags(detector, data, threshold, pixels) if pixels else np.zeros(0, dtype=bool)
    if passed.sum() < _FEWEST:
        raise AnodiceError(
            f"expected at least {_FEWEST} clean normal test photos that {run} passes, got {int(passed.sum())} of "
            f"{len(chosen)}; a threshold that flags what has no defect finds every defect. Evaluate with another one."
        )
    measured = measure(detector, data, threshold, [p for p, ok in zip(pixels, passed, strict=True) if ok], seed=seed)
    report = Report(threshold, data.image_size, len(chosen), measured, seed=seed)
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    report.write(folder)
    return f"{report.text()}\nwritten to {run_folder.readable(folder.absolute())}"


class Report:
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
            kind = KINDS[m.kind]
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
            HeatMap(KINDS[m.kind].what, KINDS[m.kind].dimension, m.sizes, m.contrasts, m.recall(), limits)
            for m, limits in zip(self.measured, self.limits, strict=True)
        ]
        words = f"Painted defects found at the run's own threshold, in % ({len(self.measured[0].found)} photos)"
        return heat_maps(maps, title=words)

    def _sentence(self, k: int) -> str:
        """The limits at the strongest contrast that could be painted."""
        m, kind = self.measured[k], KINDS[self.measured[k].kind]
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
