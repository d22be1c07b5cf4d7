"""An auto-encoder that also tells which class it sees, so that photos are compared with their own class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.conv_ae import WIDTHS, ConvAENetwork
from anodice.models.detector import Scored
from anodice.models.optimizers import OptimizerFactory, adamw
from anodice.models.reconstruction import ReconstructionDetector, target
from anodice.scoring.class_scale import QuantileScale
from anodice.scoring.score import Score, Seen, given


class AEClassifierNetwork(ConvAENetwork):
    """A conv AE whose code also feeds a linear classifier; see `ConvAENetwork` for the arguments it shares.

    Args:
        classes: names of the classes that it tells apart.

    >>> network = AEClassifierNetwork(in_channels=1, image_size=128, code=64, classes="abcdef")
    >>> sum(p.numel() for p in network.parameters())
    1911367
    """

    def __init__(
        self,
        *,
        classes: Sequence[str],
        in_channels: int = 1,
        image_size: int = 128,
        code: int = 64,
        widths: Sequence[int] = WIDTHS,
        hidden: Sequence[int] = (),
        batch_norm: bool = True,
        sigmoid: bool = False,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            image_size=image_size,
            code=code,
            widths=widths,
            hidden=hidden,
            batch_norm=batch_norm,
            sigmoid=sigmoid,
        )
        self.classes = tuple(classes)
        self.head = nn.Linear(code, len(classes))

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstructions (N, C, H, W) and logits (N, classes) from one code."""
        codes = self.encoder(images)
        return self.squash(self.decoder(codes)), self.head(codes)


class AEClassifier(ReconstructionDetector):
    """An auto-encoder that tells classes apart: images (N, C, H, W) in [0, 1] -> maps, scores and classes (N,).

    Args:
        network: besides what a reconstructing network has, `classes`, their names, and `both(images)`, the
            reconstructions and the logits (N, classes), as `AEClassifierNetwork(classes=data.classes)`.
        score: from what the network makes of images to maps (N, 1, H, W) and scores (N,), higher is stranger; None for
            `ResidualScore()` of the network's size.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        loss: name of the reconstruction loss: `l1`, `mse`, `l2` (a sum over the pixels), `bce` or `ssim`.
        class_weight: weight of the cross-entropy beside the reconstruction loss.
        class_quantile: scores are divided by this quantile of the scores of held-out normals of the class that the
            image is taken for, so that one threshold suits all classes; None to leave them.
        classifier_lr: learning rate of a `classifier` that the network has beside its auto-encoder; None for that of
            the optimizer.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.

    >>> AEClassifier(AEClassifierNetwork(classes=["1", "2"], image_size=64)).classes
    ('1', '2')
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss", "reconstruction", "classification")

    def __init__(
        self,
        network: nn.Module,
        *,
        score: Score | None = None,
        optimizer: OptimizerFactory = adamw,
        loss: str = "l1",
        class_weight: float = 0.05,
        class_quantile: float | None = 0.9,
        classifier_lr: float | None = None,
        channels_last: bool = True,
    ) -> None:
        if classifier_lr is not None and not hasattr(network, "classifier"):
            raise AnodiceError(
                f"expected a network with its own classifier for model.classifier_lr, got {type(network).__name__} "
                "whose classifier shares the encoder; use model=earlier_ae_classifier, or set it to null."
            )
        if not class_weight > 0:
            raise AnodiceError(
                f"expected model.class_weight above 0, got {class_weight!r}; without a classifier, use conv_ae."
            )
        names = tuple(network.classes)
        if len(names) < 2:
            raise AnodiceError(
                f"expected at least 2 classes to tell apart, got {len(names)} ({', '.join(names)}); use model=conv_ae."
            )
        super().__init__(network, score=score, optimizer=optimizer, loss=loss, channels_last=channels_last)
        self.classes, self.class_weight, self.class_quantile = names, class_weight, class_quantile
        self.classifier_lr = classifier_lr
        self.scale = None if class_quantile is None else QuantileScale(classes=len(names), q=class_quantile)

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        reconstructions, logits = self.network.both(self.formatted(batch["image"]))
        reconstruction = self.cost(reconstructions, target(batch))
        classification = F.cross_entropy(logits.float(), batch["class"])
        loss = reconstruction + self.class_weight * classification
        return {"loss": loss, "reconstruction": reconstruction, "classification": classification}

    def parameter_groups(self) -> Iterable[Any]:
        if self.classifier_lr is None:
            return super().parameter_groups()
        own = {id(p) for p in self.network.classifier.parameters()}
        rest = [p for p in self.parameters() if id(p) not in own]
        return [{"params": rest}, {"params": list(self.network.classifier.parameters()), "lr": self.classifier_lr}]

    def see(self, images: Tensor) -> Seen:
        reconstructions, logits = self.network.both(self.formatted(images))
        return Seen(images, reconstructions=reconstructions.float().clamp(0, 1), classes=logits.argmax(1))

    def assess(self, images: Tensor) -> Scored:
        seen = self.see(images)
        maps, scores = self.score(seen)
        return Scored(maps, scores if self.scale is None else self.scale(scores, seen.classes), seen.classes)

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        super()._fit(fitted, held_out)
        if self.scale is None:
            return
        seen = (self.see(batch["image"]) for batch in held_out)
        self.scale.fit_to_batches([(self.score(one)[1], given(one.classes)) for one in seen])

    @classmethod
    def _sees(cls) -> tuple[str, ...]:
        return ("reconstructions", "classes")
