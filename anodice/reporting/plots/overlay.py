"""An anomaly map over its photo, with a box around each region."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anodice.evaluation.map_scale import MapScale
from anodice.reporting.plots.panels import OUTLINE

_SIDE = 256
"""Pixels of the picture, at least: boxes around small regions need room."""
_OPACITY = 0.65
_COLOURS = "inferno"

Box = tuple[int, int, int, int]


def overlay(
    photo: NDArray[np.uint8],
    anomaly_map: NDArray[np.float32],
    boxes: Sequence[Box],
    size: tuple[int, int],
    *,
    scale: MapScale,
) -> Image.Image:
    """The map over a photo (H, W, C), stronger where it is stranger; RGB, of at least 256 pixels a side.

    Args:
        anomaly_map: (H, W).
        boxes: left, top, right, bottom, in pixels of a photo of `size` (width, height).
    """
    picture = Image.fromarray(np.broadcast_to(photo, (*photo.shape[:2], 3)))
    colours = Image.fromarray(coloured(anomaly_map, scale))
    strength = Image.fromarray((255 * _OPACITY * _shares(anomaly_map, scale)).astype(np.uint8))
    picture.paste(colours, mask=strength)
    side = max(_SIDE, *picture.size)
    picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for left, top, right, bottom in boxes:
        wide, high = side / size[0], side / size[1]
        draw.rectangle((left * wide - 2, top * high - 2, right * wide + 1, bottom * high + 1), outline=OUTLINE)
    return picture


def coloured(anomaly_map: NDArray[np.float32], scale: MapScale) -> NDArray[np.uint8]:
    """A map (H, W) in the colours of the run, (H, W, 3)."""
    return np.rint(255 * matplotlib.colormaps[_COLOURS](_shares(anomaly_map, scale))[..., :3]).astype(np.uint8)


def side_by_side(
    photo: NDArray[np.uint8], anomaly_map: NDArray[np.float32], over: Image.Image, title: str, *, scale: MapScale
) -> Figure:
    """Photo, map and the map over the photo, under a title."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 3)
    axes[0].imshow(np.broadcast_to(photo, (*photo.shape[:2], 3)))
    shown = axes[1].imshow(anomaly_map, cmap=_COLOURS, vmin=scale.lowest, vmax=scale.highest)
    axes[2].imshow(over)
    for axis, name in zip(axes, ("photo", "anomaly map: brighter = stranger", "both, with the regions"), strict=True):
        axis.set_title(name, fontsize=9, parse_math=False)
        axis.set_axis_off()
    figure.colorbar(shown, ax=axes[1], location="bottom", shrink=0.8, aspect=20).ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10, parse_math=False)
    return figure


def _shares(anomaly_map: NDArray[np.float32], scale: MapScale) -> NDArray[np.float32]:
    """Where each value lies between the lowest and the highest colour, in [0, 1]."""
    return np.clip((anomaly_map - scale.lowest) / max(scale.highest - scale.lowest, 1e-12), 0, 1)
