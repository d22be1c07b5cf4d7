"""A convolutional auto-encoder of Inception blocks as a detector."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from anodice.models.inception import InceptionCAENetwork
from anodice.models.losses import reconstruction_loss
from anodice.models.optimizers import OptimizerFactory
from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.score import Score


class InceptionCAE(ReconstructionDetector):
    """The Inception CAE as a detector; see `ReconstructionDetector` and `InceptionCAENetwork` for the shared arguments.

    Args:
        loss: name of the reconstruction loss, see `reconstruction_loss`.
    """

    def __init__(
        self,
        *,
        filters: Sequence[int],
        code: int | None,
        loss: str,
        image_size: int,
        in_channels: int,
        score: Score,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        super().__init__(
            network=InceptionCAENetwork(in_channels=in_channels, image_size=image_size, filters=filters, code=code),
            loss=reconstruction_loss(loss),
            score=score,
            optimizer=optimizer,
            channels_last=channels_last,
            image_size=image_size,
            in_channels=in_channels,
        )

    def feature_maps(self, images: Tensor) -> Tensor:
        """What the encoder makes of the images: (N, D, h, w) float32."""
        return self.network.feature_maps(self.formatted(images)).float()
