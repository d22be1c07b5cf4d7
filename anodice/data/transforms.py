"""From uint8 photos to what the network sees: the one transform of training, evaluation, prediction and export."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EvaluationTransform(nn.Module):
    """Photos (N, H, W, C) uint8 -> images (N, C, H, W) float32 in [0, 1].

    >>> EvaluationTransform()(torch.full((2, 8, 8, 1), 255, dtype=torch.uint8)).amax().item()
    1.0
    """

    def forward(self, photos: Tensor) -> Tensor:
        # Said to be contiguous: a permuted single channel passes for channels_last, which many operators are slow on.
        images = photos.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        return images.div_(255)
