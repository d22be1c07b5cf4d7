"""The base class of every detector, and of those that learn by gradients.

A detector maps an image to an anomaly map and a score. It is a thin LightningModule around a plain `torch.nn.Module`
network that can be used without Lightning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.optimizers import OptimizerFactory


class Scored(NamedTuple):
    """What a detector says of N images.

    Attributes:
        maps: (N, 1, H, W) float32, how strange each pixel is.
        scores: (N,) float64, higher is stranger.
        classes: (N,) int64, the class that the detector takes each image for; None where it tells no classes apart.
    """

    maps: Tensor
    scores: Tensor
    classes: Tensor | None = None


class Detector(pl.LightningModule):
    """Images (N, C, H, W) float32 in [0, 1] -> `Scored`.

    A detector without `loss_names` learns without gradients: all that it learns, it learns in `calibrate`.

    Args:
        image_size: height and width of the images.
        in_channels: C.
    """

    loss_names: ClassVar[tuple[str, ...]] = ()
    """The terms that are logged as `train/...` and `val/...`."""

    learns_once: ClassVar[bool] = False
    """Whether `calibrate` takes long, and so is called once after the training and not before each validation."""

    classes: tuple[str, ...] | None = None
    """The names of the classes that `Scored.classes` counts; None for a detector that tells no classes apart."""

    def __init__(self, *, image_size: int, in_channels: int) -> None:
        super().__init__()
        self.image_size, self.in_channels = image_size, in_channels

    def assess(self, images: Tensor) -> Scored:
        """What `forward` returns for images of the right shape."""
        raise NotImplementedError

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        """What `calibrate` does; by default nothing."""

    @property
    def has_learned(self) -> bool:
        """Whether all is there that only `calibrate` can give."""
        return True

    def forward(self, images: Tensor) -> Scored:
        """Maps, scores and classes; always in float32, whatever the precision of the training."""
        if images.shape[1:] != (self.in_channels, self.image_size, self.image_size):
            raise AnodiceError(
                f"expected images of shape (N, {self.in_channels}, {self.image_size}, {self.image_size}), got "
                f"{tuple(images.shape)}; set data.image_size and data.in_channels as in training."
            )
        with torch.autocast(images.device.type, enabled=False):
            return self.assess(images)

    @torch.no_grad()
    def calibrate(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        """Fit what is not learned by gradients; what was fitted before is forgotten.

        Args:
            fitted: all normal photos that the detector may learn from, once and as they are.
            held_out: the normal photos of validation.
        """
        with torch.autocast(self.device.type, enabled=False):
            self.learn(fitted, held_out)

    def validation_step(self, batch: Batch) -> dict[str, Tensor]:
        """The scores of a batch."""
        return {"score": self(batch["image"]).scores}

    def describe(self) -> str:
        """One line for the start of a training."""
        parameters = sum(p.numel() for p in self.parameters())
        return f"{type(self).__name__}: {parameters:,} parameters"


class TrainedDetector(Detector):
    """A detector that learns by gradients.

    Args:
        optimizer: made when training starts, with the number of steps.
        channels_last: keep networks and images in that memory format, which is faster on most CPUs and GPUs.
    """

    def __init__(self, *, optimizer: OptimizerFactory, channels_last: bool, image_size: int, in_channels: int) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        self.optimizer = optimizer
        self._train_means = _Means()
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The `loss` to minimise and the terms it is made of, each a scalar, for a batch of normal photos."""
        raise NotImplementedError

    def training_step(self, batch: Batch) -> Tensor:
        terms = self.loss_terms(batch)
        self._train_means.add(terms, len(batch["image"]))
        return terms["loss"]

    def on_train_epoch_end(self) -> None:
        self.log_dict({f"train/{name}": mean for name, mean in self._train_means.take().items()})

    def validation_step(self, batch: Batch) -> dict[str, Tensor]:
        """The scores of a batch; logs the loss of its normals."""
        normal = ~batch["label"]
        if normal.any():
            terms = self.loss_terms({k: v[normal] for k, v in batch.items()})
            values = {f"val/{name}": value for name, value in terms.items()}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=int(normal.sum()))
        return super().validation_step(batch)

    def configure_optimizers(self) -> dict:
        optimizer, schedule = self.optimizer(self.parameters(), int(self.trainer.estimated_stepping_batches))
        if schedule is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def formatted(self, images: Tensor) -> Tensor:
        """A copy of the images in the detector's memory format."""
        # `contiguous` would leave grey images as they are: with one channel their strides fit both formats.
        return images.clone(memory_format=self.memory_format)


class _Means:
    """The means of loss terms over the images of an epoch: Lightning's take a millisecond of every training step."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._images = 0

    def add(self, terms: dict[str, Tensor], images: int) -> None:
        """Take in terms that are means over so many images."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float() * images
        self._images += images

    def take(self) -> dict[str, Tensor]:
        """The means so far, which are forgotten."""
        means = {name: value / self._images for name, value in self._sums.items()}
        self._sums, self._images = {}, 0
        return means
