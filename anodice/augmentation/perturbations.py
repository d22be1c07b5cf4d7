"""Changes of light, lens and pose that are no defect, graded 1 to 5: what a detector should not be disturbed by.

Severity 1 is barely seen, 3 is what a changed lamp or a bumped camera gives, 5 is plain, though a person still tells
defects. What is drawn for an image (the way a change goes, the grain, the place of the glare) depends on the seed and
the image's index alone: neither on the batch it is in nor on the severity, which only makes the same change stronger.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from anodice.errors import AnodiceError

SEVERITIES = (1, 2, 3, 4, 5)

Change = Callable[[Tensor, float, Sequence[np.random.Generator]], Tensor]
"""Images (N, C, H, W) in [0, 1], the amount, a generator per image -> changed images, which may leave [0, 1]."""


@dataclass(frozen=True)
class Perturbation:
    """A change and its five amounts, from severity 1 to 5, in `unit`.

    >>> images = torch.full((2, 1, 8, 8), 0.5)
    >>> PERTURBATIONS["brightness"](images, severity=3, indices=[0, 7]).shape
    torch.Size([2, 1, 8, 8])
    """

    change: Change
    amounts: tuple[float, float, float, float, float]
    unit: str

    def __call__(self, images: Tensor, *, severity: int, indices: Sequence[int] | Tensor, seed: int = 0) -> Tensor:
        """Images (N, C, H, W) float32 in [0, 1] -> the same, changed, on the same device; C is 1 or 3.

        Args:
            severity: 1 to 5.
            indices: (N,) whole numbers of at least 0 that tell the images apart, such as `index` of a batch.
            seed: at least 0.

        Raises:
            AnodiceError: another severity, or not one index per image.
        """
        if severity not in SEVERITIES:
            raise AnodiceError(f"expected a severity from 1 (barely seen) to 5 (plain), got {severity!r}.")
        if len(indices) != len(images):
            raise AnodiceError(f"expected an index for each of {len(images)} images, got {len(indices)}.")
        generators = [np.random.default_rng([seed, int(index)]) for index in indices]
        return self.change(images, self.amounts[severity - 1], generators).clamp(0, 1)


def _brightness(images: Tensor, amount: float, generators: Sequence[np.random.Generator]) -> Tensor:
    return images + amount * _either_way(images, generators)


def _contrast(images: Tensor, factor: float, generators: Sequence[np.random.Generator]) -> Tensor:
    return (images - 0.5) * factor ** _either_way(images, generators) + 0.5


def _gamma(images: Tensor, exponent: float, generators: Sequence[np.random.Generator]) -> Tensor:
    return images ** (exponent ** _either_way(images, generators))


def _blur(images: Tensor, sigma: float, generators: Sequence[np.random.Generator]) -> Tensor:
    del generators  # every image is blurred alike
    sigma = sigma * _pixel(images)
    return gaussian_blur(images, kernel_size=2 * math.ceil(3 * sigma) + 1, sigma=sigma)


def _noise(images: Tensor, deviation: float, generators: Sequence[np.random.Generator]) -> Tensor:
    grain = [torch.from_numpy(g.standard_normal(images.shape[1:], dtype=np.float32)) for g in generators]
    return images + deviation * torch.stack(grain).to(images.device)


def _jpeg(images: Tensor, quality: float, generators: Sequence[np.random.Generator]) -> Tensor:
    del generators  # the encoder draws nothing
    photos = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    decoded = torch.from_numpy(np.stack([_encoded(photo, int(quality)) for photo in photos]))
    return decoded.view(photos.shape).permute(0, 3, 1, 2).to(images.device, torch.float32) / 255


def _encoded(photo: np.ndarray, quality: int) -> np.ndarray:
    """(H, W, C) uint8 -> (H, W) or (H, W, 3), after a round trip through JPEG."""
    stream = io.BytesIO()
    Image.fromarray(photo[..., 0] if photo.shape[2] == 1 else photo).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as file:
        return np.array(file)


def _shift(images: Tensor, distance: float, generators: Sequence[np.random.Generator]) -> Tensor:
    towards = _draws(images, generators, 1)[0] * 2 * math.pi
    steps = distance * _pixel(images) * torch.stack([towards.cos(), towards.sin()])
    return _moved(images, torch.zeros_like(towards), steps)


def _rotation(images: Tensor, degrees: float, generators: Sequence[np.random.Generator]) -> Tensor:
    angles = math.radians(degrees) * _either_way(images, generators).flatten()
    return _moved(images, angles, angles.new_zeros(2, len(angles)))


def _moved(images: Tensor, angles: Tensor, steps: Tensor) -> Tensor:
    """Turned by angles (N,) in radians and shifted by steps (2, N) in pixels; what comes in repeats the border."""
    height, width = images.shape[2:]
    cos, sin = angles.cos(), angles.sin()
    # affine_grid measures in half sides.
    x, y = steps[0] * 2 / width, steps[1] * 2 / height
    across, down = torch.stack([cos, -sin * height / width, x], 1), torch.stack([sin * width / height, cos, y], 1)
    grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
    # Linear interpolation would blur as well, which is another perturbation.
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _glare(images: Tensor, strength: float, generators: Sequence[np.random.Generator]) -> Tensor:
    """Light added in a soft ellipse along the rim: it bleaches the light face and greys printed ink.

    On real photos ink of 0.16 rises as much as the face around it, and the pips, holes of 0.04, a tenth of that.
    """
    place, distance, depth, length = _draws(images, generators, 4)[..., None, None]
    # In half sides: how far from the middle it lies, how far it reaches from there across and along the rim.
    out, across, along = 0.55 + 0.2 * distance, 0.12 + 0.1 * depth, 0.4 + 0.3 * length
    rows, columns = ((torch.arange(size, device=images.device) + 0.5) * 2 / size - 1 for size in images.shape[2:])
    cos, sin = (2 * math.pi * place).cos(), (2 * math.pi * place).sin()
    sideways = rows[:, None] * cos - columns * sin
    outwards = columns * cos + rows[:, None] * sin - out
    bent = outwards + sideways.square() / (2 * out)  # along a circle around the middle, as on a round edge
    radius = torch.hypot(bent / across, sideways / along)
    reflecting = ((gaussian_blur(images, kernel_size=5, sigma=1.0) - 0.04) / 0.12).clamp(0.1, 1)
    return images + strength * reflecting * torch.sigmoid(6 * (1 - radius))[:, None]


PERTURBATIONS: dict[str, Perturbation] = {
    "brightness": Perturbation(_brightness, (0.03, 0.06, 0.09, 0.13, 0.18), "grey levels of [0, 1], up or down"),
    "contrast": Perturbation(_contrast, (1.06, 1.12, 1.2, 1.3, 1.45), "times, or through, around mid-grey"),
    "gamma": Perturbation(_gamma, (1.1, 1.2, 1.35, 1.6, 2.0), "exponent, or one through it"),
    "blur": Perturbation(_blur, (0.4, 0.6, 0.8, 1.2, 1.6), "deviation of the Gaussian in pixels at 128"),
    "noise": Perturbation(_noise, (0.008, 0.015, 0.025, 0.045, 0.075), "deviation in grey levels of [0, 1]"),
    "jpeg": Perturbation(_jpeg, (60, 40, 25, 15, 10), "quality"),
    "shift": Perturbation(_shift, (1, 2, 3, 4.5, 6), "pixels at 128, any way"),
    "rotation": Perturbation(_rotation, (1, 2, 3, 5, 8), "degrees, either way"),
    "glare": Perturbation(_glare, (0.04, 0.08, 0.12, 0.18, 0.28), "grey levels of [0, 1], added along the rim"),
}
"""Name -> perturbation. Amounts in pixels are those of a photo of 128 pixels and grow with the image."""


def _pixel(images: Tensor) -> float:
    """How many pixels of these images are one of a photo of 128."""
    return min(images.shape[2:]) / 128


def _draws(images: Tensor, generators: Sequence[np.random.Generator], count: int) -> Tensor:
    """`count` draws from [0, 1) for each image: (count, N)."""
    return torch.tensor(np.stack([g.random(count) for g in generators], 1), dtype=images.dtype, device=images.device)


def _either_way(images: Tensor, generators: Sequence[np.random.Generator]) -> Tensor:
    """1 or -1 for each image: (N, 1, 1, 1)."""
    return torch.where(_draws(images, generators, 1)[0] < 0.5, -1.0, 1.0).view(-1, 1, 1, 1)
