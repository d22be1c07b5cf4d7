"""A convolutional auto-encoder with a bottleneck that is far smaller than the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from anodice.models.blocks import Decoder, Encoder
from anodice.models.detector import ReconstructionDetector
from anodice.models.optimizers import OptimizerFactory
from anodice.scoring.residual import ResidualScore

WIDTHS = (32, 64, 128, 128)


class ConvAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction, through a code of `code` numbers.

    >>> sum(p.numel() for p in ConvAENetwork(in_channels=1, image_size=128, code=128).parameters())
    2959617
    """

    def __init__(self, *, in_channels: int, image_size: int, code: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.code = code
        self.encoder = Encoder(in_channels=in_channels, widths=widths, image_size=image_size, code=code)
        self.decoder = Decoder(out_channels=in_channels, widths=widths, image_size=image_size, code=code)

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encoder(images))

    def reconstruct(self, images: Tensor) -> Tensor:
        """The same as calling the network."""
        return self(images)

    def loss_terms(self, images: Tensor) -> dict[str, Tensor]:
        """`loss`: the mean absolute difference per pixel and channel, in grey levels of [0, 1]."""
        return {"loss": F.l1_loss(self(images).float(), images)}


class ConvAE(ReconstructionDetector):
    """The conv AE as a detector; see `ReconstructionDetector` for the arguments it shares.

    Args:
        code: length of the code.
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss",)

    def __init__(
        self,
        *,
        code: int,
        image_size: int,
        in_channels: int,
        score: ResidualScore,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        super().__init__(
            network=ConvAENetwork(in_channels=in_channels, image_size=image_size, code=code),
            score=score,
            optimizer=optimizer,
            channels_last=channels_last,
            image_size=image_size,
            in_channels=in_channels,
        )
