"""The plain auto-encoder that an earlier project compared its Inception blocks with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.models.blocks import check_size
from anodice.models.inception import UpsampledConv2d, sigmoid

_SLOPE = 0.1


class BaselineCAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction, by plain convolutions, pooling and a linear bottleneck.

    Args:
        image_size: H = W, a multiple of 2 ** len(filters).
        filters: of each encoder convolution; mirrored in the decoder. An earlier project had 32, 64, 128 with kernels
            of 5 and a code of 128 for pictures of 32 x 32; another had 32, 32, 64, 64, 128, 128 with kernels of 3 and
            a code of 64 for 256 x 256.
        kernel_size: width of all convolutions, an odd number.
        code: length of the bottleneck, a multiple of the area that is left after halving: the decoder starts from it.

    Raises:
        AnodiceError: a size that cannot be halved so often, or a code that does not fill the area that is left.
    """

    def __init__(
        self, *, in_channels: int, image_size: int, filters: Sequence[int], kernel_size: int, code: int
    ) -> None:
        super().__init__()
        check_size(image_size, 2 ** len(filters))
        if kernel_size % 2 == 0:
            raise AnodiceError(f"expected an odd kernel_size, got {kernel_size}; 3 and 5 are usual.")
        side = image_size // 2 ** len(filters)
        if code < 1 or code % side**2 != 0:
            raise AnodiceError(
                f"expected a code that is a multiple of {side**2} for images of {image_size} pixels and "
                f"{len(filters)} filters, got {code}; set such a code, or more filters."
            )
        self.in_channels, self.image_size, self.filters = in_channels, image_size, tuple(filters)
        self.kernel_size, self.code = kernel_size, code
        rising = list(reversed(filters))
        depth = code // side**2
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(_convolution(inputs, count, kernel_size), nn.MaxPool2d(2))
                for inputs, count in pairwise([in_channels, *filters])
            ),
            nn.Flatten(),
            nn.Linear(filters[-1] * side**2, code),
            nn.LeakyReLU(_SLOPE),
        )
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (depth, side, side)),
            _convolution(depth, rising[0], kernel_size),
            *(
                _after(UpsampledConv2d(in_channels=before, out_channels=count, kernel_size=kernel_size))
                for before, count in pairwise(rising)
            ),
            UpsampledConv2d(in_channels=rising[-1], out_channels=in_channels, kernel_size=kernel_size),
            nn.BatchNorm2d(in_channels),
        )

    @property
    def narrowest(self) -> int:
        """The length of the bottleneck."""
        return self.code

    def codes(self, images: Tensor) -> Tensor:
        """The codes (N, code)."""
        return self.encoder(images)

    def forward(self, images: Tensor) -> Tensor:
        return sigmoid(self.decoder(self.codes(images)))


def _convolution(inputs: int, outputs: int, kernel_size: int) -> nn.Sequential:
    return _after(nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2))


def _after(convolution: nn.Conv2d) -> nn.Sequential:
    norm = nn.BatchNorm2d(convolution.out_channels)
    return nn.Sequential(convolution, norm, nn.LeakyReLU(_SLOPE, inplace=True))
