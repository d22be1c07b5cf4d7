"""One photo: its input, its reconstruction where there is one, its anomaly map, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from skimage.morphology import isotropic_dilation

OUTLINE = "#19b5d8"
"""The colour of the outlines of marked defects: neither in grey photos nor in the maps."""


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
