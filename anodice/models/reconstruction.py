"""The base class of the detectors that reconstruct."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.detector import Scored, TrainedDetector
from anodice.models.losses import ReconstructionLoss
from anodice.models.optimizers import OptimizerFactory
from anodice.scoring.score import Score


class ReconstructionDetector(TrainedDetector):
    """A detector that learns to reconstruct normal photos, and scores what it fails to.

    Args:
        network: maps images to reconstructions; has `reconstruct(images)`, the same without noise, and `code`, the
            length of the narrowest vector that an image passes through.
        loss: reconstructions and images -> scalar; None for a detector with loss terms of its own.
        score: from images and what the detector makes of them to maps and scores.
        optimizer, channels_last: see `TrainedDetector`.
    """

    loss_names = ("loss",)

    def __init__(
        self,
        *,
        network: nn.Module,
        loss: ReconstructionLoss | None,
        score: Score,
        optimizer: OptimizerFactory,
        channels_last: bool,
        image_size: int,
        in_channels: int,
    ) -> None:
        super().__init__(
            optimizer=optimizer, channels_last=channels_last, image_size=image_size, in_channels=in_channels
        )
        self.network = network.to(memory_format=self.memory_format)
        self.loss = loss
        missing = [name for name in score.needs if not hasattr(self, name)]
        if missing:
            raise AnodiceError(
                f"expected a score that {type(self).__name__} can serve, but {type(score).__name__} needs "
                f"{' and '.join(missing)} of it; {_CURES[missing[0]]}."
            )
        self.score = score

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        reconstructions = self.network(self.formatted(batch["image"]))
        return {"loss": self.loss(reconstructions, target(batch))}

    def reconstruct(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W) float32 in [0, 1]."""
        return self.network.reconstruct(self.formatted(images)).float().clamp(0, 1)

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.score(self, images))

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.score.fit(self, fitted, held_out)

    def describe(self) -> str:
        pixels = self.in_channels * self.image_size**2
        code = self.network.code
        line = f"{super().describe()}; code of {code:,} numbers for an image of {pixels:,} (1 : {pixels / code:.3g})"
        if code >= pixels:
            line += "; no bottleneck: such a network can copy its input, defects and all"
        return line


_CURES = {
    "classify": "use model=ae_classifier, or another score",
    "feature_maps": "use model=inception_cae, or another score",
}


def target(batch: Batch) -> Tensor:
    """What a batch should be reconstructed to: the images before defects were painted on them, where that was done."""
    return batch.get("clean", batch["image"])
