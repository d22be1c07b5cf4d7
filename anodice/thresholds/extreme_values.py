"""A generalised Pareto tail fitted to the highest of the normals' scores, and a test of whether it fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import genpareto

from anodice.metrics.sweep import sweep

FITS = 0.01
"""The lowest p-value at which a tail passes for one that fits."""


FEWEST = 10
"""The fewest scores that a tail is fitted to."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The distribution of scores: as seen up to `start`, a generalised Pareto tail above.

    Attributes:
        rising: (N,) the scores.
        excess: (K,) rising, by how much the highest exceed `start`; none where all scores are the same.
        shape: of the tail, in [-1, 0.5]; a negative one ends.
        scale: of the tail, in the scores' unit.
    """

    rising: NDArray[np.float64]
    start: float
    excess: NDArray[np.float64]
    shape: float
    scale: float

    @classmethod
    def of(cls, rising: NDArray[np.float64]) -> Tail:
        """Fit to rising scores (N,), N >= `FEWEST`."""
        start, excess = exceedances(rising)
        shape, scale = (part.item() for part in pareto(excess)) if excess.size > 0 else (0.0, 0.0)
        return cls(rising, start, excess, shape, scale)

    def reaches(self, rate: float) -> bool:
        """Whether the value above which the share `rate` lies is on the fitted tail."""
        return rate * self.rising.size < self.excess.size

    def value(self, rate: float) -> float:
        """The value above which the share `rate`, in (0, 1), of such scores lies."""
        if self.reaches(rate):
            share = rate * self.rising.size / self.excess.size
            return float(self.start + genpareto.isf(share, self.shape, scale=self.scale))
        swept = sweep(self.rising, np.zeros(self.rising.size))
        return float(swept.thresholds[swept.false_positive_rate <= rate][-1])

    def above(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share, in [0, 1], of such scores at or above each value (M,)."""
        seen = 1 - np.searchsorted(self.rising, values) / self.rising.size
        if self.excess.size == 0:
            return seen
        tail = genpareto.sf(values - self.start, self.shape, scale=self.scale)
        return np.where(values > self.start, self.excess.size / self.rising.size * tail, seen)


def exceedances(rising: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Where the tail of rising scores (N,) starts, and by how much its scores exceed that (K,); ties stay together."""
    wanted = min(max(10, math.ceil(rising.size / 10)), 1000)
    first = np.searchsorted(rising, rising[-wanted])
    start = rising[max(first - 1, 0)]
    return float(start), rising[rising > start] - start


def pareto(excess: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape and scale (..., 1) of the generalised Pareto tails of rising exceedances (..., K), K >= 1, all above 0."""
    size = excess.shape[-1]
    mean = excess.mean(axis=-1, keepdims=True)
    upper = 1 - (np.arange(1, size + 1) - 0.35) / size  # the share of the tail above each rank
    second = (excess / mean * upper).mean(axis=-1, keepdims=True)  # scaled first: products of 1e-300 vanish
    shape = np.clip(2 - 1 / (1 - 2 * second), -1, 0.5) * size / (size + 10)
    reach = excess[..., -1:] * (1 + 1 / size)  # a tail that ends must end beyond the scores it was fitted to
    shape = np.maximum(shape, -1 / (reach / mean - 1))
    return shape, mean * (1 - shape)


def p_value(excess: NDArray[np.float64]) -> float:
    """The share of 199 samples from the fitted tail, fitted anew, at least as far from their fit as `excess` (K,)."""
    shape, scale = pareto(excess)
    uniform = np.random.default_rng(0).random((199, excess.size))
    samples = np.sort(genpareto.isf(uniform, shape, scale=scale), axis=1)
    return float((1 + (_anderson_darling(samples) >= _anderson_darling(excess)).sum()) / 200)


def _anderson_darling(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """A² (...) of rising exceedances (..., K) from the tails fitted to them (Anderson & Darling 1954)."""
    shape, scale = pareto(excess)
    below, above = (np.maximum(log(excess, shape, scale=scale), -700) for log in (genpareto.logcdf, genpareto.logsf))
    odd = 2 * np.arange(excess.shape[-1]) + 1
    return -excess.shape[-1] - (odd * (below + above[..., ::-1])).mean(axis=-1)
