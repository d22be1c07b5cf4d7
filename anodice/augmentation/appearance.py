"""Changes of light, sharpness and pose that are no defect: for training, on whole batches, each image with its own."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.functional.windows import gaussian_taps

_PIXELS_AT_A_TIME = 2**18
"""Of what is changed together on a CPU: 1 MB stays in its cache, through all the changes."""
_GRAIN = 2**22
"""Normal deviates that are kept: noise is a piece of them from anywhere, ten times as fast as new ones."""
_WEIGHTS = gaussian_taps(1.0, 2)[:3].tolist()
"""Of the outer, the next and the middle pixel in a Gaussian of deviation 1 that is five pixels wide."""

_Change = Callable[[Tensor, slice], object]
"""Changes images in place that lie at these places of a batch."""


class Augmentation(nn.Module):
    """Changes of light, sharpness and pose that are no defect, drawn per image; (N, C, H, W) in [0, 1] to the same.

    Each kind of change (pose, glare, gamma, blur, light, noise) is made to every other image of a batch: the even or
    the odd ones, as is drawn for each kind and batch.

    Args:
        brightness: largest change of brightness, in grey levels of [0, 1].
        contrast: largest relative change of contrast.
        gamma: largest change of the logarithm of gamma.
        glare: largest brightness of a soft highlight, in grey levels.
        blur: largest share of a blurred copy (Gaussian, deviation 1 pixel) that is mixed in, in [0, 1].
        noise: largest deviation of white noise, in grey levels.
        shift: largest shift along each axis, in pixels.
        rotation: largest rotation either way, in degrees.
    """

    def __init__(
        self,
        *,
        brightness: float = 0.1,
        contrast: float = 0.2,
        gamma: float = 0.2,
        glare: float = 0.2,
        blur: float = 0.8,
        noise: float = 0.02,
        shift: float = 3.0,
        rotation: float = 4.0,
    ) -> None:
        super().__init__()
        self.brightness, self.contrast, self.gamma, self.glare = brightness, contrast, gamma, glare
        self.blur, self.noise, self.shift, self.rotation = blur, noise, shift, rotation
        self._grain: Tensor | None = None

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        changes = self._changes(images)
        firsts = torch.randint(2, (len(changes),)).tolist()
        few = len(images) if images.is_cuda else max(1, _PIXELS_AT_A_TIME // images[0].numel())
        changed = torch.empty_like(images, memory_format=torch.contiguous_format)
        for start in range(0, len(images), few):
            rows = slice(start, min(start + few, len(images)))
            part = images[rows].clone(memory_format=torch.contiguous_format)
            for change, first in zip(changes, firsts, strict=True):
                offset = (first - start) % 2
                if offset < len(part):
                    change(part[offset::2], slice(start + offset, rows.stop, 2))
            torch.clamp(part, 0, 1, out=changed[rows])
        return changed

    def augment(self, images: Tensor) -> dict[str, Tensor]:
        """What takes the place of `image` in a training batch."""
        return {"image": self(images)}

    def _changes(self, images: Tensor) -> list[_Change]:
        """Draw for every image what is to be done, in order."""
        changes = []
        if self.shift > 0 or self.rotation > 0:
            changes.append(self._move(images))
        if self.glare > 0:
            changes.append(self._highlight(images))
        if self.gamma > 0:
            power = (self.gamma * _uniform(images)).exp()[:, None, None, None]
            # Half the time of `pow`, which is exact to the last digit.
            changes.append(lambda part, rows: part.clamp_(1e-6, 1).log2_().mul_(power[rows]).exp2_())
        if self.blur > 0:
            share = self.blur * _uniform(images).abs()[:, None, None, None]
            changes.append(lambda part, rows: part.lerp_(_blurred(part), share[rows]))
        if self.brightness > 0 or self.contrast > 0:
            gain = 1 + self.contrast * _uniform(images)[:, None, None, None]
            offset = 0.5 - 0.5 * gain + self.brightness * _uniform(images)[:, None, None, None]
            changes.append(lambda part, rows: torch.addcmul(offset[rows], part, gain[rows], out=part))
        if self.noise > 0:
            strength = self.noise * _uniform(images)[:, None, None, None]
            grain = self._grain_like(images)
            changes.append(lambda part, rows: part.addcmul_(strength[rows], grain[rows]))
        return changes

    def _grain_like(self, images: Tensor) -> Tensor:
        """White noise for a batch, not to be written to."""
        size, device = images.numel(), images.device
        if self._grain is None or self._grain.device != device or len(self._grain) < 2 * size:
            generator = torch.Generator(device).manual_seed(0)
            self._grain = torch.randn(max(_GRAIN, 2 * size), generator=generator, device=device)
        start = int(torch.randint(len(self._grain) - size, ()))
        return self._grain[start : start + size].view(images.shape)

    def _move(self, images: Tensor) -> _Change:
        angle = math.radians(self.rotation) * _uniform(images)
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        height, width = images.shape[2:]
        # Places are measured in half images: a shift of s pixels is 2 s / size.
        x, y = self.shift * 2 / width * _uniform(images)[:, None], self.shift * 2 / height * _uniform(images)[:, None]
        across, down = _middles(width, images), _middles(height, images)[:, None]
        # Places are linear in the row: this is far cheaper than affine_grid, a matrix product for every pixel.
        start = torch.stack([x + cos * across, y + sin * across], 2).flatten(1)[:, None]
        slope = torch.stack([-sin, cos], 2).expand(-1, width, -1).flatten(1)[:, None]

        def change(part: Tensor, rows: slice) -> Tensor:
            grid = torch.addcmul(start[rows], slope[rows], down).unflatten(2, (width, 2))
            return part.copy_(F.grid_sample(part, grid, padding_mode="border", align_corners=False))

        return change

    def _highlight(self, images: Tensor) -> _Change:
        """A soft bright spot."""
        height, width = images.shape[2:]
        rows = torch.linspace(-1, 1, height, device=images.device)
        columns = torch.linspace(-1, 1, width, device=images.device)
        y, x = _uniform(images)[:, None], _uniform(images)[:, None]
        size = 0.3 + 0.15 * _uniform(images)[:, None]  # the deviation, in half images
        strength = self.glare * _uniform(images).abs()[:, None]
        down = (strength * torch.exp(-0.5 * ((rows - y) / size).square()))[:, None, :, None]
        across = torch.exp(-0.5 * ((columns - x) / size).square())[:, None, None]
        return lambda part, rows: part.addcmul_(down[rows], across[rows])


def _middles(count: int, images: Tensor) -> Tensor:
    """The middles of so many pixels in a line, (count,) in half images."""
    return (torch.arange(count, device=images.device) * 2 + 1) / count - 1


def _blurred(images: Tensor) -> Tensor:
    """A Gaussian of deviation 1, mirrored at the edges; as sums of shifted images, for convolutions are slower."""
    down = _smoothed(F.pad(images, (2, 2, 2, 2), mode="reflect"), 2)
    return _smoothed(down, 3)


def _smoothed(padded: Tensor, axis: int) -> Tensor:
    """Weighted sums of five neighbours along an axis, which they shorten by four."""
    size = padded.shape[axis] - 4
    first, second, middle, fourth, fifth = (padded.narrow(axis, k, size) for k in range(5))
    smoothed = (first + fifth).mul_(_WEIGHTS[0])
    smoothed.add_(second, alpha=_WEIGHTS[1]).add_(fourth, alpha=_WEIGHTS[1])
    return smoothed.add_(middle, alpha=_WEIGHTS[2])


def _uniform(images: Tensor) -> Tensor:
    """One draw from [-1, 1] per image."""
    return torch.rand(len(images), device=images.device) * 2 - 1
