"""A convolutional auto-encoder with a bottleneck that is far smaller than the image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from anodice.models.blocks import Decoder, Encoder, check_bottleneck
from anodice.models.optimizers import OptimizerFactory, adamw
from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.score import Score

WIDTHS = (32, 64, 128, 128)


class ConvAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction, through a code of `code` numbers.

    Args:
        in_channels: C.
        image_size: H = W, a multiple of 2 ** len(widths).
        code: numbers that an image is squeezed through.
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
        in_channels: int = 1,
        image_size: int = 128,
        code: int = 64,
        widths: Sequence[int] = WIDTHS,
        hidden: Sequence[int] = (),
        batch_norm: bool = True,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        check_bottleneck(code, in_channels * image_size**2)
        self.in_channels, self.image_size, self.code = in_channels, image_size, code
        self.widths, self.hidden, self.batch_norm, self.sigmoid = tuple(widths), tuple(hidden), batch_norm, sigmoid
        shape = {"widths": widths, "image_size": image_size, "code": code, "hidden": hidden, "batch_norm": batch_norm}
        self.encoder = Encoder(in_channels=in_channels, **shape)
        self.decoder = Decoder(out_channels=in_channels, **shape)
        self.squash = nn.Sigmoid() if sigmoid else nn.Identity()

    @property
    def narrowest(self) -> int:
        """The length of the code."""
        return self.code

    def codes(self, images: Tensor) -> Tensor:
        """(N, code)."""
        return self.encoder(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.squash(self.decoder(self.encoder(images)))


class ConvAE(ReconstructionDetector):
    """A convolutional auto-encoder: images (N, C, H, W) in [0, 1] -> maps, scores.

    Args:
        network: see `ReconstructionDetector`; None for `ConvAENetwork()`, which takes grey images (N, 1, 128, 128).
        score: from what the network makes of images to maps (N, 1, H, W) and scores (N,), higher is stranger; None for
            `ResidualScore()` of the network's size.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        loss: name of the reconstruction loss: `l1`, `mse`, `l2` (a sum over the pixels), `bce` or `ssim`.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.

    >>> ConvAE(ConvAENetwork(image_size=64)).network.code
    64
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        *,
        score: Score | None = None,
        optimizer: OptimizerFactory = adamw,
        loss: str = "l1",
        channels_last: bool = True,
    ) -> None:
        network = ConvAENetwork() if network is None else network
        super().__init__(network, score=score, optimizer=optimizer, loss=loss, channels_last=channels_last)
