"""A supervised network that tells photos with painted defects from photos without."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anodice.augmentation.defect_painter import DefectPainter
from anodice.baselines.classifiers import DefectCNN
from anodice.data.datamodule import Batch
from anodice.models.detector import Scored
from anodice.models.optimizers import OptimizerFactory
from anodice.models.painting import PaintingDetector


class CNN(PaintingDetector):
    """The logit of "anomalous"; the map holds what each place adds to it. See `PaintingDetector` for the arguments."""

    def __init__(
        self,
        *,
        painter: DefectPainter,
        image_size: int,
        in_channels: int,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        super().__init__(
            painter=painter,
            image_size=image_size,
            in_channels=in_channels,
            optimizer=optimizer,
            channels_last=channels_last,
        )
        network = DefectCNN(in_channels=in_channels, image_size=image_size)
        self.network = network.to(memory_format=self.memory_format)

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        images, masks = self.paint(batch)
        logits = self.network(images).float()
        return {"loss": F.binary_cross_entropy_with_logits(logits, masks.flatten(1).any(1).to(logits.dtype))}

    def assess(self, images: Tensor) -> Scored:
        images = self.formatted(images)
        return Scored(self.network.logit_map(images), self.network(images).double())
