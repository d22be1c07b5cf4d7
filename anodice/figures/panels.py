"""Input | reconstruction | anomaly map, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure


def panels(
    images: np.ndarray,
    reconstructions: np.ndarray | None,
    maps: np.ndarray,
    captions: Sequence[str],
    *,
    scale: tuple[float, float],
) -> Figure:
    """One column per image: the input, its reconstruction where there is one, its anomaly map.

    Args:
        images: (N, C, H, W) in [0, 1], N >= 1.
        reconstructions: the same shape, or None.
        maps: (N, 1, H, W).
        captions: N lines, one above each column.
        scale: the map values shown as the lowest and the highest colour; one scale for all, so that a normal image
            looks calm beside an anomalous one.
    """
    stacks = [images, *([] if reconstructions is None else [reconstructions])]
    names = ["input", *([] if reconstructions is None else ["reconstruction"]), "anomaly map"]
    columns, rows = len(images), len(names)
    figure = Figure(figsize=(1.5 * columns + 1.2, 1.5 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, stack in enumerate(stacks):
        for column in range(columns):
            axes[row, column].imshow(_displayable(stack[column]), cmap="gray", vmin=0, vmax=1)
    shown = None
    for column in range(columns):
        shown = axes[-1, column].imshow(maps[column, 0], cmap="inferno", vmin=scale[0], vmax=scale[1])
        axes[0, column].set_title(captions[column], fontsize=8)
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name, fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(shown, ax=list(axes[-1]), shrink=0.9, aspect=12).ax.tick_params(labelsize=7)
    return figure


def _displayable(image: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W) or (H, W, 3)."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)
