"""Figures over the severity of a perturbation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def curves(measured: Mapping[str, Any], *, title: str) -> Figure:
    """AUROC and the F1 at each threshold over the severity, 0 for the unchanged photos; a line per perturbation."""
    rules = list(measured["thresholds"])
    figure = Figure(figsize=(4.2 * (1 + len(rules)) + 1.4, 3.8), layout="constrained")
    axes = figure.subplots(1, 1 + len(rules), squeeze=False)[0]
    severities = [0, *map(int, measured["mean"])]
    for k, (name, found) in enumerate(measured["perturbed"].items()):
        rows = [measured["unchanged"], *found.values()]
        style = {"marker": "osD^vPX*<"[k % 9], "markersize": 4, "linewidth": 1.2, "label": name}
        lines = [[row["auroc"] for row in rows], *([row["at"][rule]["f1"] for row in rows] for rule in rules)]
        for axis, line in zip(axes, lines, strict=True):
            axis.plot(severities, [np.nan if value is None else value for value in line], **style)
    for axis, what in zip(axes, ["AUROC", *(f"F1 at {rule}" for rule in rules)], strict=True):
        axis.set(xlabel="severity", xticks=severities, title=what)
        axis.grid(alpha=0.3)
    figure.suptitle(title, parse_math=False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure
