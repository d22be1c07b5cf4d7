"""How far an image lies outside the region that a one-class support vector machine draws around normal ones."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from anodice.errors import AnodiceError
from anodice.scoring.fitted_buffer import size_from_checkpoint
from anodice.scoring.optional import optional
from anodice.scoring.score import Batches, Score, See, Seen, given


class OneClassSVM(Score):
    """Minus the decision function of a one-class SVM (Schölkopf et al. 2001) on a network's pooled features.

    After Sarafijanovic-Djukic & Davis (2019), with scikit-learn's defaults: a Gaussian kernel exp(-gamma |x - y|²), its
    gamma 1 / (D times the variance of the features), and `nu`. Scores above 0 lie outside. With the weighted kernels
    k_i of the pooled features F to the support vectors s_i, and their mean c = Σ k_i s_i / Σ k_i, the map at position p
    is 2 gamma Σ k_i (f_p - c) · (F - c): how much that position pulls F away from where the score is low.

    Args:
        image_size: height and width of the maps.
        nu: at most this share of the normal photos lies outside, in (0, 1].
    """

    needs: ClassVar[tuple[str, ...]] = ("features",)
    served_by: ClassVar[str] = "model=inception_cae"
    support: Tensor
    weights: Tensor
    gamma: Tensor
    offset: Tensor

    def __init__(self, *, image_size: int, nu: float = 0.5) -> None:
        super().__init__()
        if not 0 < nu <= 1:
            raise AnodiceError(f"expected score.nu in (0, 1], got {nu!r}; 0.5 is scikit-learn's.")
        self.image_size, self.nu = image_size, nu
        self.register_buffer("support", torch.empty(0, 0))
        self.register_buffer("weights", torch.empty(0, dtype=torch.float64))
        self.register_buffer("gamma", torch.zeros((), dtype=torch.float64))
        self.register_buffer("offset", torch.zeros((), dtype=torch.float64))
        size_from_checkpoint(self, "support", "weights")

    def fit(self, see: See, fitted: Batches, held_out: Batches) -> None:
        machine = optional("sklearn.svm", "scikit-learn", "score=one_class_svm").OneClassSVM(nu=self.nu)
        pooled = torch.cat([given(see(batch["image"]).features).mean((2, 3)) for batch in fitted])
        machine.fit(pooled.double().cpu().numpy())
        self.support = torch.from_numpy(machine.support_vectors_).to(pooled)
        self.weights = torch.from_numpy(machine.dual_coef_[0]).to(self.weights)
        self.gamma.fill_(machine._gamma)
        self.offset.fill_(float(machine.offset_[0]))

    @property
    def is_fitted(self) -> bool:
        return len(self.support) > 0

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        if not self.is_fitted:
            raise AnodiceError("expected support vectors to compare with, got none; train the detector first.")
        features = given(seen.features)
        pooled = features.mean((2, 3))
        squares = (pooled.double()[:, None] - self.support.double()).square().sum(2)
        kernels = self.weights * (-self.gamma * squares).exp()
        total = kernels.sum(1, keepdim=True)
        centre = ((kernels @ self.support.double()) / total.clamp_min(1e-300)).to(pooled)
        pull = (2 * self.gamma * total).to(pooled) * (pooled - centre)
        shares = torch.einsum("nchw,nc->nhw", features - centre[:, :, None, None], pull)[:, None]
        maps = F.interpolate(shares, size=(self.image_size, self.image_size), mode="bilinear", align_corners=False)
        return maps, self.offset - total[:, 0]
