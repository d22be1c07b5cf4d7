"""The smallest size of a defect that is found a given share of the time, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from anodice.errors import AnodiceError
from anodice.metrics.sweep import binary


@dataclass(frozen=True)
class Limit:
    """The size from which a share `level` of the defects is found, and the ends of its 95 % interval.

    0 where the smallest size that was tried is found more often than that, infinity where the largest is found less.
    """

    level: float
    size: float
    low: float
    high: float


def limit(found: ArrayLike, sizes: ArrayLike, level: float, *, seed: int, resamples: int = 1000) -> Limit:
    """Where the share of photos on which a defect is found reaches `level`.

    A rising curve is fitted to the shares (isotonic regression) and read between two sizes on the logarithm of the
    size. The interval comes from a bootstrap over the photos, whose defects all lie at one place and go together.

    Args:
        found: (P, S) 0/1, whether the defect of each size was found on each photo.
        sizes: (S,) rising, above 0.
        level: in (0, 1].
        seed: of numpy's default generator.

    >>> limit([[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 1, 1]], [1, 2, 4], 0.5, seed=0).size
    2.0
    >>> limit([[0, 0, 1], [0, 0, 0]], [1, 2, 4], 0.95, seed=0).size
    inf
    """
    hits, steps = binary(found, "finds"), np.asarray(sizes, dtype=np.float64)
    if hits.ndim != 2 or hits.shape[1:] != steps.shape or hits.size == 0 or not (np.diff(steps, prepend=0) > 0).all():
        raise AnodiceError(
            f"expected finds (photos, sizes) for rising sizes above 0, got {hits.shape} and {steps.tolist()}; pass one "
            "column for each size."
        )
    if not 0 < level <= 1:
        raise AnodiceError(f"expected a level in (0, 1], got {level!r}; 0.5 and 0.95 are usual.")
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(hits), np.full(len(hits), 1 / len(hits)), size=resamples) / len(hits)
    drawn = [_crossing(shares, steps, level) for shares in weights @ hits]
    low, high = np.percentile(drawn, [2.5, 97.5], method="inverted_cdf")  # which averages nothing with infinity
    return Limit(level, _crossing(hits.mean(axis=0), steps, level), float(low), float(high))


def _crossing(shares: NDArray[np.float64], sizes: NDArray[np.float64], level: float) -> float:
    rising = isotonic_regression(shares).x
    reached = np.flatnonzero(rising >= level - 1e-12)
    if reached.size == 0:
        return math.inf
    first = reached[0]
    if first == 0:
        return float(sizes[0]) if math.isclose(rising[0], level) else 0.0
    part = (level - rising[first - 1]) / (rising[first] - rising[first - 1])
    return float(sizes[first - 1] * (sizes[first] / sizes[first - 1]) ** part)
