"""How far an image lies from the nearest normal one, in the pooled features of a network."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError
from anodice.scoring.fitted_buffer import size_from_checkpoint
from anodice.scoring.score import Batches, Score, See, Seen, given


class NearestNeighbour(Score):
    """The squared distance of an image's pooled features from the nearest of those of the photos it was trained on.

    After Sarafijanovic-Djukic & Davis (2019). With features f_p at the P positions p, their mean F and the nearest
    normal mean G, |F - G|² is the mean over p of (f_p - G) · (F - G): that share of each position is the map, so that
    the map's mean is the score. It may be negative, where a position brings the image nearer to the normal one.

    Args:
        image_size: height and width of the maps.
    """

    needs: ClassVar[tuple[str, ...]] = ("features",)
    served_by: ClassVar[str] = "model=inception_cae"
    bank: Tensor

    def __init__(self, *, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.register_buffer("bank", torch.empty(0, 0))
        size_from_checkpoint(self, "bank")

    def fit(self, see: See, fitted: Batches, held_out: Batches) -> None:
        self.bank = torch.cat([given(see(batch["image"]).features).mean((2, 3)) for batch in fitted])

    @property
    def is_fitted(self) -> bool:
        return len(self.bank) > 0

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        if not self.is_fitted:
            raise AnodiceError(
                "expected the features of normal photos to compare with, got none; train the detector first."
            )
        features = given(seen.features)
        pooled = features.mean((2, 3))
        nearest = self.bank[self._nearest(pooled)]
        difference = pooled - nearest
        shares = torch.einsum("nchw,nc->nhw", features - nearest[:, :, None, None], difference)[:, None]
        maps = F.interpolate(shares, size=(self.image_size, self.image_size), mode="bilinear", align_corners=False)
        return maps, difference.double().square().sum(1)

    def _nearest(self, pooled: Tensor) -> Tensor:
        """Which entry of the bank is the nearest of each vector, (N, D) -> (N,)."""
        if torch.compiler.is_exporting():  # ONNX has no cdist
            return (self.bank.square().sum(1) - 2 * pooled @ self.bank.T).argmin(1)
        return torch.cdist(pooled, self.bank).argmin(1)
