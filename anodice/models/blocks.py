"""The two halves of an auto-encoder: strided convolutions down to a vector, and back up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from anodice.errors import AnodiceError

_SLOPE = 0.1


class Encoder(nn.Module):
    """(N, C, H, W) -> (N, code): one 4x4 convolution of stride 2 per width, then a linear layer.

    Args:
        in_channels: C.
        widths: channels after each convolution; H and W are halved by each.
        image_size: H = W, a multiple of 2 ** len(widths).
        code: length of the vector.

    Raises:
        AnodiceError: a size that cannot be halved so often; the nearest ones that can are named.
    """

    def __init__(self, *, in_channels: int, widths: Sequence[int], image_size: int, code: int) -> None:
        super().__init__()
        _check_size(image_size, 2 ** len(widths))
        inputs = [in_channels, *widths[:-1]]
        self.convolutions = nn.Sequential(*(_down(i, o) for i, o in zip(inputs, widths, strict=True)))
        self.linear = nn.Linear(widths[-1] * (image_size // 2 ** len(widths)) ** 2, code)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.convolutions(images).flatten(1))


class Decoder(nn.Module):
    """(N, code) -> (N, C, H, W), unbounded: a linear layer, then one 4x4 transposed convolution of stride 2 per width.

    The arguments are the encoder's, the widths in the encoder's order.
    """

    def __init__(self, *, out_channels: int, widths: Sequence[int], image_size: int, code: int) -> None:
        super().__init__()
        side = image_size // 2 ** len(widths)
        self.linear = nn.Linear(code, widths[-1] * side**2)
        self.unflatten = nn.Unflatten(1, (widths[-1], side, side))
        rising = list(reversed(widths))
        self.convolutions = nn.Sequential(
            *(_up(i, o) for i, o in pairwise(rising)),
            nn.ConvTranspose2d(widths[0], out_channels, kernel_size=4, stride=2, padding=1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        return self.convolutions(self.unflatten(self.linear(codes)))


def _check_size(image_size: int, multiple: int) -> None:
    if image_size < multiple or image_size % multiple != 0:
        below = image_size // multiple * multiple
        nearest = " or ".join(str(size) for size in (below, below + multiple) if size > 0)
        raise AnodiceError(
            f"expected an image size that is a multiple of {multiple} for this network, got {image_size}; set "
            f"data.image_size={nearest}."
        )


def _down(inputs: int, outputs: int) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE))


def _up(inputs: int, outputs: int) -> nn.Module:
    convolution = nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE))
