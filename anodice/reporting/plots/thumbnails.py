"""Pairs of thumbnails side by side, on one picture or on a page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Two photos to look at.

    Attributes:
        first, second: (H, W) or (H, W, 3) uint8.
        names: of the two.
        title: one line on what they are.
    """

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    names: tuple[str, str]
    title: str


def sheet(pairs: Sequence[Thumbnails]) -> Figure:
    """The pairs in rows of four; at least one pair."""
    columns = min(_COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.3 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, pair in enumerate(pairs):
        row, column = divmod(number, columns)
        for side, photo in enumerate((pair.first, pair.second)):
            axis = axes[row, 2 * column + side]
            axis.imshow(photo, cmap="gray", vmin=0, vmax=255)
            axis.set_title(pair.names[side], fontsize=5, parse_math=False)
        axes[row, 2 * column].text(
            0, -0.12, pair.title, fontsize=7, transform=axes[row, 2 * column].transAxes, parse_math=False
        )
    return figure


def page(pairs: Sequence[Thumbnails], *, title: str) -> str:
    """An HTML page with the pairs; it holds the pictures, so that it can be moved alone."""
    figures = "\n".join(
        f"<figure>{_image(pair.first)}{_image(pair.second)}<figcaption>{html.escape(pair.title)}<br>"
        f"{'<br>'.join(map(html.escape, pair.names))}</figcaption></figure>"
        for pair in pairs
    )
    style = "body{font:14px sans-serif}figure{display:inline-block;margin:8px}figcaption{font-size:11px}"
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{style}</style>\n<h1>{html.escape(title)}</h1>\n{figures}\n</html>\n"
    )


def _image(photo: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'
