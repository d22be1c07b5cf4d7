"""A convolutional auto-encoder with a bottleneck that is far smaller than the image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from anodice.models.blocks import Decoder, Encoder, check_bottleneck

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
        in_channels: int,
        image_size: int,
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
