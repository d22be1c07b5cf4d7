"""The detectors that reconstruct."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.detector import Scored, TrainedDetector
from anodice.models.losses import reconstruction_loss
from anodice.models.optimizers import OptimizerFactory, adamw
from anodice.scoring.grounds import Grounds
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.score import Score, Seen


class ReconstructionDetector(TrainedDetector):
    """A detector that learns to reconstruct normal photos, and scores what it fails to.

    Args:
        network: maps images to reconstructions of their shape, without noise; knows `image_size`, `in_channels` and
            `narrowest`, the length of the narrowest vector that an image passes through.
        score: from what the network makes of images to maps (N, 1, H, W) and scores (N,), higher is stranger; None for
            `ResidualScore()` of the network's size.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        loss: name of the reconstruction loss: `l1`, `mse`, `l2` (a sum over the pixels), `bce` or `ssim`.
        weight_penalty: this times the sum of the squared weights of all convolutions and linear layers, biases left
            out, is added to the loss, as Keras' `l2` does; 0 for none.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.

    Raises:
        AnodiceError: a score that needs what the detector does not give, or a loss that the network's output does not
            fit.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        score: Score | None = None,
        optimizer: OptimizerFactory = adamw,
        loss: str = "l1",
        weight_penalty: float = 0.0,
        channels_last: bool = True,
    ) -> None:
        if weight_penalty < 0:
            raise AnodiceError(f"expected model.weight_penalty of at least 0, got {weight_penalty!r}; 0 is none.")
        super().__init__(network, optimizer=optimizer, channels_last=channels_last)
        score = ResidualScore(image_size=self.image_size) if score is None else score
        missing = sorted(set(score.needs) - set(self._sees()))
        if missing:
            raise AnodiceError(
                f"expected a score that {type(network).__name__} can serve, but {type(score).__name__} needs its "
                f"{' and '.join(missing)}; use {score.served_by}, or another score."
            )
        self.loss, self.cost, self.score = loss, reconstruction_loss(loss), score
        self.weight_penalty = weight_penalty
        if loss == "bce" and getattr(network, "sigmoid", True) is False:
            raise AnodiceError(
                "expected model.network.sigmoid=true with model.loss=bce, which takes outputs in [0, 1]."
            )

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        loss = self.cost(self.network(self.formatted(batch["image"])), target(batch))
        return {"loss": loss if self.weight_penalty == 0 else loss + self.weight_penalty * self._squared_weights()}

    def reconstruct(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W) float32 in [0, 1]."""
        return self.network(self.formatted(images)).float().clamp(0, 1)

    def codes(self, images: Tensor) -> Tensor | None:
        codes = getattr(self.network, "codes", None)
        found = None if codes is None else codes(self.formatted(images))
        return None if found is None else found.float()

    def see(self, images: Tensor) -> Seen:
        """What the score needs of these images, from one pass of the network."""
        return Seen(images, reconstructions=self.reconstruct(images))

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.score(self.see(images)))

    def grounds(self, images: Tensor) -> Grounds[Tensor]:
        return self.score.grounds(self.see(images))._replace(reconstructions=self.reconstruct(images))

    @property
    def is_fitted(self) -> bool:
        return self.score.is_fitted

    def describe(self) -> str:
        pixels, code = self.in_channels * self.image_size**2, self.network.narrowest
        line = f"{super().describe()}; code of {code:,} numbers for an image of {pixels:,} (1 : {pixels / code:.3g})"
        if code >= pixels:
            line += "; no bottleneck: such a network can copy its input, defects and all"
        return line

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.score.fit(self.see, fitted, held_out)

    def _squared_weights(self) -> Tensor:
        kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
        return sum(module.weight.square().sum() for module in self.network.modules() if isinstance(module, kinds))

    @classmethod
    def _sees(cls) -> tuple[str, ...]:
        """The fields of `Seen` that `see` can fill."""
        return ("reconstructions",)


def target(batch: Batch) -> Tensor:
    """What a batch should be reconstructed to: the images before defects were painted on them, where that was done."""
    return batch.get("clean", batch["image"])
