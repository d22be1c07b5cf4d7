"""An auto-encoder of Inception blocks, as in image anomaly detection by nearest neighbours in feature space.

After Sarafijanovic-Djukic & Davis (2019). Weights and batch norms start from torch's defaults, unless Keras' are asked
for, with which the originals were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.models.blocks import check_size, like_keras

_SLOPE = 0.1


class InceptionBlock(nn.Module):
    """(N, C, H, W) -> (N, 4 filters, H, W): four branches side by side, then batch norm and LeakyReLU.

    The branches are convolutions of 1x1, 3x3 and 5x5 pixels, and a 3x3 max-pooling with a 1x1 convolution.
    """

    def __init__(self, *, in_channels: int, filters: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            (
                nn.Conv2d(in_channels, filters, kernel_size=1),
                nn.Conv2d(in_channels, filters, kernel_size=3, padding=1),
                nn.Conv2d(in_channels, filters, kernel_size=5, padding=2),
                nn.Sequential(_MaxPool(3, stride=1, padding=1), nn.Conv2d(in_channels, filters, kernel_size=1)),
            )
        )
        # One norm over all branches is the same function as one per branch, and quicker.
        self.norm = nn.BatchNorm2d(4 * filters)
        self.activation = nn.LeakyReLU(_SLOPE, inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        return self.activation(self.norm(torch.cat([branch(images) for branch in self.branches], dim=1)))


class _MaxPool(nn.MaxPool2d):
    """The same; of grey images many times as fast on a CPU, which works on the channels of a pixel at once."""

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] > 1 or torch.compiler.is_exporting():
            return super().forward(images)
        side_by_side = images.transpose(0, 1).contiguous(memory_format=torch.channels_last)
        # What comes after must find the format of the images: it would work in another one, slowly.
        memory_format = torch.channels_last if images.stride(1) == 1 else torch.contiguous_format
        return super().forward(side_by_side).transpose(0, 1).clone(memory_format=memory_format)


class UpsampledConv2d(nn.Conv2d):
    """(N, C, H, W) -> (N, C', 2H, 2W): nearest up-sampling by 2, then a convolution that keeps the size.

    The enlarged images are never made. Each pixel of theirs is one of four copies, so a kernel over them is a smaller
    kernel over the images for each of the four places that an output pixel can have in its copy.

    Args:
        in_channels, out_channels: C and C'.
        kernel_size: width of the kernel over the enlarged images, an odd number.

    >>> layer, images = UpsampledConv2d(in_channels=2, out_channels=3, kernel_size=3), torch.rand(1, 2, 5, 5)
    >>> large = F.conv2d(F.interpolate(images, scale_factor=2), layer.weight, layer.bias, padding=1)
    >>> torch.allclose(layer(images), large, atol=1e-6)
    True
    """

    def __init__(self, *, in_channels: int, out_channels: int, kernel_size: int) -> None:
        radius = kernel_size // 2
        reach = (radius + 1) // 2
        super().__init__(in_channels, out_channels, kernel_size, padding=reach)
        # taps[a, u, k] is 1 where tap k of the kernel, seen from the copy a, falls on the image's pixel u.
        taps = torch.zeros(2, 2 * reach + 1, kernel_size)
        for place in range(2):
            for tap in range(kernel_size):
                taps[place, (place + tap - radius) // 2 + reach, tap] = 1
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return enlarged(F.conv2d(images, self.weight_of_copies(), self.bias.repeat(4), padding=self.padding))

    def weight_of_copies(self) -> Tensor:
        """(4 C', C, k, k): a smaller kernel for each output channel in each of the four copies."""
        return torch.einsum("ocij,aui,bvj->abocuv", self.weight, self.taps, self.taps).flatten(0, 2)


class UpsampledInceptionBlock(InceptionBlock):
    """(N, C, H, W) -> (N, 4 filters, 2H, 2W): nearest up-sampling by 2, then an `InceptionBlock`.

    As in `UpsampledConv2d` the enlarged images are never made: half the arithmetic, in larger convolutions.
    """

    def __init__(self, *, in_channels: int, filters: int) -> None:
        super().__init__(in_channels=in_channels, filters=filters)
        self.branches[1], self.branches[2] = (
            UpsampledConv2d(in_channels=in_channels, out_channels=filters, kernel_size=size) for size in (3, 5)
        )

    def forward(self, images: Tensor) -> Tensor:
        one, three, five, (_, pooled) = self.branches
        height, width = images.shape[2:]
        same = one(images)
        # The smaller kernels of both have the same size: one convolution does for them.
        weights = (conv.weight_of_copies().unflatten(0, (4, -1)) for conv in (three, five))
        bias = torch.cat([three.bias, five.bias]).repeat(4)
        wide = F.conv2d(images, torch.cat(list(weights), 1).flatten(0, 1), bias, padding=three.padding).chunk(4, 1)
        # A window of 3x3 enlarged pixels lies on 2x2 pixels: which ones is told by the copy that its middle is.
        corners = pooled(F.max_pool2d(images, 2, stride=1, padding=1))
        copies = []
        for k, (a, b) in enumerate(product(range(2), range(2))):
            copies += [same, wide[k], corners[..., a : a + height, b : b + width]]
        return self.activation(self.norm(enlarged(torch.cat(copies, 1))))


def enlarged(copies: Tensor) -> Tensor:
    """Four copies of images one after the other, (N, 4 C, H, W) -> (N, C, 2H, 2W), in which they lie pixel by pixel.

    `pixel_shuffle` with another order of the channels: of channels_last images it moves long runs of memory, and keeps
    the format.
    """
    count, channels, height, width = copies.shape
    rows = copies.permute(0, 2, 3, 1).unflatten(3, (2, channels // 2)).transpose(2, 3)
    return rows.reshape(count, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


class InceptionCAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction, by Inception blocks that halve it each, and mirrored ones.

    The originals had no bottleneck: with filters 8, 16, 32 and one channel the last feature map holds twice as many
    numbers as the image. `code` puts a linear one between encoder and decoder.

    Args:
        image_size: H = W, a multiple of 2 ** len(filters).
        filters: of each encoder block's branches. An earlier project had 8, 16, 32 for small pictures; another had
            32, 32, 64, 64, 128, 128.
        code: length of the linear bottleneck; None for none.
        keras: start from Keras' weights, and have its batch norms, as the originals did; see `like_keras`.

    Raises:
        AnodiceError: a size that cannot be halved so often, or a code without length.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        image_size: int = 128,
        filters: Sequence[int] = (8, 16, 32, 32),
        code: int | None = 64,
        keras: bool = False,
    ) -> None:
        super().__init__()
        check_size(image_size, 2 ** len(filters))
        rising = list(reversed(filters))
        shape = (4 * filters[-1], *[image_size // 2 ** len(filters)] * 2)
        numbers = shape[0] * shape[1] * shape[2]
        self.in_channels, self.image_size, self.filters, self.code = in_channels, image_size, tuple(filters), code
        self.keras, self.narrowest = keras, numbers if code is None else code
        if not self.narrowest > 0:
            raise AnodiceError(
                f"expected a code of at least 1 number or null for no bottleneck, got {code!r}; set model.network.code."
            )
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(InceptionBlock(in_channels=inputs, filters=count), nn.MaxPool2d(2))
                for inputs, count in zip([in_channels, *(4 * f for f in filters[:-1])], filters, strict=True)
            )
        )
        self.bottleneck = nn.Identity() if code is None else _bottleneck(numbers, code, shape)
        self.decoder = nn.Sequential(
            InceptionBlock(in_channels=shape[0], filters=rising[0]),
            *(UpsampledInceptionBlock(in_channels=4 * before, filters=count) for before, count in pairwise(rising)),
            UpsampledConv2d(in_channels=4 * rising[-1], out_channels=in_channels, kernel_size=3),
            nn.BatchNorm2d(in_channels),
        )
        if keras:
            self.apply(like_keras)

    def feature_maps(self, images: Tensor) -> Tensor:
        """What the encoder makes of the images: (N, D, h, w) float32 with D = 4 filters[-1]."""
        return self.encoder(images).float()

    def codes(self, images: Tensor) -> Tensor | None:
        """The codes (N, code); None without a bottleneck."""
        return None if self.code is None else self.bottleneck[:2](self.encoder(images))

    def forward(self, images: Tensor) -> Tensor:
        return sigmoid(self.decoder(self.bottleneck(self.encoder(images))))


def _bottleneck(numbers: int, code: int, shape: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(numbers, code), nn.Linear(code, numbers), nn.Unflatten(1, shape))


def sigmoid(logits: Tensor) -> Tensor:
    # bfloat16 has 128 levels between 0.5 and 1, fewer than a photo, and rounds the brightest to 1.
    return logits.float().sigmoid()
