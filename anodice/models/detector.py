"""The base class of every detector, and of those that reconstruct.

A detector maps an image to an anomaly map and a score. It is a thin LightningModule around a plain `torch.nn.Module`
network that can be used without Lightning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.optimizers import OptimizerFactory
from anodice.scoring.residual import ResidualScore


class Detector(pl.LightningModule):
    """Images (N, C, H, W) float32 in [0, 1] -> anomaly maps (N, 1, H, W) and scores (N,) float64, higher is stranger.

    Args:
        image_size: height and width of the images.
        in_channels: C.
    """

    loss_names: ClassVar[tuple[str, ...]] = ()
    """The terms that are logged as `train/...` and `val/...`."""

    def __init__(self, *, image_size: int, in_channels: int) -> None:
        super().__init__()
        self.image_size, self.in_channels = image_size, in_channels

    def anomaly_map(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 1, H, W)."""
        raise NotImplementedError

    def pool(self, maps: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N,) float64."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Anomaly maps and scores; always in float32, whatever the precision of the training."""
        if images.shape[1:] != (self.in_channels, self.image_size, self.image_size):
            raise AnodiceError(
                f"expected images of shape (N, {self.in_channels}, {self.image_size}, {self.image_size}), got "
                f"{tuple(images.shape)}; set data.image_size and data.in_channels as in training."
            )
        with torch.autocast(images.device.type, enabled=False):
            maps = self.anomaly_map(images)
            return maps, self.pool(maps)

    def calibrate(self, batches: Iterable[Tensor]) -> None:
        """Fit what the score needs to know of normal photos to batches of held-out ones; by default nothing."""

    def describe(self) -> str:
        """One line for the start of a training."""
        parameters = sum(p.numel() for p in self.parameters())
        return f"{type(self).__name__}: {parameters:,} parameters"


class ReconstructionDetector(Detector):
    """A detector that scores the difference between an image and its reconstruction.

    Args:
        network: has `loss_terms(images) -> {"loss": ..., ...}`, `reconstruct(images)` and the length `code`.
        score: from images and reconstructions to maps and scores.
        optimizer: made when training starts, with the number of steps.
        channels_last: keep the network in that memory format, which is faster on most CPUs and GPUs.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        score: ResidualScore,
        optimizer: OptimizerFactory,
        channels_last: bool,
        image_size: int,
        in_channels: int,
    ) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        pixels = in_channels * image_size**2
        if not 0 < network.code < pixels:
            raise AnodiceError(
                f"expected model.code between 1 and {pixels - 1}, fewer numbers than the image has, got {network.code}."
            )
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.memory_format)
        self.score = score
        self.optimizer = optimizer

    def loss_terms(self, images: Tensor) -> dict[str, Tensor]:
        """The `loss` to minimise and the terms it is made of, each a scalar."""
        return self.network.loss_terms(images.contiguous(memory_format=self.memory_format))

    def reconstruct(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W) float32 in [0, 1]."""
        return self.network.reconstruct(images.contiguous(memory_format=self.memory_format)).float().clamp(0, 1)

    def anomaly_map(self, images: Tensor) -> Tensor:
        return self.score.anomaly_map(images, self.reconstruct(images))

    def pool(self, maps: Tensor) -> Tensor:
        return self.score.pool(maps)

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor]) -> None:
        if self.score.statistics is None:
            return
        self.score.statistics.reset()
        for images in batches:
            with torch.autocast(images.device.type, enabled=False):
                self.score.calibrate(images, self.reconstruct(images))

    def training_step(self, batch: Batch) -> Tensor:
        terms = self.loss_terms(batch["image"])
        self._log_terms("train", terms, len(batch["image"]))
        return terms["loss"]

    def validation_step(self, batch: Batch) -> dict[str, Tensor]:
        """Logs the loss of the normals and returns the scores of all."""
        normals = batch["image"][~batch["label"]]
        if len(normals) > 0:
            self._log_terms("val", self.loss_terms(normals), len(normals))
        _, scores = self(batch["image"])
        return {"score": scores}

    def configure_optimizers(self) -> dict:
        optimizer, schedule = self.optimizer(self.parameters(), int(self.trainer.estimated_stepping_batches))
        if schedule is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def describe(self) -> str:
        pixels = self.in_channels * self.image_size**2
        code = self.network.code
        return f"{super().describe()}; code of {code} numbers for an image of {pixels:,} (1 : {pixels / code:.0f})"

    def _log_terms(self, stage: str, terms: dict[str, Tensor], images: int) -> None:
        values = {f"{stage}/{name}": value for name, value in terms.items()}
        bar = stage == "train"
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=images)
        if bar:
            self.log("loss", terms["loss"], prog_bar=True, logger=False, batch_size=images)
