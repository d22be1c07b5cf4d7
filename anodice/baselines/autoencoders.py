"""The auto-encoders of earlier projects on the same photos, as they were, to compare with.

All end in a sigmoid and start from Glorot-uniform weights and zero biases. Where an original had batch norm, its
epsilon (1e-3) and its slow running statistics (1 % per step) are kept, so hundreds of steps pass before evaluation
means what training does. `narrowest` counts the numbers in the narrowest layer of each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anodice.functional.likelihoods import bernoulli_nll_map, gaussian_kl
from anodice.models.blocks import check_size, glorot
from anodice.models.losses import reconstruction_loss


class SigmoidAE(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction, the sigmoid of what the layers make of it.

    Args:
        layers: keep the shape of the images.
        narrowest: how many numbers the narrowest of the layers gives per image.
    """

    def __init__(self, *, layers: nn.Sequential, narrowest: int, in_channels: int, image_size: int) -> None:
        super().__init__()
        self.narrowest, self.in_channels, self.image_size = narrowest, in_channels, image_size
        self.layers = layers.apply(glorot)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).float().sigmoid()


class CAEA(SigmoidAE):
    """The convolutional auto-encoder of an earlier project's comparison, its "CAE-A".

    The code is 64 maps at a quarter of the width: four numbers per pixel of a grey image, so nothing forces the network
    to forget a defect.

    Args:
        image_size: H = W, a multiple of 4.

    >>> CAEA(in_channels=1, image_size=128).narrowest
    65536
    """

    def __init__(self, *, in_channels: int, image_size: int) -> None:
        check_size(image_size, 4)
        layers = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=3, padding=1),
            *_norm(32),
            *_halving(32, 64),
            *_norm(64),
            *_halving(64, 64),
            *_norm(64),
            nn.ConvTranspose2d(64, 64, kernel_size=3, padding=1),
            *_norm(64),
            *_doubling(64, 64),
            *_norm(64),
            *_doubling(64, 32),
            *_norm(32),
            nn.ConvTranspose2d(32, in_channels, kernel_size=3, padding=1),
        )
        super().__init__(
            layers=layers, narrowest=64 * (image_size // 4) ** 2, in_channels=in_channels, image_size=image_size
        )


class SmallAE(SigmoidAE):
    """The small auto-encoder of an earlier project; its record names no activations, ReLU is assumed.

    The code is 32 maps at half the width: eight numbers per pixel of a grey image.

    Args:
        image_size: H = W, a multiple of 2.
    """

    def __init__(self, *, in_channels: int, image_size: int) -> None:
        check_size(image_size, 2)
        layers = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.ConvTranspose2d(32, 32, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            *_doubling(32, 32),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(32, in_channels, kernel_size=3, padding=1),
        )
        super().__init__(
            layers=layers, narrowest=32 * (image_size // 2) ** 2, in_channels=in_channels, image_size=image_size
        )


class PooledAE(SigmoidAE):
    """An earlier project's auto-encoder of strides and pooling together, the one with a true bottleneck.

    The code is 8 maps at 1/32 of the width: 128 numbers for an image of 128 x 128, 1 : 128.

    Args:
        image_size: H = W, a multiple of 32.

    >>> PooledAE(in_channels=1, image_size=128).narrowest
    128
    """

    def __init__(self, *, in_channels: int, image_size: int) -> None:
        check_size(image_size, 32)
        layers = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=3, padding=1),
            nn.MaxPool2d(2),
            *_norm(32),
            *_halving(32, 16),
            nn.MaxPool2d(2),
            *_norm(16),
            *_halving(16, 8),
            nn.MaxPool2d(2),
            *_norm(8),
            *_doubling(8, 8),
            nn.Upsample(scale_factor=2),
            *_norm(8),
            *_doubling(8, 16),
            nn.Upsample(scale_factor=2),
            *_norm(16),
            nn.ConvTranspose2d(16, 32, kernel_size=3, padding=1),
            nn.Upsample(scale_factor=2),
            *_norm(32),
            nn.ConvTranspose2d(32, in_channels, kernel_size=3, padding=1),
        )
        super().__init__(
            layers=layers, narrowest=8 * (image_size // 32) ** 2, in_channels=in_channels, image_size=image_size
        )


class ShallowAE(SigmoidAE):
    """The auto-encoder of 2,635 parameters of an earlier project, which its published F1 of 0.21 belongs to.

    One convolution, two dense layers over the channels and another convolution, all at full size: nothing is squeezed
    but the grey level of each pixel, through a sigmoid.
    """

    def __init__(self, *, in_channels: int, image_size: int) -> None:
        layers = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=3, padding=1),
            *_norm(32),
            nn.Conv2d(32, 64, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 1, kernel_size=1),
            nn.Sigmoid(),
            nn.ConvTranspose2d(1, in_channels, kernel_size=3, padding=1),
        )
        super().__init__(layers=layers, narrowest=image_size**2, in_channels=in_channels, image_size=image_size)


