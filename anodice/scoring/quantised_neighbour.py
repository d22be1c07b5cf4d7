"""The nearest neighbour among normal images whose pooled features are kept in a few bits."""

from __future__ import annotations

import torch
from torch import Tensor

from anodice.errors import AnodiceError
from anodice.scoring.nearest_neighbour import NearestNeighbour
from anodice.scoring.optional import optional
from anodice.scoring.score import Batches, See


class QuantisedNeighbour(NearestNeighbour):
    """`NearestNeighbour` among the product-quantised features of the photos it was trained on (Jégou et al. 2011).

    After Sarafijanovic-Djukic & Davis (2019). The D numbers of a photo are cut into `parts`, and each part is replaced
    by the nearest of 2 ** `bits` centres that k-means finds for it. Images that are compared are not quantised.

    Args:
        image_size: height and width of the maps.
        parts: how many, a divisor of D.
        bits: of each part, at least 1.
        seed: of k-means.
    """

    def __init__(self, *, image_size: int, parts: int = 2, bits: int = 3, seed: int = 0) -> None:
        super().__init__(image_size=image_size)
        for name, value in (("parts", parts), ("bits", bits)):
            if not isinstance(value, int) or value < 1:
                raise AnodiceError(f"expected score.{name} to be a whole number of at least 1, got {value!r}.")
        self.parts, self.bits, self.seed = parts, bits, seed

    def fit(self, see: See, fitted: Batches, held_out: Batches) -> None:
        super().fit(see, fitted, held_out)
        length = self.bank.shape[1]
        if length % self.parts != 0:
            raise AnodiceError(
                f"expected score.parts to divide the {length} features of the network, got {self.parts}; 2 and 4 are "
                "usual."
            )
        quantised = torch.cat([self._quantised(part) for part in self.bank.chunk(self.parts, 1)], 1)
        self.bank = quantised.unique(dim=0)

    def _quantised(self, part: Tensor) -> Tensor:
        """Each row (N, D / parts) as the nearest of the centres."""
        values = part.double().cpu().numpy()
        count = min(2**self.bits, len(part.unique(dim=0)))
        means = optional("sklearn.cluster", "scikit-learn", "score=quantised_neighbour").KMeans(
            count, n_init=1, max_iter=25, random_state=self.seed
        )
        places = means.fit_predict(values)
        return torch.from_numpy(means.cluster_centers_[places]).to(part)
