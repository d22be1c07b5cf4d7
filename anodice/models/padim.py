"""The Gaussians of PaDiM (Defard et al. 2021), "PaDiM: a Patch Distribution Modeling Framework"."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.models.feature_memory import Extract
from anodice.scoring.fitted_buffer import size_from_checkpoint
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import Max
from anodice.scoring.score import Batches

_PLACES = 256
"""Whose covariances are inverted at a time."""


class PatchGaussians(nn.Module):
    """Feature maps -> anomaly maps and scores, by a Gaussian of what normal photos hold in each place (Defard 2021).

    Deeper feature maps are enlarged to the size of the first and all are joined: a vector for each place, of which some
    values, chosen at random once, are looked at (section III.A). Each place has the mean and the covariance of normal
    photos, with `regularisation` times the identity added (equation 1). The map holds each vector's Mahalanobis
    distance (equation 2), enlarged and smoothed; the score is its maximum.

    The photos are gone through once, batch by batch: sums are kept, and no features, so that the memory in use does not
    grow with the photos. It is 4 bytes times the places times the square of `features`.

    Args:
        features: values of each vector that are looked at, at most; 100 in the paper for a ResNet-18.
        regularisation: added to the variances, above 0; 0.01 in the paper.
        seed: of the random choice.
        score: smooths the map (the paper: a Gaussian of deviation 4), leaves out the border, and takes the maximum.
            None for a Gaussian of 4 pixels and the whole image.
        image_size: height and width of the images and the maps.

    Raises:
        AnodiceError: settings that mean nothing.
    """

    chosen: Tensor
    mean: Tensor
    whitening: Tensor

    def __init__(
        self,
        *,
        features: int = 100,
        regularisation: float = 0.01,
        seed: int = 0,
        score: MapScore | None = None,
        image_size: int = 128,
    ) -> None:
        super().__init__()
        if not isinstance(features, int) or features < 1:
            raise AnodiceError(f"expected model.memory.features to be a whole number of at least 1, got {features!r}.")
        if not regularisation > 0:
            raise AnodiceError(f"expected model.memory.regularisation above 0, got {regularisation!r}; 0.01 is usual.")
        self.features, self.regularisation, self.seed = features, regularisation, seed
        self.score = MapScore(smoothing=4.0, pooling=Max(), image_size=image_size) if score is None else score
        self.image_size = image_size
        self.register_buffer("chosen", torch.empty(0, dtype=torch.int64))
        self.register_buffer("mean", torch.empty(0, 0))
        self.register_buffer("whitening", torch.empty(0, 0, 0))
        size_from_checkpoint(self, "chosen", "mean", "whitening")

    @property
    def is_filled(self) -> bool:
        return self.mean.numel() > 0

    @torch.no_grad()
    def fit(self, extract: Extract, fitted: Batches, held_out: Batches) -> None:
        """Take the Gaussians of the `fitted` photos; those taken before are lost.

        Raises:
            AnodiceError: no photos.
        """
        count, sums, products = 0, None, None
        for batch in fitted:
            if len(batch["image"]) == 0:
                continue
            layers = extract(batch["image"])
            if sums is None:
                self._choose(sum(features.shape[1] for features in layers))
            cells = self._cells(layers)
            if sums is None:
                # Sums of what differs from one photo's vectors: squares of small numbers round less.
                origin = cells[:, :1].clone()
                sums = torch.zeros_like(origin)
                products = cells.new_zeros(len(cells), cells.shape[2], cells.shape[2])
            cells -= origin
            count += cells.shape[1]
            sums += cells.sum(1, keepdim=True)
            products.baddbmm_(cells.mT, cells)
        if sums is None:
            raise AnodiceError("expected normal photos to take the Gaussians of, got none; see the split of the data.")
        mean = sums / count
        covariance = products.baddbmm_(mean.mT, mean, alpha=-count).div_(max(1, count - 1))
        covariance.diagonal(dim1=1, dim2=2).add_(self.regularisation)
        # With C = L Lᵀ the distance is |L⁻¹ (x - mean)|, of which rounding leaves no square below 0. In place, some
        # at a time: all covariances are the largest tensor there is.
        identity = torch.eye(covariance.shape[1], dtype=covariance.dtype, device=covariance.device)
        for some in covariance.split(_PLACES):
            factors = torch.linalg.cholesky(some)
            some.copy_(torch.linalg.solve_triangular(factors, identity.expand_as(factors), upper=False))
        self.mean, self.whitening = (origin + mean)[:, 0], covariance

    def forward(self, layers: list[Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, 1, H, W) and scores (N,) float64, both at least 0.

        Raises:
            AnodiceError: nothing was fitted.
        """
        if not self.is_filled:
            raise AnodiceError(
                "expected Gaussians of normal photos to compare with, got none; train the detector first."
            )
        cells = self._cells(layers) - self.mean[:, None]
        distances = torch.bmm(cells, self.whitening.mT).square().sum(2).sqrt()
        grid = distances.T.reshape(-1, 1, *layers[0].shape[2:])
        size = (self.image_size, self.image_size)
        return self.score(F.interpolate(grid, size=size, mode="bilinear", align_corners=False))

    def _choose(self, length: int) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        self.chosen = torch.randperm(length, generator=generator)[: self.features].to(self.chosen.device)

    def _cells(self, layers: list[Tensor]) -> Tensor:
        """Feature maps -> (P, N, D), the chosen values in each of the P places of the first."""
        size = layers[0].shape[2:]
        enlarged = [F.interpolate(features, size=size, mode="nearest") for features in layers[1:]]
        joined = torch.cat([layers[0], *enlarged], 1).index_select(1, self.chosen).float()
        return joined.flatten(2).permute(2, 0, 1).contiguous()
