"""An auto-encoder that also tells which class it sees, so that photos are compared with their own class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.conv_ae import WIDTHS, ConvAENetwork, check_bottleneck
from anodice.models.detector import Scored
from anodice.models.losses import ReconstructionLoss, reconstruction_loss
from anodice.models.optimizers import OptimizerFactory
from anodice.models.reconstruction import ReconstructionDetector, target
from anodice.scoring.class_scale import QuantileScale
from anodice.scoring.score import Score


class AEClassifierNetwork(ConvAENetwork):
    """A conv AE whose code also feeds a linear classifier.

    >>> network = AEClassifierNetwork(in_channels=1, image_size=128, code=64, classes=6)
    >>> sum(p.numel() for p in network.parameters())
    1911367
    """

    def __init__(
        self, *, in_channels: int, image_size: int, code: int, classes: int, widths: Sequence[int] = WIDTHS
    ) -> None:
        super().__init__(in_channels=in_channels, image_size=image_size, code=code, widths=widths)
        self.head = nn.Linear(code, classes)

    def logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, classes)."""
        return self.head(self.encoder(images))

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstructions and logits from one code."""
        codes = self.encoder(images)
        return self.decoder(codes), self.head(codes)


class ClassifyingAE(ReconstructionDetector):
    """An auto-encoder that tells classes apart as a detector; see `ReconstructionDetector` for the arguments it shares.

    Args:
        network: besides what a reconstructing network has, `logits(images)` (N, classes), and `both(images)`, the
            reconstructions and the logits.
        classes: names of the classes.
        class_weight: weight of the cross-entropy beside the reconstruction loss.
        class_quantile: scores are divided by this quantile of the scores of held-out normals of the class that the
            image is taken for, so that one threshold suits all classes; None to leave them.
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss", "reconstruction", "classification")

    def __init__(
        self,
        *,
        network: nn.Module,
        loss: ReconstructionLoss,
        classes: Sequence[str],
        class_weight: float,
        class_quantile: float | None,
        image_size: int,
        in_channels: int,
        score: Score,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        if not class_weight > 0:
            raise AnodiceError(
                f"expected model.class_weight above 0, got {class_weight!r}; without a classifier, use conv_ae."
            )
        if len(classes) < 2:
            raise AnodiceError(
                f"expected at least 2 classes to tell apart, got {len(classes)} ({', '.join(classes)}); use "
                "model=conv_ae."
            )
        super().__init__(
            network=network,
            loss=loss,
            score=score,
            optimizer=optimizer,
            channels_last=channels_last,
            image_size=image_size,
            in_channels=in_channels,
        )
        self.classes, self.class_weight = tuple(classes), class_weight
        self.scale = None if class_quantile is None else QuantileScale(classes=len(classes), q=class_quantile)

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        reconstructions, logits = self.network.both(self.formatted(batch["image"]))
        reconstruction = self.loss(reconstructions, target(batch))
        classification = F.cross_entropy(logits.float(), batch["class"])
        loss = reconstruction + self.class_weight * classification
        return {"loss": loss, "reconstruction": reconstruction, "classification": classification}

    def classify(self, images: Tensor) -> Tensor:
        """The class that each image is taken for: (N,) int64."""
        return self.network.logits(self.formatted(images)).argmax(1)

    def assess(self, images: Tensor) -> Scored:
        (maps, scores), classes = self.score(self, images), self.classify(images)
        return Scored(maps, scores if self.scale is None else self.scale(scores, classes), classes)

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.score.fit(self, fitted, held_out)
        if self.scale is None:
            return
        found = [(self.score(self, batch["image"])[1], self.classify(batch["image"])) for batch in held_out]
        scores, classes = (torch.cat(column) for column in zip(*found, strict=True))
        self.scale.fit(scores.to(self.scale.scale.dtype), classes)


class AEClassifier(ClassifyingAE):
    """The conv AE with a classifier on its code as a detector; see `ClassifyingAE` for the arguments it shares.

    Args:
        loss: name of the reconstruction loss, see `reconstruction_loss`.
    """

    def __init__(
        self,
        *,
        code: int,
        classes: Sequence[str],
        loss: str,
        class_weight: float,
        class_quantile: float | None,
        image_size: int,
        in_channels: int,
        score: Score,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        check_bottleneck(code, in_channels * image_size**2)
        network = AEClassifierNetwork(in_channels=in_channels, image_size=image_size, code=code, classes=len(classes))
        super().__init__(
            network=network,
            loss=reconstruction_loss(loss),
            classes=classes,
            class_weight=class_weight,
            class_quantile=class_quantile,
            image_size=image_size,
            in_channels=in_channels,
            score=score,
            optimizer=optimizer,
            channels_last=channels_last,
        )
