"""A generalised Pareto tail fitted to the highest of the normals' scores, and a test of whether it fits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import genpareto

FITS = 0.01
"""The lowest p-value at which a tail passes for one that fits."""


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
