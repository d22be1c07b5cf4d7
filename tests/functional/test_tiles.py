"""Tiles: every pixel is in one, and put together they are the picture again."""

from __future__ import annotations

import torch

from anodice.functional.tile_grid import tiled_length, tiles_along
from anodice.functional.tiles import cut, joined, one_tile_each


def test_tiles_of_two_images_come_image_by_image_and_row_by_row():
    images = torch.arange(2 * 30 * 44.0).view(2, 1, 30, 44)
    tiles = cut(images, 16)
    assert tiles.shape == (2 * 2 * 3, 1, 16, 16)
    assert torch.equal(tiles[0], images[0, :, :16, :16])
    assert torch.equal(tiles[1], images[0, :, :16, 14:30])
    assert torch.equal(tiles[3], images[0, :, 14:, :16])
    assert torch.equal(tiles[6], images[1, :, :16, :16])


def test_one_image_that_is_a_tile_stays_as_it_is():
    images = torch.rand(3, 1, 16, 16)
    assert torch.equal(cut(images, 16), images)
    assert torch.allclose(joined(images, 16, 16), images)


def test_one_tile_fades_into_the_next():
    tiles = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    line = joined(tiles, 16, 30)[0, 0, 5]
    assert line[:14].sum() == 0
    assert (line.diff() >= 0).all()
    assert (line[16:] == 1).all()
    assert 0 < line[14] < line[15] < 1


def test_a_random_tile_is_one_of_the_images_own():
    images = torch.rand(8, 3, 30, 16)
    for image, tile in zip(images, one_tile_each(images, 16), strict=True):
        assert any(torch.equal(tile, part) for part in cut(image[None], 16))


def test_lengths_that_tiles_make():
    assert [tiles_along(tiled_length(n, 64), 64) for n in (1, 2, 5)] == [1, 2, 5]
    assert tiles_along(63, 64) is tiles_along(65, 64) is None
