"""Scores of different classes on one scale: each divided by what is high for a normal photo of its class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anodice.errors import AnodiceError

_FEWEST = 10


class ClassScale(nn.Module):
    """Divides each score by a number of its class, kept in the checkpoint; 1 until it is fitted.

    Args:
        classes: how many there are.
    """

    scale: Tensor

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(classes))

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        """Scores (N,) float64, classes (N,) int64 -> (N,) float64, about 1 where a photo is just barely normal.

        Scores below 0, such as negative ratios, keep their sign: there it is about -1.
        """
        return scores / self.scale[classes].to(scores.dtype)


class QuantileScale(ClassScale):
    """By the quantile `q`, in [0, 1], of the scores of normal photos; of all of them for a class with fewer than 10."""

    def __init__(self, *, classes: int, q: float) -> None:
        super().__init__(classes=classes)
        if not 0 <= q <= 1:
            raise AnodiceError(
                f"expected model.class_quantile in [0, 1], or null for one scale, got {q!r}; 0.9 is usual."
            )
        self.q = q

    def fit(self, scores: Tensor, classes: Tensor) -> None:
        """Take the scores (N,) of normal photos and the classes (N,) int64 they are taken for; N at least 1."""
        for k in range(len(self.scale)):
            own = scores[classes == k]
            high = (own if len(own) >= _FEWEST else scores).quantile(self.q)
            self.scale[k] = high.abs().clamp_min(1e-12)

    def fit_to_batches(self, found: Sequence[tuple[Tensor, Tensor]]) -> None:
        """As `fit`, of scores and classes batch by batch.

        Raises:
            AnodiceError: there are none.
        """
        if not found:
            raise AnodiceError(
                "expected held-out normal photos to bring the classes to one scale by, got none; hold some out for "
                "validation, or set model.class_quantile=null."
            )
        scores, classes = (torch.cat(column) for column in zip(*found, strict=True))
        self.fit(scores.to(self.scale.dtype), classes)


class OwnOtherScale(ClassScale):
    """By `coefficient` times (mean distance of the class's own photos + mean distance of the other classes' photos).

    An earlier project's threshold for each class, with the coefficient 0.75.
    """

    def __init__(self, *, classes: int, coefficient: float) -> None:
        super().__init__(classes=classes)
        if not coefficient > 0:
            raise AnodiceError(
                f"expected model.own_other above 0, or null for one scale, got {coefficient!r}; 0.75 is usual."
            )
        self.coefficient = coefficient

    def fit(self, distances: Tensor, classes: Tensor) -> None:
        """Take the distances (N, K) of normal photos to each class and their true classes (N,) int64."""
        own = torch.nn.functional.one_hot(classes, distances.shape[1]).to(distances.dtype)
        for k, (mask, values) in enumerate(zip(own.T, distances.T, strict=True)):
            if mask.any():
                other = (values * (1 - mask)).sum() / (1 - mask).sum().clamp_min(1)
                self.scale[k] = (self.coefficient * (values[mask > 0].mean() + other)).clamp_min(1e-12)
