"""A convolutional auto-encoder of Inception blocks as a detector."""

from __future__ import annotations

from torch import Tensor, nn

from anodice.models.inception import InceptionCAENetwork
from anodice.models.optimizers import OptimizerFactory, adamw
from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.score import Score, Seen


class InceptionCAE(ReconstructionDetector):
    """An auto-encoder that also serves scores of its features: images (N, C, H, W) in [0, 1] -> maps, scores.

    Args:
        network: has `feature_maps(images)`, (N, D, h, w) float32; None for `InceptionCAENetwork()`, which takes grey
            images (N, 1, 128, 128).
        score: from what the network makes of images to maps (N, 1, H, W) and scores (N,), higher is stranger; None for
            `ResidualScore()` of the network's size.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        loss: name of the reconstruction loss: `l1`, `mse`, `l2` (a sum over the pixels), `bce` or `ssim`.
        weight_penalty: this times the sum of the squared weights is added to the loss, at least 0; 0 for none.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        *,
        score: Score | None = None,
        optimizer: OptimizerFactory = adamw,
        loss: str = "l1",
        weight_penalty: float = 0.0,
        channels_last: bool = True,
    ) -> None:
        network = InceptionCAENetwork() if network is None else network
        shared = {"loss": loss, "weight_penalty": weight_penalty, "channels_last": channels_last}
        super().__init__(network, score=score, optimizer=optimizer, **shared)

    def see(self, images: Tensor) -> Seen:
        if "features" in self.score.needs:
            return Seen(images, features=self.network.feature_maps(self.formatted(images)))
        return super().see(images)

    @classmethod
    def _sees(cls) -> tuple[str, ...]:
        return ("reconstructions", "features")
