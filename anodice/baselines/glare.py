"""Removing glare: what is close to white is painted over with the grey levels around it.

Images are (N, 1, H, W) float32 in [0, 1]. The steps are those of an earlier project, which used OpenCV.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

LEVEL = 200 / 255
"""Brighter than this after blurring is glare."""
WINDOW = 5
"""Side of the blur in pixels of a 128 x 128 image; it grows with the image."""
RADIUS = 3
"""How far painting over looks for known pixels, in pixels."""

# OpenCV's windows for sides up to 7 pixels, where no deviation is given.
_WINDOWS = {
    3: (0.25, 0.5, 0.25),
    5: (0.0625, 0.25, 0.375, 0.25, 0.0625),
    7: (0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125),
}


def remove_glare(images: Tensor) -> Tensor:
    """Paint over the glare, see `glare_mask` and `inpaint`; an image without glare, or of nothing else, stays as it is.

    >>> remove_glare(torch.full((1, 1, 8, 8), 0.5)).unique().item()
    0.5
    """
    return inpaint(images, glare_mask(images))


def glare_mask(images: Tensor) -> Tensor:
    """Where an image, blurred and rounded to 8 bits, exceeds `LEVEL`: (N, 1, H, W) bool."""
    side = 2 * round((WINDOW - 1) / 2 * min(images.shape[2:]) / 128) + 1
    return (_blur(images, side) * 255).add(0.5).floor() > LEVEL * 255


def inpaint(images: Tensor, unknown: Tensor) -> Tensor:
    """Fill the `unknown` pixels from the rim inwards, a layer of pixels at a time.

    Each becomes the mean of the known pixels and those already filled within `RADIUS`, weighted by 1 / distance³ as in
    Telea (2004), whose weights for direction and level are left out. An image unknown everywhere stays as it is.

    Args:
        unknown: (N, 1, H, W) bool.

    >>> images = torch.tensor([[[[0.2, 1.0, 0.2]]]])
    >>> inpaint(images, images == 1).flatten().tolist()
    [0.20000000298023224, 0.20000000298023224, 0.20000000298023224]
    """
    if torch.compiler.is_exporting():
        return _inpaint_in_graph(images, unknown)
    # A margin that is never known and never filled keeps every neighbour inside one long row of pixels.
    margin = (RADIUS,) * 4
    values = F.pad(images, margin)
    width = values.shape[3]
    known = F.pad(~unknown, margin).flatten()
    waiting = F.pad(unknown, margin).flatten()
    flat = values.flatten()
    offsets, weights = _neighbours(width, images)
    touching = torch.tensor([-width, -1, 1, width], device=images.device)

    layer = waiting.nonzero()[:, 0]
    layer = layer[known[layer[:, None] + touching].any(1)]
    while len(layer) > 0:
        near = layer[:, None] + offsets
        shares = weights * known[near]
        flat[layer] = (flat[near] * shares).sum(1) / shares.sum(1)
        known[layer], waiting[layer] = True, False
        layer = (layer[:, None] + touching).flatten()
        layer = layer[waiting[layer]].unique()
    return flat.view_as(values)[..., RADIUS:-RADIUS, RADIUS:-RADIUS]


def _inpaint_in_graph(images: Tensor, unknown: Tensor) -> Tensor:
    """The same over whole images at each layer: a graph knows no lists of pixels whose length the photos tell."""
    from torch._higher_order_ops.while_loop import while_loop

    square = _squares(images.device).to(images.dtype)
    touching = (square == 1).to(images)[None, None]
    weights = torch.where((square > 0) & (square <= RADIUS**2), square.clamp_min(1) ** -1.5, 0)[None, None]

    def layer(known: Tensor) -> Tensor:
        return (known == 0) & (F.conv2d(known, touching, padding=RADIUS) > 0)

    def any_left(values: Tensor, known: Tensor) -> Tensor:
        return layer(known).any()

    def filled(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        next_layer, shares = layer(known), F.conv2d(known, weights, padding=RADIUS)
        means = F.conv2d(values * known, weights, padding=RADIUS) / shares.clamp_min(1e-6)
        return torch.where(next_layer, means, values), known + next_layer.to(known)

    return while_loop(any_left, filled, (images.clone(), (~unknown).to(images)))[0]


def _blur(images: Tensor, side: int) -> Tensor:
    if side == 1:
        return images
    if side not in _WINDOWS:
        return gaussian_blur(images, kernel_size=side, sigma=0.3 * ((side - 1) * 0.5 - 1) + 0.8)
    window = torch.tensor(_WINDOWS[side], device=images.device)
    padded = F.pad(images, (side // 2,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))


def _neighbours(width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Steps to the pixels within `RADIUS` in rows of `width`, and their weights."""
    axis = torch.arange(-RADIUS, RADIUS + 1, device=like.device)
    square = _squares(like.device)
    inside = (square > 0) & (square <= RADIUS**2)
    return (axis[:, None] * width + axis)[inside], square[inside].to(like.dtype) ** -1.5


def _squares(device: torch.device) -> Tensor:
    """The squared distances of the pixels of a square window from its middle, up to `RADIUS` rows and columns away."""
    axis = torch.arange(-RADIUS, RADIUS + 1, device=device)
    return axis[:, None].square() + axis.square()
