"""How often painted defects are found, by size and contrast: one heat map for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from anodice.metrics.detection_limit import Limit

_LINES = {0.5: ("-", "#d62728"), 0.95: ("--", "#111111")}
# Light throughout, so that lines and numbers stay readable on all of it.
_SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#8fbfe0"])


@dataclass(frozen=True)
class HeatMap:
    """What one heat map shows.

    Attributes:
        title: the kind of defect.
        size_label: what the sizes measure.
        sizes: (S,) rising, in pixels.
        contrasts: (C,) rising, in grey levels.
        recall: (C, S), NaN where nothing could be painted.
        limits: level -> C limits, None where nothing could be painted.
    """

    title: str
    size_label: str
    sizes: Sequence[float]
    contrasts: Sequence[float]
    recall: np.ndarray
    limits: dict[float, list[Limit | None]]


def heat_maps(maps: Sequence[HeatMap], *, title: str) -> Figure:
    """The maps side by side, with the sizes found 50 % and 95 % of the time as lines, and their intervals as bars.

    A line ends where even the largest defect is not found as often as that.
    """
    rows = -(-len(maps) // 2)
    figure = Figure(figsize=(11, 3.6 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False)
    for axis, heat_map in zip(axes.flat, maps, strict=False):
        shown = _draw(axis, heat_map)
    for axis in axes.flat[len(maps) :]:
        axis.set_axis_off()
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, aspect=30)
    bar.set_label("share of the painted defects that are found")
    figure.suptitle(title, fontsize=11, parse_math=False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _draw(axis: Axes, heat_map: HeatMap) -> AxesImage:
    sizes, contrasts = np.asarray(heat_map.sizes), heat_map.contrasts
    shown = axis.imshow(heat_map.recall, cmap=_SHARES, vmin=0, vmax=1, origin="lower", aspect="auto")
    for (row, column), share in np.ndenumerate(heat_map.recall):
        words = "n/a" if np.isnan(share) else f"{100 * share:.0f}"
        axis.text(column, row, words, ha="center", va="center", fontsize=7.5)
    for level, limits in heat_map.limits.items():
        style, colour = _LINES[level]
        known = [(row, limit) for row, limit in enumerate(limits) if limit is not None and np.isfinite(limit.size)]
        # Above and below the number of the cell, so that all three can be read.
        height = 0.3 if level > 0.5 else -0.3
        places = [row + height for row, _ in known]
        middle = _columns([limit.size for _, limit in known], sizes)
        ends = np.array([_columns([limit.low, limit.high], sizes) for _, limit in known]).reshape(-1, 2)
        spread = np.abs(ends.T - middle)
        label = f"found {100 * level:.0f} % of the time, with its 95 % interval"
        axis.errorbar(
            middle, places, xerr=spread, color=colour, linestyle=style, linewidth=1.6, capsize=2.5, label=label
        )
    axis.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
    axis.set_yticks(range(len(contrasts)), [f"{contrast:g}" for contrast in contrasts])
    axis.set(xlim=(-0.75, len(sizes) - 0.25), ylim=(-0.5, len(contrasts) - 0.5))
    axis.set(xlabel=f"{heat_map.size_label} in pixels", ylabel="contrast in grey levels")
    axis.set_title(heat_map.title, fontsize=10, parse_math=False)
    return shown


def _columns(values: Sequence[float], sizes: np.ndarray) -> np.ndarray:
    """Where sizes lie on an axis with one column for each of `sizes`; beyond them at its ends."""
    logs = np.log(np.clip(values, sizes[0] / 2, 2 * sizes[-1]))
    ends = np.log([sizes[0] / 2, 2 * sizes[-1]])
    return np.interp(logs, [ends[0], *np.log(sizes), ends[1]], [-0.6, *range(len(sizes)), len(sizes) - 0.4])
