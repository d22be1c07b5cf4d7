"""A supervised network that tells photos with painted defects from photos without."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anodice.data.datamodule import Batch
from anodice.data.painting import DefectPainter
from anodice.models.classifiers import DefectCNN
from anodice.models.detector import Scored, TrainedDetector
from anodice.models.optimizers import OptimizerFactory


class CNN(TrainedDetector):
    """The logit of "anomalous", learned from normal photos of which a share has defects painted on.

    It sees no real anomaly in training. The map holds what each place adds to the logit.

    Args:
        painter: images -> painted images and masks; an image counts as anomalous where its mask is not empty.
        optimizer, channels_last: see `TrainedDetector`.
    """

    loss_names = ("loss",)

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
            optimizer=optimizer, channels_last=channels_last, image_size=image_size, in_channels=in_channels
        )
        network = DefectCNN(in_channels=in_channels, image_size=image_size)
        self.network, self.painter = network.to(memory_format=self.memory_format), painter

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        images, masks = self.painter(batch["image"])
        logits = self.network(self.formatted(images)).float()
        return {"loss": F.binary_cross_entropy_with_logits(logits, masks.flatten(1).any(1).to(logits.dtype))}

    def assess(self, images: Tensor) -> Scored:
        images = self.formatted(images)
        return Scored(self.network.logit_map(images), self.network(images).double())
