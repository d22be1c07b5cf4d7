"""A photo beside what it is compared with, and boxes around what differs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from anodice.reporting.plots.curves import ANOMALOUS


def compared(
    photo: NDArray[np.uint8],
    expected: NDArray[np.uint8],
    similarity: NDArray[np.uint8],
    boxes: Sequence[tuple[int, int, int, int]],
    *,
    names: tuple[str, str],
    title: str,
) -> Figure:
    """A photo, what was expected of it and how alike they are, (H, W) each, with the boxes on the first and the last.

    Args:
        boxes: left, top, right and bottom in pixels, right and bottom outside of them.
        names: of the photo and of what was expected.
    """
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, picture, name in zip(axes, (photo, expected, similarity), (*names, "alike (SSIM)"), strict=True):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axis.set_title(name, fontsize=8, parse_math=False)
        axis.set_axis_off()
    for left, top, right, bottom in boxes:
        for axis in (axes[0], axes[2]):
            corner = (left - 0.5, top - 0.5)  # of the pixel, whose middle is the whole number
            axis.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, color=ANOMALOUS))
    figure.suptitle(title, fontsize=9, parse_math=False)
    return figure
