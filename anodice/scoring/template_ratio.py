"""How much better an image is reconstructed than the template of its class fits it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from anodice.scoring.grounds import Grounds
from anodice.scoring.score import Batches, Score, See, Seen, given
from anodice.scoring.ssim_loss import ssim_loss


class TemplateRatio(Score):
    """-(1 - SSIM(image, reconstruction)) / (1 - SSIM(image, template of the class it is taken for)).

    A die that is far from its template, but not far from its reconstruction, is strange: the ratio is then small, and
    the score, its negative, high. The rule "anomalous when the ratio is at most 0.70" is `threshold=manual
    threshold.value=-0.70`. The map is that of 1 - SSIM to the template.

    Args:
        classes: names of the classes; each has a template.
        image_size: height and width of the images.
        in_channels: channels of the images.
    """

    needs: ClassVar[tuple[str, ...]] = ("reconstructions", "classes")
    served_by: ClassVar[str] = "model=ae_classifier"
    templates: Tensor

    def __init__(self, *, classes: Sequence[str], image_size: int, in_channels: int) -> None:
        super().__init__()
        self.classes, self.image_size, self.in_channels = tuple(classes), image_size, in_channels
        self.register_buffer("templates", torch.zeros(len(classes), in_channels, image_size, image_size))

    def fit(self, see: See, fitted: Batches, held_out: Batches) -> None:
        sums, counts = torch.zeros_like(self.templates), torch.zeros(len(self.templates), device=self.templates.device)
        for batch in fitted:
            sums.index_add_(0, batch["class"], batch["image"])
            counts.index_add_(0, batch["class"], torch.ones_like(batch["class"], dtype=counts.dtype))
        self.templates.copy_(sums / counts.clamp_min(1)[:, None, None, None])

    @property
    def is_fitted(self) -> bool:
        return bool(self.templates.any())

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        reconstructed, expected, maps = self._losses(seen)
        return maps, -(reconstructed / expected.clamp_min(1e-6))

    def grounds(self, seen: Seen) -> Grounds[Tensor]:
        losses = torch.stack(self._losses(seen)[:2], 1)
        return Grounds(templates=self.templates[given(seen.classes)], losses=losses)

    def _losses(self, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
        """1 - SSIM to the reconstruction and to the template, (N,) float64 each, and the map of the latter."""
        reconstructed, _ = ssim_loss(seen.images, given(seen.reconstructions))
        return reconstructed, *ssim_loss(seen.images, self.templates[given(seen.classes)])
