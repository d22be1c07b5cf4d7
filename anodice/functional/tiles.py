"""Large images as tiles that overlap a little, and what was found on tiles as one picture again."""

from __future__ import annotations

import torch
from torch import Tensor

from anodice.functional.tile_grid import tile_step


def cut(images: Tensor, size: int) -> Tensor:
    """Images (N, C, H, W) -> their tiles (N * R * K, C, size, size), image by image and row by row.

    >>> cut(torch.zeros(2, 1, 240, 128), 128).shape
    torch.Size([4, 1, 128, 128])
    """
    step = tile_step(size)
    parts = images.unfold(2, size, step).unfold(3, size, step)
    return parts.permute(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1], size, size)


def one_tile_each(images: Tensor, size: int) -> Tensor:
    """A random tile of each image: (N, C, H, W) -> (N, C, size, size), from torch's global generator."""
    tiles = cut(images, size).unflatten(0, (len(images), -1))
    chosen = torch.randint(tiles.shape[1], (len(images),), device=images.device)
    return tiles[torch.arange(len(images), device=images.device), chosen]


def joined(tiles: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `cut` for pictures (N * R * K, C, size, size); where tiles overlap, one fades into the other.

    >>> images = torch.rand(2, 3, 44, 72)
    >>> torch.allclose(joined(cut(images, 16), 44, 72), images)
    True
    """
    size, step = tiles.shape[2], tile_step(tiles.shape[2])
    rows, columns = (height - size) // step + 1, (width - size) // step + 1
    parts = tiles.unflatten(0, (-1, rows, columns))
    line = torch.arange(1, size + 1, device=tiles.device, dtype=tiles.dtype)
    ramp = torch.minimum(line, line.flip(0)).clamp_max(size - step + 1)
    weight = ramp[:, None] * ramp
    total = tiles.new_zeros(parts.shape[0], tiles.shape[1], height, width)
    weights = tiles.new_zeros(height, width)
    for row in range(rows):
        for column in range(columns):
            down, across = slice(row * step, row * step + size), slice(column * step, column * step + size)
            total[:, :, down, across] += parts[:, row, column] * weight
            weights[down, across] += weight
    return total / weights
