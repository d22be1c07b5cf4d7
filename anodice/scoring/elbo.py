"""Scores of a variational auto-encoder by the terms of its own loss, in nats per image."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from anodice.functional.likelihoods import gaussian_kl
from anodice.scoring.score import Score, Seen, given


class NegativeELBO(Score):
    """-log p(image | mean code) + KL(code || N(0, 1)), the whole of the loss at beta 1 (Kingma & Welling 2014).

    The likelihood is taken at the mean of the posterior, not averaged over it, so that a photo always has the same
    score. The map is what each pixel adds to the likelihood's term; its sum lacks the KL, which belongs to no pixel.
    """

    needs: ClassVar[tuple[str, ...]] = ("surprise", "posteriors")
    served_by: ClassVar[str] = "model=vae"

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        surprise = given(seen.surprise)
        return surprise, surprise.double().sum((1, 2, 3)) + _kl(seen)


class Divergence(Score):
    """KL(code || N(0, 1)) alone: how far the code of an image lies from what codes should be, not how well it fits.

    It blames no pixel; the map is that of `NegativeELBO`.
    """

    needs: ClassVar[tuple[str, ...]] = ("surprise", "posteriors")
    served_by: ClassVar[str] = "model=vae"

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        return given(seen.surprise), _kl(seen)


def _kl(seen: Seen) -> Tensor:
    """(N,) float64."""
    mean, log_variance = given(seen.posteriors).double().unbind(1)
    return gaussian_kl(mean, log_variance)
