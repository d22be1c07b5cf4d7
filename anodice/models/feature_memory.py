"""What a memory of features is to the detectors that use one, and which photos it is filled from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from anodice.scoring.map_score import MapScore
from anodice.scoring.score import Batches

Extract = Callable[[Tensor], list[Tensor]]
"""Images -> their feature maps."""


class FeatureMemory(Protocol):
    """What the detectors ask of a memory, a `torch.nn.Module`."""

    score: MapScore
    is_filled: bool

    def fit(self, extract: Extract, fitted: Batches, held_out: Batches) -> None:
        """Keep features of the photos."""
        ...

    def __call__(self, layers: list[Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
        """Feature maps (N, D, h, w) and their images -> maps (N, 1, H, W) and scores (N,) float64."""
        ...


def spread(classes: Tensor, count: int) -> Tensor:
    """Which of N photos to take: at most `count`, as many of each class that has them, evenly along its photos.

    Neighbours are often frames of one film and nearly the same, so even steps show more than a random choice.

    Args:
        classes: (N,) int64.

    Returns:
        (N,) bool; at least one of each class, even where that makes more than `count`.

    >>> spread(torch.tensor([0, 0, 0, 0, 0, 1]), 4).tolist()
    [True, False, True, False, True, True]
    """
    sizes = classes.unique(return_counts=True)[1]
    each = max((n for n in range(1, int(sizes.max()) + 1) if int(sizes.clamp_max(n).sum()) <= count), default=1)
    taken = torch.zeros_like(classes, dtype=torch.bool)
    for number in classes.unique():
        own = (classes == number).nonzero()[:, 0]
        taken[own[torch.linspace(0, len(own) - 1, min(len(own), each)).round().long()]] = True
    return taken
