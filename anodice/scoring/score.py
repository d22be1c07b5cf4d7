"""What every score of a network shares: it takes what the network makes of images, and gives maps and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from anodice.scoring.grounds import Grounds


class Seen(NamedTuple):
    """What a network makes of N images; None for what no score asked for.

    Attributes:
        images: (N, C, H, W) float32 in [0, 1].
        reconstructions: the same shape and range.
        classes: (N,) int64, the class that each image is taken for.
        features: (N, D, h, w) float32.
        surprise: (N, 1, H, W) float32, -log p of each pixel given the code of its image, in nats.
        posteriors: (N, 2, D) float32, mean and log variance of the Gaussian that each image is encoded as.
    """

    images: Tensor
    reconstructions: Tensor | None = None
    classes: Tensor | None = None
    features: Tensor | None = None
    surprise: Tensor | None = None
    posteriors: Tensor | None = None


def given(part: Tensor | None) -> Tensor:
    """A part of `Seen` that the score `needs`: detectors refuse a score whose needs they do not serve."""
    assert part is not None
    return part


See = Callable[[Tensor], Seen]
"""Images (N, C, H, W) float32 in [0, 1] -> what a network makes of them."""

Batches = Iterable[dict[str, Tensor]]
"""Batches of photos: `image` (B, C, H, W) float32 in [0, 1], `class` (B,) int64 and more; gone through repeatedly."""


class Score(nn.Module):
    """From what a network makes of images to anomaly maps and scores. What it fits travels in the checkpoint."""

    needs: ClassVar[tuple[str, ...]] = ("reconstructions",)
    """What it reads of `Seen` besides the images."""
    served_by: ClassVar[str] = "an auto-encoder"
    """The detectors that give it that, for error messages."""

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Maps (N, 1, H, W) and scores (N,) float64, both higher for stranger."""
        raise NotImplementedError

    def grounds(self, seen: Seen) -> Grounds[Tensor]:
        """What the score compares images with, besides their reconstructions; by default nothing."""
        return Grounds()

    def fit(self, see: See, fitted: Batches, held_out: Batches) -> None:
        """Learn what the score needs to know of normal photos; by default nothing.

        Args:
            see: what the network makes of images.
            fitted: the normal photos that the detector was trained on, as they are.
            held_out: those it has not seen.
        """

    @property
    def is_fitted(self) -> bool:
        """Whether all is there that only `fit` can give."""
        return True
