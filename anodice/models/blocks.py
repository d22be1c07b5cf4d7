"""The two halves of an auto-encoder: strided convolutions and linear layers down to a vector, and back up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from anodice.errors import AnodiceError

_SLOPE = 0.1


class Encoder(nn.Module):
    """(N, C, H, W) -> (N, code): one 4x4 convolution of stride 2 per width, then linear layers.

    Args:
        in_channels: C.
        widths: channels after each convolution; H and W are halved by each.
        image_size: H = W, a multiple of 2 ** len(widths).
        code: length of the vector.
        hidden: lengths of further linear layers before it.
        batch_norm: normalise after each convolution.

    Raises:
        AnodiceError: a size that cannot be halved so often; the nearest ones that can are named.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        widths: Sequence[int],
        image_size: int,
        code: int,
        hidden: Sequence[int] = (),
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        check_size(image_size, 2 ** len(widths))
        inputs = [in_channels, *widths[:-1]]
        layers = (_layer(nn.Conv2d, i, o, batch_norm) for i, o in zip(inputs, widths, strict=True))
        self.convolutions = nn.Sequential(*layers)
        self.linear = _linear([widths[-1] * (image_size // 2 ** len(widths)) ** 2, *hidden, code])

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.convolutions(images).flatten(1))


class Decoder(nn.Module):
    """(N, code) -> (N, C, H, W), unbounded: linear layers, then one 4x4 transposed convolution of stride 2 per width.

    The arguments are the encoder's, widths and hidden lengths in the encoder's order.
    """

    def __init__(
        self,
        *,
        out_channels: int,
        widths: Sequence[int],
        image_size: int,
        code: int,
        hidden: Sequence[int] = (),
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        side = image_size // 2 ** len(widths)
        self.linear = _linear([code, *reversed(hidden), widths[-1] * side**2])
        self.unflatten = nn.Unflatten(1, (widths[-1], side, side))
        rising = list(reversed(widths))
        self.convolutions = nn.Sequential(
            *(_layer(nn.ConvTranspose2d, i, o, batch_norm) for i, o in pairwise(rising)),
            nn.ConvTranspose2d(widths[0], out_channels, kernel_size=4, stride=2, padding=1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        return self.convolutions(self.unflatten(self.linear(codes)))


def check_size(image_size: int, multiple: int) -> None:
    if image_size < multiple or image_size % multiple != 0:
        below = image_size // multiple * multiple
        nearest = " or ".join(str(size) for size in (below, below + multiple) if size > 0)
        raise AnodiceError(
            f"expected an image size that is a multiple of {multiple} for this network, got {image_size}; set "
            f"data.image_size={nearest}."
        )


def check_bottleneck(code: int, pixels: int) -> None:
    """Refuse a code that does not squeeze an image of so many numbers."""
    if not 0 < code < pixels:
        raise AnodiceError(
            f"expected a code between 1 and {pixels - 1}, fewer numbers than the image has, got {code}; set "
            "model.network.code."
        )


def _layer(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], inputs: int, outputs: int, batch_norm: bool) -> nn.Module:
    convolution = kind(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=not batch_norm)
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return nn.Sequential(convolution, *norm, nn.LeakyReLU(_SLOPE))


def _linear(lengths: Sequence[int]) -> nn.Sequential:
    """Linear layers from each length to the next, with an activation between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(lengths):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers[:-1])


def glorot(module: nn.Module) -> None:
    """Start a convolution or linear layer from Glorot-uniform weights and zero biases; leave other modules alone."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


def like_keras(module: nn.Module) -> None:
    """Give a layer what Keras has by default: `glorot`, and batch norms with epsilon 1e-3 and slow running statistics.

    These move by 1 % per step, so hundreds of steps pass before evaluation means what training does.
    """
    glorot(module)
    if isinstance(module, nn.BatchNorm2d):
        module.eps, module.momentum = 1e-3, 0.01
