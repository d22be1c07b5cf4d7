"""Finding glare and painting over it."""

from __future__ import annotations

import pytest
import torch

from anodice.baselines.glare import glare_mask, inpaint, remove_glare


def _with_spot(size=128, *, level=0.5):
    """A grey image with a white spot of an eighth of its side."""
    images = torch.full((1, 1, size, size), level)
    images[..., size // 4 : size * 3 // 8, size // 4 : size * 3 // 8] = 1
    return images


@pytest.mark.parametrize("size", [32, 64, 128, 200, 256])
def test_a_white_spot_disappears_in_a_grey_image(size):
    images = _with_spot(size)
    assert glare_mask(images).any()
    filled = remove_glare(images)
    assert not glare_mask(filled).any()
    assert filled[images == 1].mean() < 0.75


@pytest.mark.parametrize(("level", "glare"), [(200, False), (201, True)])
def test_glare_begins_above_level_200(level, glare):
    assert glare_mask(torch.full((1, 1, 128, 128), level / 255)).all() == glare


def test_a_single_white_pixel_is_no_glare():
    images = torch.full((1, 1, 128, 128), 0.5)
    images[..., 60, 60] = 1
    assert torch.equal(remove_glare(images), images)


def test_known_pixels_stay_as_they_are():
    images = torch.rand(3, 1, 20, 30, generator=torch.Generator().manual_seed(0))
    unknown = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) > 0.5
    filled = inpaint(images, unknown)
    assert torch.equal(filled[~unknown], images[~unknown])


def test_unknown_pixels_do_not_matter():
    images = torch.rand(3, 1, 20, 30, generator=torch.Generator().manual_seed(0))
    unknown = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) > 0.2
    torch.testing.assert_close(inpaint(images, unknown), inpaint(images.masked_fill(unknown, 9), unknown))


def test_filled_pixels_lie_between_the_known_ones():
    images = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    unknown = torch.zeros(images.shape, dtype=torch.bool)
    unknown[..., 4:20, 4:20] = True
    filled = inpaint(images, unknown)[unknown]
    assert images[~unknown].min() <= filled.min() <= filled.max() <= images[~unknown].max()


def test_each_side_of_an_edge_is_filled_with_its_own_grey():
    images = torch.zeros(1, 1, 40, 40)
    images[..., 20:] = 1
    unknown = torch.zeros(images.shape, dtype=torch.bool)
    unknown[..., 15:25, :] = True
    filled = inpaint(images, unknown)
    assert filled[..., :15].max() < 0.1
    assert filled[..., 25:].min() > 0.9


def test_a_layer_is_filled_with_weights_of_the_cubed_distance():
    images = torch.tensor([0.0, 0.0, 1.0, 9.0, 0.0, 0.0, 0.0]).view(1, 1, 1, 7)
    unknown = images == 9
    near, far = 1, 2**-3 + 3**-3
    expected = near / (2 * near + 2 * far)
    assert inpaint(images, unknown)[..., 3].item() == pytest.approx(expected, rel=1e-6)


def test_an_image_of_nothing_but_glare_stays_as_it_is_and_leaves_its_neighbours_alone():
    images = torch.cat([torch.ones(1, 1, 128, 128), _with_spot()])
    filled = remove_glare(images)
    assert torch.equal(filled[0], images[0])
    torch.testing.assert_close(filled[1:], remove_glare(images[1:]))
