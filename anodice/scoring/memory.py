"""A memory of the features that normal photos have at each place, and the distance from it (Roth et al. 2022).

The search is exact and a few matrix products long. A library for approximate search would gain nothing: each place has
a small memory of its own, and there are many places.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from anodice.errors import AnodiceError

_PROJECTED = 32
"""Length of the random projections among which a coreset is chosen: distances in them err by about an eighth."""
_AT_ONCE = 4
"""Places whose coresets are chosen together: their vectors stay in the processor's cache meanwhile."""


def greedy_coreset(features: Tensor, count: int, *, seed: int) -> Tensor:
    """Choose vectors that lie far apart and so leave none far from a chosen one, in each of P sets of its own.

    After the mean vector's nearest, each next is the one farthest from those chosen before (Gonzalez 1985), which at
    most doubles the least possible largest distance. Of several as far, the first is taken.

    Args:
        features: (P, N, D), N vectors in each set.
        count: how many to choose of each set, from 1 to N.
        seed: of the random projection of vectors that are longer than 32.

    Returns:
        (P, count) int64, indices into the N vectors.

    >>> greedy_coreset(torch.tensor([[[0.0], [0.1], [5.0], [2.4]]]), 3, seed=0)
    tensor([[3, 2, 0]])
    """
    return torch.cat([_farthest(_projected(some, seed), count) for some in features.split(_AT_ONCE)])


def _farthest(points: Tensor, count: int) -> Tensor:
    means = points.mean(1, keepdim=True)
    latest = (points - means).square().sum(2).argmin(1)
    chosen, sets = [latest], torch.arange(len(points), device=points.device)
    nearest = torch.full(points.shape[:2], torch.inf, device=points.device)
    squares = points.square().sum(2)
    for _ in range(count - 1):
        centre = points[sets, latest]
        products = torch.bmm(points, centre[:, :, None]).squeeze(2)
        distances = squares + squares[sets, latest][:, None] - 2 * products
        nearest = torch.minimum(nearest, distances)
        nearest[sets, latest] = -torch.inf
        latest = nearest.argmax(1)
        chosen.append(latest)
    return torch.stack(chosen, 1)


class Memory(nn.Module):
    """Feature maps (N, D, h, w) -> how far each of their cells lies from the nearest normal one.

    Args:
        entries: how many vectors are kept of each cell, at most.
        radius: a cell is compared with the entries of the cells up to this many rows and columns away; None for all
            cells, where objects are not aligned.
        seed: see `greedy_coreset`.
    """

    def __init__(self, *, entries: int, radius: int | None, seed: int) -> None:
        if not isinstance(entries, int) or entries < 1:
            raise AnodiceError(f"expected model.entries to be a whole number of at least 1, got {entries!r}.")
        if radius is not None and (not isinstance(radius, int) or radius < 0):
            raise AnodiceError(
                f"expected model.radius to be a whole number of cells of at least 0, got {radius!r}; null is for all."
            )
        super().__init__()
        self.entries, self.radius, self.seed = entries, radius, seed
        self.register_buffer("bank", torch.empty(0, 0, 0, 0))

    def fit(self, features: Tensor) -> None:
        """Keep a coreset of the features (h, w, N, D) of N normal photos, cell by cell; what was kept before is lost."""
        cells = features.flatten(0, 1)
        chosen = greedy_coreset(cells, min(self.entries, cells.shape[1]), seed=self.seed)
        kept = cells.gather(1, chosen[:, :, None].expand(-1, -1, cells.shape[2]))
        self.bank = kept.unflatten(0, features.shape[:2])

    def forward(self, features: Tensor) -> Tensor:
        """Euclidean distances (N, 1, h, w) from the nearest entry, at least 0; higher is stranger.

        Raises:
            AnodiceError: nothing was fitted.
        """
        if self.bank.numel() == 0:
            raise AnodiceError(
                "expected features of normal photos to compare with, got none; train the detector first."
            )
        cells = features.permute(2, 3, 0, 1)
        squares = cells.square().sum(3)
        least = self._least_anywhere(cells) if self.radius is None else self._least_nearby(cells, self.radius)
        # Rounding leaves sums a little below 0 where nothing differs.
        return (squares + least).clamp_min(0).sqrt().permute(2, 0, 1)[:, None]

    def _least_anywhere(self, cells: Tensor) -> Tensor:
        """The least |b|² - 2 b·q over all entries b, for each vector q: (h, w, N, D) -> (h, w, N)."""
        entries = self.bank.flatten(0, 2)
        squares = entries.square().sum(1)
        # Row by row: all products at once would take much memory.
        rows = [torch.addmm(squares, row.flatten(0, 1), entries.T, alpha=-2).amin(1) for row in cells]
        return torch.stack(rows).reshape(cells.shape[:3])

    def _least_nearby(self, cells: Tensor, radius: int) -> Tensor:
        """The same over the entries of the cells within the radius."""
        height, width = cells.shape[:2]
        squares = self.bank.square().sum(3)
        least = torch.full(cells.shape[:3], torch.inf, device=cells.device)
        down, across = min(radius, height - 1), min(radius, width - 1)
        for y, x in product(range(-down, down + 1), range(-across, across + 1)):
            (here_y, there_y), (here_x, there_x) = _overlap(height, y), _overlap(width, x)
            entries, queries = self.bank[there_y, there_x].flatten(0, 1), cells[here_y, here_x].flatten(0, 1)
            start = squares[there_y, there_x].flatten(0, 1)[:, None]
            found = torch.baddbmm(start, queries, entries.mT, alpha=-2).amin(2)
            least[here_y, here_x] = torch.minimum(least[here_y, here_x], found.reshape(least[here_y, here_x].shape))
        return least

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        bank = state_dict.get(f"{prefix}bank")
        if bank is not None:  # its size is that of the training
            self.bank = self.bank.new_empty(bank.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _overlap(length: int, shift: int) -> tuple[slice, slice]:
    """The places of a line of which the one `shift` further on is there too, and those further on."""
    return slice(max(0, -shift), length - max(0, shift)), slice(max(0, shift), length - max(0, -shift))


def _projected(features: Tensor, seed: int) -> Tensor:
    """Vectors of at most `_PROJECTED` values, between which the distances are about the same."""
    length = features.shape[2]
    if length <= _PROJECTED:
        return features
    normal = torch.randn(length, _PROJECTED, generator=torch.Generator().manual_seed(seed))
    return features @ (normal / _PROJECTED**0.5).to(features)
