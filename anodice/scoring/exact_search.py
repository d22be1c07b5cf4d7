"""How far vectors lie from the nearest of many others: exact, and without comparing all of their values."""

from __future__ import annotations

import torch
from torch import Tensor

_LEADING = 32
"""Principal values of a vector that are compared with all entries."""
_FEW = 2**17
"""Entries times values up to which comparing all of them is as fast."""
_PRODUCTS = 2**20
"""Products with the entries at a time: so many stay in a processor's cache."""
_GROUPED = 32
"""Entries of a group, whose least bound is looked at first."""
_MANY = 64
"""Where more than one in so many entries may be the nearest, all are compared."""
_ROUNDING = 1e-5
"""Of the squares that are subtracted: no entry is left out for a bound that is a little too high."""


class ExactSearch:
    """The squared Euclidean distance of each vector from the nearest entry.

    Entries are turned to their principal axes, which changes no distance. The distance in the leading values and in the
    length of the rest is never more than the whole one, so it bounds which entries may be the nearest: of thousands a
    dozen, of which the distance is computed. Every other one is farther than one that was found.

    Args:
        entries: (M, D), at least one.

    >>> ExactSearch(torch.tensor([[0.0, 0.0], [3.0, 4.0]])).squares(torch.tensor([[3.0, 5.0], [0.0, 0.0]]))
    tensor([1., 0.])
    """

    def __init__(self, entries: Tensor) -> None:
        entries = entries.float()
        # Around their middle the vectors are short, and less is lost in differences of squares.
        self._middle = entries.mean(0)
        self._entries = entries - self._middle
        # A device with many cores compares all faster than it picks some.
        self._bounded = entries.numel() > _FEW and entries.shape[1] > 2 * _LEADING and entries.device.type == "cpu"
        if self._bounded:
            self._axes = torch.linalg.eigh(self._entries.T @ self._entries).eigenvectors.flip(1).contiguous()
            self._groups = -(-len(entries) // _GROUPED)
            repeated = self._entries[-1:].expand(self._groups * _GROUPED - len(entries), -1)  # which changes no minimum
            self._entries = torch.cat([self._entries, repeated]) @ self._axes
        compared = _leading(self._entries) if self._bounded else self._entries
        self._bounds = compared.square().sum(1), compared.T.contiguous()
        self._whole = (self._entries.square().sum(1), self._entries.T) if self._bounded else self._bounds

    @torch.no_grad()
    def squares(self, vectors: Tensor) -> Tensor:
        """Squared distances (N,) float32, at least 0, of vectors (N, D)."""
        rows = max(1, _PRODUCTS // len(self._entries))
        find = self._by_bounds if self._bounded else self._by_all
        return torch.cat([find(part.float() - self._middle) for part in vectors.split(rows)])

    def _by_all(self, vectors: Tensor) -> Tensor:
        squares, entries = self._whole
        return (torch.addmm(squares, vectors, entries, alpha=-2).amin(1) + vectors.square().sum(1)).clamp_min(0)

    def _by_bounds(self, vectors: Tensor) -> Tensor:
        vectors = vectors @ self._axes
        own = vectors.square().sum(1)
        squares, entries = self._bounds
        bounds = torch.addmm(squares, _leading(vectors), entries, alpha=-2)
        bounds = bounds.view(len(vectors), _GROUPED, self._groups)  # less `own`, which is the same for all entries
        of_groups = bounds.amin(1)
        group, every = of_groups.argmin(1), torch.arange(len(vectors))
        least = self._apart(vectors, bounds[every, :, group].argmin(1) * self._groups + group)
        limits = least - own + _ROUNDING * (least + own)
        row, group = (of_groups < limits[:, None]).nonzero(as_tuple=True)
        pair, member = (bounds[row, :, group] < limits[row, None]).nonzero(as_tuple=True)
        if len(pair) * _MANY > bounds.numel():
            return self._by_all(vectors)
        row, entry = row[pair], member * self._groups + group[pair]
        return least.scatter_reduce(0, row, self._apart(vectors[row], entry), "amin")

    def _apart(self, vectors: Tensor, entry: Tensor) -> Tensor:
        return (self._entries[entry] - vectors).square().sum(1)


def _leading(vectors: Tensor) -> Tensor:
    """(N, D) -> (N, 33): the first values, and the length of the rest."""
    return torch.cat([vectors[:, :_LEADING], vectors[:, _LEADING:].norm(dim=1, keepdim=True)], 1)
