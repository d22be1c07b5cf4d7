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
    """One row per image: the input, its reconstruction where there is one, its anomaly map.

    Args:
        images: (N, C, H, W) in [0, 1], N >= 1.
        reconstructions: the same shape, or None.
        maps: (N, 1, H, W).
        captions: N lines, one beside each row.
        scale: the map values shown as the lowest and the highest colour; one scale for all, so that a normal image
            looks calm beside an anomalous one.
    """
    stacks = {"input": images} if reconstructions is None else {"input": images, "reconstruction": reconstructions}
    figure = Figure(figsize=(1.6 * (len(stacks) + 1) + 0.9, 1.6 * len(images) + 0.3), layout="constrained")
    axes = figure.subplots(len(images), len(stacks) + 1, squeeze=False)
    for row in range(len(images)):
        for column, stack in enumerate(stacks.values()):
            axes[row, column].imshow(_displayable(stack[row]), cmap="gray", vmin=0, vmax=1)
        shown = axes[row, -1].imshow(maps[row, 0], cmap="inferno", vmin=scale[0], vmax=scale[1])
        axes[row, 0].set_ylabel(captions[row], fontsize=9)
    for column, name in enumerate([*stacks, "anomaly map"]):
        axes[0, column].set_title(name, fontsize=10)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(shown, ax=axes[-1, -1], location="bottom", shrink=0.9, aspect=14).ax.tick_params(labelsize=7)
    return figure


def _displayable(image: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W) or (H, W, 3)."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)
