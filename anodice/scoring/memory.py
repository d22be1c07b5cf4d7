"""A memory of the features that normal photos have at each place, and the distance from it (Roth et al. 2022).

The search is exact and a few matrix products long. A library for approximate search would gain nothing: each place has
a small memory of its own, and there are many places.
"""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.scoring.coreset import greedy_coreset
from anodice.scoring.exact_search import ExactSearch
from anodice.scoring.fitted_buffer import size_from_checkpoint


class Memory(nn.Module):
    """Feature maps (N, D, h, w) -> how far each of their cells lies from the nearest normal one.

    Args:
        entries: how many vectors are kept of each cell, at most.
        radius: a cell is compared with the entries of the cells up to this many rows and columns away; None for all
            cells, where objects are not aligned.
        seed: see `greedy_coreset`.
    """

    bank: Tensor

    def __init__(self, *, entries: int, radius: int | None, seed: int) -> None:
        if not isinstance(entries, int) or entries < 1:
            raise AnodiceError(f"expected model.memory.entries to be a whole number of at least 1, got {entries!r}.")
        if radius is not None and (not isinstance(radius, int) or radius < 0):
            raise AnodiceError(
                f"expected model.memory.radius to be a whole number of cells of at least 0, got {radius!r}; null is "
                "for all."
            )
        super().__init__()
        self.entries, self.radius, self.seed = entries, radius, seed
        self.register_buffer("bank", torch.empty(0, 0, 0, 0))
        size_from_checkpoint(self, "bank")
        self._kept: tuple[Tensor, Tensor] | None = None
        self._search: tuple[Tensor, ExactSearch] | None = None

    def fit(self, features: Tensor) -> None:
        """Keep a coreset of the features (h, w, N, D) of normal photos, cell by cell; what was kept before is lost.

        Features of any floating type; what is kept of them is float32.
        """
        cells = features.flatten(0, 1)
        chosen = greedy_coreset(cells, min(self.entries, cells.shape[1]), seed=self.seed)
        kept = cells.gather(1, chosen[:, :, None].expand(-1, -1, cells.shape[2]))
        self.bank = kept.unflatten(0, features.shape[:2]).float()

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """Euclidean distances (N, 1, h, w) from the nearest entry, at least 0; higher is stranger. No gradients.

        Raises:
            AnodiceError: nothing was fitted.
        """
        if self.bank.numel() == 0:
            raise AnodiceError(
                "expected features of normal photos to compare with, got none; train the detector first."
            )
        if torch.compiler.is_exporting():
            least, squares = self._least_in_graph(features)
        elif self.radius is None:
            found = self._searched().squares(features.permute(0, 2, 3, 1).flatten(0, 2))
            return found.sqrt().view(-1, 1, *features.shape[2:])
        else:
            squares = features.square().sum(1)
            least = self._least_nearby(features.permute(2, 3, 0, 1), self.radius)
        # Rounding leaves sums a little below 0 where nothing differs.
        return (squares + least.permute(2, 0, 1)).clamp_min(0).sqrt()[:, None]

    def _least_nearby(self, cells: Tensor, radius: int) -> Tensor:
        """The same over the entries of the cells within the radius."""
        height, width, count, length = cells.shape
        radius = min(radius, max(height, width) - 1)
        padded = self._padded(radius)
        queries = cells.new_ones(height, width, count, length + 1)
        queries[..., :length] = cells
        least = cells.new_full((height, width, count), torch.inf)
        # The entries of neighbours in a row lie one behind the other: all of them are one factor of a product.
        size, stride = (2 * radius + 1) * self.bank.shape[2], padded.stride()
        products = cells.new_empty(width, count, size)
        for y, shift in product(range(height), range(2 * radius + 1)):
            row = padded[y + shift]
            near = row.as_strided((width, length + 1, size), (stride[1], 1, stride[2]), row.storage_offset())
            torch.bmm(queries[y], near, out=products)
            torch.minimum(least[y], products.amin(2), out=least[y])
        return least

    def _least_in_graph(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The same within the radius, whatever it is, (h, w, N), and |q|² (N, h, w).

        One product over all cells: of each cell's entries with the vectors of the cells around it. A graph that is run
        photo by photo reads the entries once, and no copies of them.
        """
        # Around their middle the vectors are short, and less is lost in the difference of squares.
        middle = self.bank.mean((0, 1, 2))
        bank, cells = self.bank - middle, features.permute(2, 3, 1, 0) - middle[:, None]  # (h, w, D, N)
        (height, width), squares = bank.shape[:2], cells.square().sum(2).permute(2, 0, 1)
        if self.radius is None:
            entries = bank.flatten(0, 2)
            return (entries.square().sum(1, keepdim=True) - 2 * (entries @ cells)).amin(2), squares
        radius = min(self.radius, max(height, width) - 1)
        steps = list(product(range(2 * radius + 1), repeat=2))
        margins = (0, 0, 0, 0, radius, radius, radius, radius)
        padded = F.pad(cells, margins)
        near = torch.stack([padded[y : y + height, x : x + width] for y, x in steps], 3)  # (h, w, D, steps, N)
        products = bank @ near.flatten(3, 4)
        found = (bank.square().sum(3, keepdim=True) - 2 * products).amin(2).unflatten(2, (len(steps), -1))
        # What a cell's entries found at a step belongs to the cell that lies a step away.
        back = F.pad(found, margins, value=torch.inf)
        own = [back[2 * radius - y :, 2 * radius - x :][:height, :width, k] for k, (y, x) in enumerate(steps)]
        return torch.stack(own).amin(0), squares

    def _searched(self) -> ExactSearch:
        """The search among all entries, kept for as long as the bank is the same."""
        if self._search is None or self._search[0] is not self.bank:
            self._search = self.bank, ExactSearch(self.bank.flatten(0, 2))
        return self._search[1]

    def _padded(self, radius: int) -> Tensor:
        """(h + 2 radius, w + 2 radius, E, D + 1): -2 b and |b|² of each entry, of which q and 1 make |b|² - 2 b·q.

        Beyond the border are entries that are infinitely far. Kept for as long as the bank is the same.
        """
        if self._kept is None or self._kept[0] is not self.bank:
            height, width, entries, length = self.bank.shape
            padded = self.bank.new_zeros(height + 2 * radius, width + 2 * radius, entries, length + 1)
            padded[..., length] = torch.inf
            inner = padded[radius : radius + height, radius : radius + width]
            torch.mul(self.bank, -2, out=inner[..., :length])
            inner[..., length] = self.bank.square().sum(3)
            self._kept = self.bank, padded
        return self._kept[1]
