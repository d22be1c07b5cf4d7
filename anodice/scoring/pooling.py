"""From an anomaly map to one score per image: (N, P) values of the pixels inside the border -> (N,)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from anodice.errors import AnodiceError


class Pooling(Protocol):
    def __call__(self, values: Tensor) -> Tensor: ...


class Max:
    """The strangest pixel."""

    def __call__(self, values: Tensor) -> Tensor:
        return values.amax(1)


class Mean:
    """All pixels alike; a small defect drowns in it."""

    def __call__(self, values: Tensor) -> Tensor:
        return values.mean(1)


class TopMean:
    """The mean of the strangest share `fraction`, in (0, 1], of the pixels; at least one.

    >>> import torch
    >>> TopMean(fraction=0.5)(torch.tensor([[1.0, 4.0, 2.0, 3.0]])).item()
    3.5
    """

    def __init__(self, *, fraction: float) -> None:
        if not 0 < fraction <= 1:
            raise AnodiceError(f"expected score.pooling.fraction in (0, 1], got {fraction!r}; 0.01 is usual.")
        self.fraction = fraction

    def __call__(self, values: Tensor) -> Tensor:
        count = max(1, round(self.fraction * values.shape[1]))
        return values.topk(count, dim=1, sorted=False).values.mean(1)


class Quantile:
    """The value that the share `q`, in [0, 1], of the pixels does not exceed."""

    def __init__(self, *, q: float) -> None:
        if not 0 <= q <= 1:
            raise AnodiceError(f"expected score.pooling.q in [0, 1], got {q!r}; 0.99 is usual.")
        self.q = q

    def __call__(self, values: Tensor) -> Tensor:
        return values.quantile(self.q, dim=1)
