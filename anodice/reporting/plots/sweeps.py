"""The figure of a sweep: each configuration's runs, their mean and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anodice.metrics.repeats import Spread


def comparison(rows: Sequence[tuple[str, Mapping[str, Spread]]], titles: Mapping[str, str], *, title: str) -> Figure:
    """A row for each configuration and a panel for each figure: the mean as a dot, its interval as a line.

    Args:
        rows: what tells the configuration -> its figures, the first on top.
        titles: name of each figure that is drawn -> the title of its panel.
    """
    figure = Figure(figsize=(3 + 3.2 * len(titles), 1.6 + 0.32 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    for axes, (name, what) in zip(panels, titles.items(), strict=True):
        _panel(axes, [figures[name] for _, figures in rows])
        axes.set(title=what)
    panels[0].set_yticks(range(len(rows)), [label for label, _ in rows])
    panels[0].invert_yaxis()
    figure.suptitle(title, parse_math=False)
    return figure


def _panel(axes: Axes, figures: Sequence[Spread]) -> None:
    for row, found in enumerate(figures):
        if found.mean is None:
            continue
        if found.low is not None and found.high is not None:
            axes.hlines(row, found.low, found.high, color="tab:blue", linewidth=1.5)
        axes.plot(found.mean, row, "o", color="tab:blue", markersize=5)
    axes.grid(axis="x", alpha=0.3)
