"""The terms of the evidence lower bound (Kingma & Welling 2014), in nats."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats per image, at least 0; (N, D), (N, D) -> (N,).

    >>> gaussian_kl(torch.zeros(1, 3), torch.zeros(1, 3)).item()
    0.0
    """
    # expm1 keeps variances close to 1 from cancelling into a negative sum.
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(1)


def laplace_nll(images: Tensor, reconstructions: Tensor, scale: float) -> Tensor:
    """-log p(images) under Laplace noise of `scale` grey levels around the reconstruction, in nats per image: (N,)."""
    difference = (images - reconstructions).abs().flatten(1)
    return difference.sum(1) / scale + difference.shape[1] * math.log(2 * scale)


def laplace_nll_map(images: Tensor, reconstructions: Tensor, scale: float) -> Tensor:
    """What each pixel adds to `laplace_nll`, over its channels: (N, C, H, W), (N, C, H, W) -> (N, 1, H, W).

    >>> laplace_nll_map(torch.tensor([[[[0.75]]]]), torch.tensor([[[[0.5]]]]), scale=0.5).item()
    0.5
    """
    return ((images - reconstructions).abs() / scale + math.log(2 * scale)).sum(1, keepdim=True)


def bernoulli_nll_map(images: Tensor, reconstructions: Tensor) -> Tensor:
    """The binary cross-entropy of each pixel, over its channels: (N, C, H, W) in [0, 1] twice -> (N, 1, H, W).

    >>> round(bernoulli_nll_map(torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5)).item(), 3)
    0.693
    """
    return F.binary_cross_entropy(reconstructions, images, reduction="none").sum(1, keepdim=True)
