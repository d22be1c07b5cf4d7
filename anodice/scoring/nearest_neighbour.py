"""How far an image lies from the nearest normal one, in the pooled features of a network."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError
from anodice.scoring.score import Batches, Score


class NearestNeighbour(Score):
    """The squared distance of an image's pooled features from the nearest of those of the photos it was trained on.

    After Sarafijanovic-Djukic & Davis (2019). With features f_p at the P positions p, their mean F and the nearest
    normal mean G, |F - G|² is the mean over p of (f_p - G) · (F - G): that share of each position is the map, so that
    the map's mean is the score. It may be negative, where a position brings the image nearer to the normal one.

    Args:
        image_size: height and width of the maps.
    """

    needs: ClassVar[tuple[str, ...]] = ("feature_maps",)

    def __init__(self, *, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.register_buffer("bank", torch.empty(0, 0))

    def fit(self, detector: Any, fitted: Batches, held_out: Batches) -> None:
        self.bank = torch.cat([detector.feature_maps(batch["image"]).mean((2, 3)) for batch in fitted])

    def forward(self, detector: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        if len(self.bank) == 0:
            raise AnodiceError(
                "expected the features of normal photos to compare with, got none; train the detector first."
            )
        features = detector.feature_maps(images)
        pooled = features.mean((2, 3))
        nearest = self.bank[torch.cdist(pooled, self.bank).argmin(1)]
        difference = pooled - nearest
        shares = torch.einsum("nchw,nc->nhw", features - nearest[:, :, None, None], difference)[:, None]
        maps = F.interpolate(shares, size=(self.image_size, self.image_size), mode="bilinear", align_corners=False)
        return maps, difference.double().square().sum(1)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        bank = state_dict.get(f"{prefix}bank")
        if bank is not None:  # its length is that of the training
            self.bank = self.bank.new_empty(bank.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)
