"""A supervised network that tells photos with painted defects from photos without."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anodice.data.datamodule import Batch
from anodice.models.detector import Scored
from anodice.models.painting import PaintingDetector


class CNN(PaintingDetector):
    """The logit of "anomalous"; the map holds what each place adds to it. See `PaintingDetector` for the arguments.

    Its network has `logits_and_map(images)`, as `DefectCNN`.
    """

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        images, masks = self.paint(batch)
        logits = self.network(images).float()
        return {"loss": F.binary_cross_entropy_with_logits(logits, masks.flatten(1).any(1).to(logits.dtype))}

    def assess(self, images: Tensor) -> Scored:
        logits, maps = self.network.logits_and_map(self.formatted(images))
        return Scored(maps, logits.double())
