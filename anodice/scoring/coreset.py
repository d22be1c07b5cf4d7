"""A few vectors that leave none of many far from them: greedy coresets (Gonzalez 1985; Roth et al. 2022)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_SMALL = 2**20
"""So many values of a set fit into a processor's cache, where going through all of them for each choice is fastest."""
_CANDIDATES, _ROWS = 1024, 4096
"""Vectors among which the next are chosen in one go, and vectors that are compared with the chosen ones at a time."""


def greedy_coreset(features: Tensor, count: int, *, seed: int, length: int = 32) -> Tensor:
    """Choose vectors that lie far apart and so leave none far from a chosen one, in each of P sets of its own.

    After the mean vector's nearest, each next is the one farthest from those chosen before (Gonzalez 1985), which at
    most doubles the least possible largest distance. The choice is exact but for the projection.

    Args:
        features: (P, N, D), N vectors in each set.
        count: how many to choose of each set, from 1 to N.
        seed: of the random projection of longer vectors.
        length: of the projections, in which distances err by about 1 / sqrt(2 length): an eighth with 32.

    Returns:
        (P, count) int64, indices into the N vectors.

    >>> greedy_coreset(torch.tensor([[[0.0], [0.1], [5.0], [2.4]]]), 3, seed=0)
    tensor([[3, 2, 0]])
    """
    # Set by set: the vectors of one stay in the processor's cache.
    sets = (_projected(one, seed, length) for one in features)
    return torch.stack([_one_by_one(p, count) if p.numel() <= _SMALL else _in_blocks(p, count) for p in sets])


def _first(points: Tensor) -> Tensor:
    return (points - points.mean(0)).square().sum(1).argmin()


def _one_by_one(points: Tensor, count: int) -> Tensor:
    chosen = [_first(points)]
    nearest = torch.full((len(points),), torch.inf, device=points.device)
    squares = points.square().sum(1)
    for _ in range(count - 1):
        latest = chosen[-1]
        distances = squares + squares[latest] - 2 * (points @ points[latest])
        nearest = torch.minimum(nearest, distances)
        nearest[latest] = -torch.inf
        chosen.append(nearest.argmax())
    return torch.stack(chosen)


def _in_blocks(points: Tensor, count: int) -> Tensor:
    """The same choice, many at a time.

    Distances from the chosen ones never grow. So among the candidates, the farthest so far, each next one is found
    without a look at the others, until none is as far as the farthest of those was at the start. All chosen by then are
    compared with all vectors in one matrix product, which reads the vectors once and not once for each.
    """
    squares = points.square().sum(1)
    nearest = torch.full_like(squares, torch.inf)
    chosen, new = [_first(points)[None]], _first(points)[None]
    left = count - 1
    while left > 0:
        for rows in (slice(start, start + _ROWS) for start in range(0, len(points), _ROWS)):
            found = torch.addmm(squares[new], points[rows], points[new].T, alpha=-2).amin(1) + squares[rows]
            torch.minimum(nearest[rows], found, out=nearest[rows])
        nearest[new] = -torch.inf
        farthest = nearest.topk(min(_CANDIDATES + 1, len(points)))
        bound = float(farthest.values[-1]) if len(points) > _CANDIDATES else -np.inf
        candidates = farthest.indices[:_CANDIDATES]
        own = points[candidates]
        between = torch.addmm(squares[candidates], own, own.T, alpha=-2) + squares[candidates, None]
        to_others, distances = between.cpu().numpy(), farthest.values[:_CANDIDATES].cpu().numpy()
        picked: list[int] = []
        while len(picked) < left:
            latest = int(distances.argmax())
            if picked and distances[latest] < bound:
                break
            picked.append(latest)
            np.minimum(distances, to_others[latest], out=distances)
            distances[latest] = -np.inf
        new = candidates[torch.tensor(picked, device=candidates.device)]
        chosen.append(new)
        left -= len(picked)
    return torch.cat(chosen)


def _projected(features: Tensor, seed: int, length: int) -> Tensor:
    """(N, D) -> (N, at most `length`) float32, between which the distances are about the same."""
    if features.shape[1] <= length:
        return features.float()
    generator = torch.Generator().manual_seed(seed)
    normal = (torch.randn(features.shape[1], length, generator=generator) / length**0.5).to(features.device)
    return torch.cat([rows.float() @ normal for rows in features.split(_ROWS)])
