"""A figure of several trainings that differ in nothing but chance: its mean, and how far that is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t


class Spread(NamedTuple):
    """A figure over repeated trainings.

    Attributes:
        n: trainings that have the figure.
        mean: None where none has it.
        deviation: of the sample, with n - 1; None for fewer than two.
        low, high: the 95 % interval of the mean by Student's t; None for fewer than two.
    """

    n: int
    mean: float | None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None


def spread(values: Sequence[float | None], *, within: tuple[float, float] = (0.0, 1.0)) -> Spread:
    """The spread of a figure; trainings without it are left out.

    Args:
        within: the range of the figure, to which its interval is cut.

    >>> [round(figure, 3) for figure in spread([0.9, 0.92, 0.94])]
    [3, 0.92, 0.02, 0.87, 0.97]
    """
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(known) < 2:
        return Spread(len(known), float(known[0]) if len(known) else None)
    mean, deviation = float(known.mean()), float(known.std(ddof=1))
    half = float(t.ppf(0.975, len(known) - 1)) * deviation / np.sqrt(len(known))
    low, high = np.clip([mean - half, mean + half], *within)
    return Spread(len(known), mean, deviation, float(low), float(high))
