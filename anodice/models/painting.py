"""The base class of the detectors that learn from defects painted on normal photos."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anodice.augmentation.defect_painter import DefectPainter
from anodice.data.datamodule import Batch
from anodice.models.detector import TrainedDetector
from anodice.models.optimizers import OptimizerFactory


class PaintingDetector(TrainedDetector):
    """A detector that sees normal photos, a share of them with painted defects, and no real anomaly.

    Args:
        painter: images -> painted images and masks.
        network, optimizer, channels_last: see `TrainedDetector`.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        painter: DefectPainter,
        optimizer: OptimizerFactory,
        channels_last: bool = True,
    ) -> None:
        super().__init__(network, optimizer=optimizer, channels_last=channels_last)
        self.painter = painter

    def paint(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Painted images (N, C, H, W) in the detector's memory format, and masks (N, 1, H, W) bool.

        In validation the same images get the same defects in every epoch, so that its loss means the same.
        """
        clean = batch.get("clean", batch["image"])
        if self.training:
            painted, masks = self.painter(clean)
        else:
            with torch.random.fork_rng(devices=[clean.device] if clean.device.type == "cuda" else []):
                torch.manual_seed(int(batch["index"][0]))
                painted, masks = self.painter(clean)
        return self.formatted(painted), masks
