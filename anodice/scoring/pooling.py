"""From an anomaly map to one score per image: (N, P) values of the pixels inside the border -> (N,)."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from anodice.errors import AnodiceError

_GROUP = 8  # pixels; more make the second search longer, fewer the first one


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

    def __init__(self, *, fraction: float = 0.01) -> None:
        if not 0 < fraction <= 1:
            raise AnodiceError(f"expected score.pooling.fraction in (0, 1], got {fraction!r}; 0.01 is usual.")
        self.fraction = fraction

    def __call__(self, values: Tensor) -> Tensor:
        count = max(1, round(self.fraction * values.shape[1]))
        return _highest(values, count).mean(1)


def _highest(values: Tensor, count: int) -> Tensor:
    """The `count` highest of each row, (N, P) -> (N, count), in no order.

    They lie in the `count` groups of pixels with the highest maxima, and few pixels are in those. `topk` of the whole
    row finds the same values in about the same time, but in another order: their mean, and so the scores of earlier
    runs, would differ in the last digit.
    """
    groups = values.shape[1] // _GROUP
    if groups < 2 * count:
        return values.topk(count, dim=1, sorted=False).values
    grouped = values[:, : _GROUP * groups].unflatten(1, (_GROUP, groups))
    best = grouped.amax(1).topk(count, dim=1, sorted=False).indices
    candidates = grouped.gather(2, best[:, None].expand(-1, _GROUP, -1)).flatten(1)
    return torch.cat([candidates, values[:, _GROUP * groups :]], 1).topk(count, dim=1, sorted=False).values
