"""What every score of a network shares: it looks at images through a detector and gives maps and scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor, nn

Batches = Iterable[dict[str, Tensor]]
"""Batches of photos: `image` (B, C, H, W) float32 in [0, 1], `class` (B,) int64 and more."""


class Score(nn.Module):
    """From images, seen through a detector, to anomaly maps and scores. What it fits travels in the checkpoint."""

    needs: ClassVar[tuple[str, ...]] = ("reconstruct",)
    """The methods of the detector that the score calls, each images (N, C, H, W) -> tensor."""

    def forward(self, detector: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) float32 in [0, 1] -> maps (N, 1, H, W) and scores (N,) float64, both higher for stranger."""
        raise NotImplementedError

    def fit(self, detector: Any, fitted: Batches, held_out: Batches) -> None:
        """Learn what the score needs to know of normal photos; by default nothing.

        Args:
            fitted: the normal photos that the detector was trained on, as they are.
            held_out: those it has not seen.
        """
