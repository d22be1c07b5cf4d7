"""What the residuals of normal photos look like, pixel by pixel: their mean and deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anodice.errors import AnodiceError

_FEWEST = 2


class PixelStatistics(nn.Module):
    """Mean and deviation of maps over held-out normals, kept in the checkpoint.

    Gathered batch by batch with the update of Chan, Golub & LeVeque (1983), so memory does not grow with the images and
    the batch size hardly matters; float32, because not every device has float64.

    Args:
        image_size: height and width of the maps.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, *, image_size: int) -> None:
        super().__init__()
        shape = (1, 1, image_size, image_size)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("squares", torch.zeros(shape))

    def reset(self) -> None:
        """Forget all maps."""
        for buffer in (self.count, self.mean, self.squares):
            buffer.zero_()

    @property
    def is_fitted(self) -> bool:
        """Whether there are enough maps, two, to know a deviation."""
        return int(self.count) >= _FEWEST

    def update(self, maps: Tensor) -> None:
        """Take in the maps (N, 1, H, W) of more normal photos."""
        mean = maps.mean(0, keepdim=True)
        total = self.count + len(maps)
        shift = mean - self.mean
        self.squares += (maps - mean).square().sum(0, keepdim=True) + shift.square() * self.count * len(maps) / total
        self.mean += shift * len(maps) / total
        self.count.copy_(total)

    def normalise(self, maps: Tensor) -> Tensor:
        """(map - mean) / deviation, per pixel; a tenth of the average deviation is added where a pixel hardly varies.

        Raises:
            AnodiceError: fewer than two normals were taken in.
        """
        if not torch.compiler.is_exporting() and not self.is_fitted:  # a graph is made without looking at values
            raise AnodiceError(
                f"expected the score to be fitted to at least {_FEWEST} normal images, got {int(self.count)}; train "
                "the detector first, or set score.normalise=false."
            )
        deviation = (self.squares / (self.count - 1)).sqrt()
        return (maps - self.mean) / (deviation + 0.1 * deviation.mean() + 1e-12)
