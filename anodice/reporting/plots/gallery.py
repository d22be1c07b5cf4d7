"""Many photos with what a detector made of each, two beside each other, each with its words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anodice.reporting.plots.panels import OUTLINE, column_names, show

_CELL, _GAP, _MARGIN, _WORDS, _HEAD, _FOOT = 1.5, 0.5, 0.15, 0.5, 1.15, 0.55
"""Inches: a picture's side, the gap between the two halves, around all, for words, above the rows, below them."""

_CARD_LINE = 52
"""Characters in a line of a card; longer paths lose their start."""


def gallery(
    title: str,
    images: np.ndarray,
    reconstructions: np.ndarray | None,
    maps: np.ndarray,
    masks: Sequence[np.ndarray | None],
    captions: Sequence[str],
    *,
    scale: tuple[float, float],
) -> Figure:
    """Input, reconstruction and anomaly map of each image under its caption; all maps on one colour scale.

    Args:
        title: what they have in common, above all; up to three lines.
        images: (N, C, H, W) in [0, 1], N >= 1.
        reconstructions: the same shape, or None.
        maps: (N, 1, H, W).
        masks: N masks (H, W) bool, or None where nobody has marked the defects; outlined on input and map.
        captions: N times up to two lines.
        scale: the map values shown as the lowest and the highest colour.
    """
    names = column_names(reconstructions)
    halves, rows = min(2, len(images)), -(-len(images) // 2)
    half = max(len(names) * _CELL, 3.6)
    width = 2 * _MARGIN + halves * half + (halves - 1) * _GAP
    height = _HEAD + rows * (_CELL + _WORDS) + _FOOT
    figure = Figure(figsize=(width, height))

    def place(left: float, top: float, wide: float, high: float) -> list[float]:
        """Inches from the upper left corner as matplotlib's shares from the lower left one."""
        return [left / width, 1 - (top + high) / height, wide / width, high / height]

    figure.text(_MARGIN / width, 1 - 0.12 / height, title, fontsize=10, va="top", linespacing=1.4, parse_math=False)
    for k in range(len(images)):
        row, side = divmod(k, 2)
        left, top = _MARGIN + side * (half + _GAP), _HEAD + row * (_CELL + _WORDS) + _WORDS
        boxes = [place(left + n * _CELL, top, 0.97 * _CELL, 0.97 * _CELL) for n in range(len(names))]
        axes = [figure.add_axes(box) for box in boxes]
        reconstruction = None if reconstructions is None else reconstructions[k]
        shown = show(axes, images[k], reconstruction, maps[k, 0], masks[k], scale=scale)
        figure.text(
            left / width,
            1 - (top - 0.05) / height,
            captions[k],
            fontsize=7.5,
            va="bottom",
            linespacing=1.3,
            parse_math=False,
        )
        if row == 0:
            for box, name in zip(boxes, names, strict=True):
                middle = box[0] + box[2] / 2
                figure.text(
                    middle,
                    1 - _HEAD / height,
                    name,
                    fontsize=8,
                    color="grey",
                    ha="center",
                    va="bottom",
                    parse_math=False,
                )
    bar = figure.add_axes(place(_MARGIN, height - 0.42, 2 * _CELL, 0.1))
    figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=MaxNLocator(4)).ax.tick_params(labelsize=7)
    words = "anomaly map: 1 is as strange as normal photos get"
    if any(mask is not None and mask.any() for mask in masks):
        figure.text(
            (_MARGIN + 2 * _CELL + 0.2) / width, 0.16 / height, "outlined: true defect", fontsize=8, color=OUTLINE
        )
    figure.text((_MARGIN + 2 * _CELL + 0.2) / width, 0.36 / height, words, fontsize=8, va="center", parse_math=False)
    return figure


def card(
    image: np.ndarray,
    reconstruction: np.ndarray | None,
    anomaly_map: np.ndarray,
    mask: np.ndarray | None,
    caption: str,
    *,
    scale: tuple[float, float],
) -> Figure:
    """One photo under its words, small enough to be read as TensorBoard shows it.

    Args:
        image: (C, H, W) in [0, 1].
        reconstruction: the same shape, or None.
        anomaly_map: (H, W).
        mask: (H, W) bool, or None where nobody has marked the defects.
        caption: up to two lines.
        scale: the map values shown as the lowest and the highest colour.
    """
    names = column_names(None if reconstruction is None else image)
    figure = Figure(figsize=(3.4, 1.66), dpi=100)  # 340 pixels: larger pictures are shrunk
    axes = [figure.add_axes((0.005 + 0.333 * k, 0.0, 0.325, 0.66)) for k in range(len(names))]
    show(axes, image, reconstruction, anomaly_map, mask, scale=scale)
    lines = [line if len(line) <= _CARD_LINE else f"…{line[-_CARD_LINE:]}" for line in caption.splitlines()]
    figure.text(0.005, 0.99, "\n".join(lines), fontsize=7.5, va="top", linespacing=1.3, parse_math=False)
    for k, name in enumerate(names):
        figure.text(
            0.168 + 0.333 * k, 0.68, name, fontsize=6.5, color="grey", ha="center", va="bottom", parse_math=False
        )
    return figure


def empty_gallery(title: str) -> Figure:
    """The title alone, where there is nothing to show: so nobody takes an older picture for this one."""
    figure = Figure(figsize=(7, 0.8))
    figure.text(0.02, 0.5, title, fontsize=10, va="center", parse_math=False)
    return figure
