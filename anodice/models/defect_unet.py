"""A small U-Net that draws the mask of defects painted on normal photos; on a real photo it draws the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.augmentation.defect_painter import DefectPainter
from anodice.data.datamodule import Batch
from anodice.models.blocks import check_size
from anodice.models.detector import Scored
from anodice.models.optimizers import OptimizerFactory, adamw
from anodice.models.painting import PaintingDetector
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import TopMean

_SLOPE = 0.1


class UNet(nn.Module):
    """(N, C, H, W) -> logits (N, 1, H, W), after Ronneberger et al. (2015): halved by strides, doubled, with skips.

    Blocks of 2x2 pixels enter and leave as channels (Shi et al. 2016): nothing of them is lost, and no convolution has
    to go over the full size, where few channels cost most of the time.

    Args:
        widths: channels at each size, half the full one first; each further one halves H and W.

    >>> sum(p.numel() for p in UNet(in_channels=1, image_size=128, widths=[16, 32, 48, 64]).parameters())
    296804
    """

    def __init__(
        self, *, in_channels: int = 1, image_size: int = 128, widths: Sequence[int] = (16, 32, 48, 64)
    ) -> None:
        super().__init__()
        self.in_channels, self.image_size, self.widths = in_channels, image_size, tuple(widths)
        check_size(image_size, 2 ** len(widths))
        self.first = nn.Sequential(nn.PixelUnshuffle(2), _convolution(4 * in_channels, widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(_halving(above, below), _convolution(below, below)) for above, below in pairwise(widths)
        )
        rising = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(_doubling(below, above) for below, above in rising)
        self.join = nn.ModuleList(_convolution(2 * above, above) for _, above in rising)
        self.last = nn.Sequential(nn.Conv2d(widths[0], 4, kernel_size=1), nn.PixelShuffle(2))

    def forward(self, images: Tensor) -> Tensor:
        levels = [self.first(images)]
        for down in self.down:
            levels.append(down(levels[-1]))
        found = levels.pop()
        for up, join in zip(self.up, self.join, strict=True):
            found = join(torch.cat([up(found), levels.pop()], 1))
        return self.last(found)


class DefectUNet(PaintingDetector):
    """The U-Net as a detector: images (N, C, H, W) in [0, 1] -> maps, which are its logits, and scores.

    It sees normal photos, a share of them with painted defects, and no real anomaly.

    Args:
        network: None for `UNet()`, which takes grey images (N, 1, 128, 128).
        painter: images -> images with painted defects and their masks; None for `DefectPainter()` of the network's
            size.
        score: from maps (N, 1, H, W) to maps and scores (N,), higher is stranger; None for the mean of the strangest
            0.2 % of the pixels, after a Gaussian of one pixel.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss", "cross_entropy", "dice")

    def __init__(
        self,
        network: UNet | None = None,
        *,
        painter: DefectPainter | None = None,
        score: MapScore | None = None,
        optimizer: OptimizerFactory = adamw,
        channels_last: bool = True,
    ) -> None:
        network = UNet() if network is None else network
        painter = DefectPainter(image_size=network.image_size) if painter is None else painter
        super().__init__(network, painter=painter, optimizer=optimizer, channels_last=channels_last)
        self.score = MapScore(pooling=TopMean(fraction=0.002), image_size=self.image_size) if score is None else score

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The mean binary cross-entropy of the pixels plus the Dice loss of the masks, over the whole batch."""
        images, masks = self.paint(batch)
        logits, wanted = self.network(images).float(), masks.float()
        cross_entropy = F.binary_cross_entropy_with_logits(logits, wanted)
        found = logits.sigmoid()
        dice = 1 - (2 * (found * wanted).sum() + 1) / (found.sum() + wanted.sum() + 1)
        return {"loss": cross_entropy + dice, "cross_entropy": cross_entropy, "dice": dice}

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.score(self.network(self.formatted(images)).float()))


def _convolution(inputs: int, outputs: int) -> nn.Module:
    return _normed(nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False))


def _halving(inputs: int, outputs: int) -> nn.Module:
    return _normed(nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False))


def _doubling(inputs: int, outputs: int) -> nn.Module:
    return _normed(nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False))


def _normed(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.LeakyReLU(_SLOPE))
