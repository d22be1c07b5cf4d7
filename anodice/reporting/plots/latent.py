"""The codes that a detector squeezes photos through, and the templates that it compares them with."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anodice.reporting.plots.curves import ANOMALOUS, NORMAL


def latent_space(
    codes: NDArray[np.float32], classes: Sequence[str], labels: NDArray[np.bool_], *, title: str
) -> Figure:
    """The two main directions of the codes (N, D), N >= 2, coloured by class and by label.

    Args:
        classes: N names, those of normal photos and the kinds of anomalies.
        labels: (N,) true for anomalous.
    """
    places, shares = main_directions(codes)
    figure = Figure(figsize=(9.4, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    names = sorted({name for name, label in zip(classes, labels, strict=True) if not label})
    colours = matplotlib.colormaps["tab20"]
    of = np.asarray(classes)
    for k, name in enumerate(names):
        here = places[(of == name) & ~labels]
        left.plot(*here.T, "o", color=colours(k % 20), markersize=3, label=name if len(names) <= 20 else None)
    for name, colour, here in (("normal", NORMAL, ~labels), ("anomalous", ANOMALOUS, labels)):
        right.plot(*places[here].T, "o", color=colour, markersize=3, alpha=0.7, label=f"{name} ({int(here.sum())})")
    for axis, words in ((left, "normal photos by class"), (right, "by label")):
        axis.set_title(words, fontsize=9, parse_math=False)
        axis.set_xlabel(f"1st direction, {100 * shares[0]:.0f} % of the variance")
    left.set_ylabel(f"2nd direction, {100 * shares[1]:.0f} %")
    figure.suptitle(title, fontsize=9, parse_math=False)
    figure.legend(fontsize=7, loc="outside right upper")
    return figure


def main_directions(codes: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The places (N, 2) of the codes (N, D) along their two main directions, and their shares (2,) of the variance.

    >>> places, shares = main_directions(np.array([[0.0, 0], [4, 0], [0, 1], [4, 1]], dtype=np.float32))
    >>> np.abs(places).round(3).tolist(), shares.round(3).tolist()
    ([[2.0, 0.5], [2.0, 0.5], [2.0, 0.5], [2.0, 0.5]], [0.941, 0.059])
    """
    centred = codes.astype(np.float64) - codes.mean(0, dtype=np.float64)
    centred = np.pad(centred, ((0, 0), (0, max(0, 2 - centred.shape[1]))))
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, :2] * values[:2], (values**2 / max((values**2).sum(), 1e-12))[:2]


def templates(pictures: NDArray[np.float32], names: Sequence[str], *, title: str) -> Figure:
    """The template (H, W) of each class under its name, all on one scale of grey."""
    columns = min(6, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1.2 * columns, 1.35 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, name in zip(axes.flat, pictures, names, strict=False):
        axis.imshow(picture, cmap="gray", vmin=pictures.min(), vmax=pictures.max())
        axis.set_title(name, fontsize=8, parse_math=False)
    figure.suptitle(title, fontsize=9, parse_math=False)
    return figure
