"""A convolutional auto-encoder with a bottleneck that is far smaller than the image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.models.blocks import Decoder, Encoder
from anodice.models.losses import reconstruction_loss
from anodice.models.optimizers import OptimizerFactory
from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.score import Score

WIDTHS = (32, 64, 128, 128)


class ConvAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction, through a code of `code` numbers.

    Args:
        widths: channels after each convolution of stride 2, the encoder's; mirrored in the decoder.
        hidden: lengths of the linear layers between convolutions and code, besides the one to the code itself.
        batch_norm: normalise after each convolution.
        sigmoid: squash the output into [0, 1]; without it the output is unbounded.

    >>> sum(p.numel() for p in ConvAENetwork(in_channels=1, image_size=128, code=128).parameters())
    2959617
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        code: int,
        widths: Sequence[int] = WIDTHS,
        hidden: Sequence[int] = (),
        batch_norm: bool = True,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        self.code = code
        shape = {"widths": widths, "image_size": image_size, "code": code, "hidden": hidden, "batch_norm": batch_norm}
        self.encoder = Encoder(in_channels=in_channels, **shape)
        self.decoder = Decoder(out_channels=in_channels, **shape)
        self.squash = nn.Sigmoid() if sigmoid else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.squash(self.decoder(self.encoder(images)))

    def reconstruct(self, images: Tensor) -> Tensor:
        """The same as calling the network."""
        return self(images)


class ConvAE(ReconstructionDetector):
    """The conv AE as a detector; see `ReconstructionDetector` and `ConvAENetwork` for the shared arguments.

    Args:
        loss: name of the reconstruction loss, see `reconstruction_loss`.
    """

    def __init__(
        self,
        *,
        code: int,
        widths: Sequence[int],
        hidden: Sequence[int],
        batch_norm: bool,
        sigmoid: bool,
        loss: str,
        image_size: int,
        in_channels: int,
        score: Score,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        check_bottleneck(code, in_channels * image_size**2)
        if loss == "bce" and not sigmoid:
            raise AnodiceError("expected model.sigmoid=true with model.loss=bce, which takes outputs in [0, 1].")
        network = ConvAENetwork(
            in_channels=in_channels,
            image_size=image_size,
            code=code,
            widths=widths,
            hidden=hidden,
            batch_norm=batch_norm,
            sigmoid=sigmoid,
        )
        super().__init__(
            network=network,
            loss=reconstruction_loss(loss),
            score=score,
            optimizer=optimizer,
            channels_last=channels_last,
            image_size=image_size,
            in_channels=in_channels,
        )


def check_bottleneck(code: int, pixels: int) -> None:
    """Refuse a code that does not squeeze an image of so many numbers."""
    if not 0 < code < pixels:
        raise AnodiceError(
            f"expected model.code between 1 and {pixels - 1}, fewer numbers than the image has, got {code}."
        )