class ToneAE(SigmoidAE):
    """An earlier project's "dense auto-encoder": dense layers over the channels, so each pixel is mapped by itself.

    For grey images it is a curve from tone to tone: of photos in 8 bits each of the 256 tones is mapped once. Of other
    images every pixel is, with `hidden` numbers between the layers, 44 MB for 128 x 128 pixels in float32. It sees no
    neighbours and has no bottleneck.

    Args:
        hidden: 668 in the original.
    """

    def __init__(self, *, in_channels: int, image_size: int, hidden: int = 668) -> None:
        layers = nn.Sequential(
            nn.Conv2d(in_channels, hidden, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, in_channels, kernel_size=1),
        )
        super().__init__(
            layers=layers, narrowest=hidden * image_size**2, in_channels=in_channels, image_size=image_size
        )
        self.hidden = hidden

    def forward(self, images: Tensor) -> Tensor:
        levels = self._levels(images)
        if levels is None:
            return super().forward(images)
        tones = torch.arange(256, device=images.device, dtype=torch.float32) / 255
        return super().forward(tones.view(-1, 1, 1, 1)).flatten()[levels]

    def _levels(self, images: Tensor) -> Tensor | None:
        """The grey levels 0..255 of photos in 8 bits, int64; None of images that have others, or colours."""
        if self.in_channels > 1 or torch.compiler.is_compiling() or images.numel() == 0:
            return None
        scaled = images.detach() * 255
        levels = scaled.round()
        whole = torch.allclose(scaled, levels, rtol=0, atol=1e-3)
        return levels.long() if whole and levels.amin() >= 0 and levels.amax() <= 255 else None


class DishAE(SigmoidAE):
    """The "advanced" auto-encoder of an earlier project on photos of dishes, without batch norm.

    The code is 64 maps at 1/8 of the width: one number per pixel of a grey image, a third of that for one of colours.

    Args:
        image_size: H = W, a multiple of 8.
    """

    def __init__(self, *, in_channels: int, image_size: int) -> None:
        check_size(image_size, 8)
        layers = nn.Sequential(
            *_tanh(in_channels, 32),
            *_tanh(32, 32),
            nn.MaxPool2d(2),
            *_tanh(32, 64),
            nn.MaxPool2d(2),
            *_tanh(64, 64),
            nn.MaxPool2d(2),
            *_tanh(64, 128),
            *_tanh(128, 128),
            nn.Conv2d(128, 128, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(128, 128, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(128, 64, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            *_doubling(64, 64),
            nn.LeakyReLU(0.1, inplace=True),
            *_doubling(64, 32),
            nn.LeakyReLU(0.1, inplace=True),
            *_doubling(32, 32),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(32, in_channels, kernel_size=3, padding=1),
        )
        super().__init__(
            layers=layers, narrowest=64 * (image_size // 8) ** 2, in_channels=in_channels, image_size=image_size
        )


class DenseVAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction through a Gaussian code of two numbers, by dense layers alone.

    It is an earlier project's best. The original read its second output as a log standard deviation when it drew codes
    and as a log variance in the KL term, and drew them with a tenth of the noise: `as_published` does the same.
    Otherwise the output is the log variance everywhere, and the noise has deviation 1. Reconstructions always come from
    the posterior mean; the original's came from a drawn code, so that its scores were random.

    Args:
        image_size: H = W.
        code: length of the code, 2 in the original: 1 : 8192 for a grey image of 128 x 128.
        hidden: length of the layer before the code and of the one after it, 64 in the original.
        as_published: draw codes as the original did.
    """

    def __init__(
        self, *, in_channels: int, image_size: int, code: int = 2, hidden: int = 64, as_published: bool = False
    ) -> None:
        super().__init__()
        self.as_published = as_published
        self.in_channels, self.image_size, self.code, self.hidden = in_channels, image_size, code, hidden
        shape = (in_channels, image_size, image_size)
        self.pixels = in_channels * image_size**2
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(self.pixels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 2 * code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, self.pixels), nn.Unflatten(1, shape)
        )
        self.apply(glorot)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the posterior, float32 (N, code) each."""
        mean, log_variance = self.encoder(images).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 12)  # a wild first step does not end in infinity

    def decode(self, codes: Tensor) -> Tensor:
        """(N, code) -> reconstructions in [0, 1]."""
        return self.decoder(codes).float().sigmoid()

    @property
    def narrowest(self) -> int:
        """The length of the code."""
        return self.code

    def codes(self, images: Tensor) -> Tensor:
        """The means of the posteriors, (N, code)."""
        return self.encode(images)[0]

    def forward(self, images: Tensor) -> Tensor:
        """Without noise: the decoded posterior mean."""
        return self.decode(self.encode(images)[0])

    def elbo_parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Without noise: the binary cross-entropy of each pixel, (N, 1, H, W), and the posteriors (N, 2, code).

        A posterior is its mean and its log variance.
        """
        posteriors = torch.stack(self.encode(images), 1)
        return bernoulli_nll_map(images, self.decode(posteriors[:, 0])), posteriors

    def loss_terms(self, images: Tensor, targets: Tensor, *, beta: float) -> dict[str, Tensor]:
        """`loss` = `reconstruction` + beta `kl`, all in nats per image; one sample of the code per image.

        `reconstruction` is the binary cross-entropy summed over the pixels; beta 1 is the negative ELBO, but not where
        codes are drawn `as_published`.

        Args:
            targets: what the images should be reconstructed to, usually themselves.
        """
        mean, log_variance = self.encode(images)
        noise = torch.randn_like(mean)
        deviation = 0.1 * log_variance.exp() if self.as_published else (0.5 * log_variance).exp()
        codes = mean + noise * deviation
        reconstruction = self.pixels * reconstruction_loss("bce")(self.decode(codes), targets)
        kl = gaussian_kl(mean, log_variance).mean()
        return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}


def _norm(channels: int) -> tuple[nn.Module, ...]:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.3, inplace=True)


def _tanh(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.Tanh()


def _halving(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    # The originals' "same" padding of an even size lies to the right and below alone.
    return nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(inputs, outputs, kernel_size=3, stride=2)


def _doubling(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    # The mirror image of `_halving`: what it would have padded is cut off.
    return nn.ConvTranspose2d(inputs, outputs, kernel_size=3, stride=2), nn.ZeroPad2d((0, -1, 0, -1))
