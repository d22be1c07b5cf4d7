"""Input | reconstruction | anomaly map, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from skimage.morphology import isotropic_dilation

OUTLINE = "#19b5d8"
"""The colour of the outlines of marked defects: neither in grey photos nor in the maps."""


def panels(
    images: np.ndarray,
    reconstructions: np.ndarray | None,
    maps: np.ndarray,
    captions: Sequence[str],
    *,
    scale: tuple[float, float],
    masks: Sequence[np.ndarray | None],
) -> Figure:
    """One row per image: the input, its reconstruction where there is one, its anomaly map.

    Args:
        images: (N, C, H, W) in [0, 1], N >= 1.
        reconstructions: the same shape, or None.
        maps: (N, 1, H, W).
        captions: N lines, one beside each row.
        scale: the map values shown as the lowest and the highest colour; one scale for all, so that a normal image
            looks calm beside an anomalous one.
        masks: N masks (H, W) bool, or None where nobody has marked the defects; outlined on input and map.
    """
    names = column_names(reconstructions)
    outlined = any(mask is not None and mask.any() for mask in masks)
    size = (1.6 * len(names) + 0.9, 1.6 * len(images) + 0.3 + 0.2 * outlined)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(images), len(names), squeeze=False)
    for row in range(len(images)):
        reconstruction = None if reconstructions is None else reconstructions[row]
        shown = show(axes[row], images[row], reconstruction, maps[row, 0], masks[row], scale=scale)
        axes[row, 0].set_ylabel(captions[row], fontsize=9)
    for column, name in enumerate(names):
        axes[0, column].set_title(name, fontsize=10)
    figure.colorbar(shown, ax=axes[-1, -1], location="bottom", shrink=0.9, aspect=14).ax.tick_params(labelsize=7)
    if outlined:
        figure.suptitle("outlined: the marked defects", fontsize=8, color=OUTLINE)
    return figure


def column_names(reconstructions: np.ndarray | None) -> list[str]:
    """What `show` draws, from left to right."""
    return ["input", *([] if reconstructions is None else ["reconstruction"]), "anomaly map"]


def show(
    axes: Sequence[Axes],
    image: np.ndarray,
    reconstruction: np.ndarray | None,
    anomaly_map: np.ndarray,
    mask: np.ndarray | None,
    *,
    scale: tuple[float, float],
) -> AxesImage:
    """Draw one image (C, H, W), its reconstruction if there is one, and its map (H, W) into as many axes.

    Returns:
        the drawn map, for a colour bar.
    """
    for axis, values in zip(axes, [image] if reconstruction is None else [image, reconstruction], strict=False):
        axis.imshow(_displayable(values), cmap="gray", vmin=0, vmax=1)
    shown = axes[-1].imshow(anomaly_map, cmap="inferno", vmin=scale[0], vmax=scale[1])
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    if mask is not None and mask.any():
        # Drawn around the defect, which it would hide otherwise, and padded, so that it closes at the border.
        around = isotropic_dilation(np.pad(mask, 3), radius=2)
        ticks = [np.arange(-3, side + 3) for side in mask.shape]
        for axis in (axes[0], axes[-1]):
            limits = axis.get_xlim(), axis.get_ylim()
            axis.contour(ticks[1], ticks[0], around, levels=[0.5], colors=OUTLINE, linewidths=0.8)
            axis.set(xlim=limits[0], ylim=limits[1])
    return shown


def _displayable(image: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W) or (H, W, 3)."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)
