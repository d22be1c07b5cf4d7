"""What a detector compares photos with: what people look at beside a verdict."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

Values = TypeVar("Values")
"""Tensors, or arrays."""


class Grounds(NamedTuple, Generic[Values]):
    """What a detector compares N images with; None for what it does not look at.

    Attributes:
        reconstructions: (N, C, H, W) float32 in [0, 1].
        templates: (N, C, H, W) float32 in [0, 1], those of the classes that the images are taken for.
        losses: (N, 2) float64, 1 - SSIM to the reconstruction and to the template.
        distances: (N, K) to each of the classes; NaN for a class without a template.
        units: (K,), what the distances to each class are divided by before the threshold is applied to them.
    """

    reconstructions: Values | None = None
    templates: Values | None = None
    losses: Values | None = None
    distances: Values | None = None
    units: Values | None = None
