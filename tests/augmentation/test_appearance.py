"""The augmentation: changes of light, sharpness and pose, as large as they are said to be, each for its images."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2.functional import gaussian_blur

from anodice.augmentation import appearance
from anodice.augmentation.appearance import Augmentation

ALL = {
    "brightness": 0.1,
    "contrast": 0.2,
    "shift": 2.0,
    "rotation": 10.0,
    "gamma": 0.3,
    "glare": 0.3,
    "blur": 1.0,
    "noise": 0.05,
}
NONE = dict.fromkeys(ALL, 0.0)


def _images(count=4, channels=1, size=32):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def _augment(images, **changes):
    return Augmentation(**(NONE | changes))(images)


def _centre_of_mass(image):
    """Column and row of the mean bright pixel."""
    axis = torch.arange(image.shape[-1], dtype=torch.float32)
    return (image.sum((0, 1)) @ axis / image.sum()).item(), (image.sum((0, 2)) @ axis / image.sum()).item()


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_keeps_shape_type_and_range(channels):
    images = _images(channels=channels)
    augmented = _augment(images, **ALL)
    assert (augmented.shape, augmented.dtype) == (images.shape, images.dtype)
    assert 0 <= augmented.amin() <= augmented.amax() <= 1


def test_augmentation_of_zero_is_the_identity():
    images = _images()
    torch.testing.assert_close(_augment(images), images, rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_each_kind_of_augmentation_draws_for_each_image(name):
    torch.manual_seed(0)
    augmented = _augment(_images(count=1).expand(8, -1, -1, -1), **{name: ALL[name]})
    different = len({tuple(image.flatten().tolist()) for image in augmented})
    assert different == 4 + 1  # half of the images are as they were


@pytest.mark.parametrize("name", ALL)
def test_each_kind_changes_every_other_image_the_even_or_the_odd_ones(name):
    torch.manual_seed(0)
    images, seen = _images(count=7), set()
    for _ in range(16):
        changed = (_augment(images, **{name: ALL[name]}) != images).flatten(1).any(1).tolist()
        seen.add(tuple(changed))
    even = tuple(k % 2 == 0 for k in range(7))
    assert seen == {even, tuple(not each for each in even)}


@pytest.mark.parametrize("name", ALL)
def test_augmentation_follows_the_seed_of_torch(name):
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(_augment(_images(), **{name: ALL[name]}))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("name", ALL)
def test_a_large_batch_is_changed_a_few_images_at_a_time_to_the_same(name, monkeypatch):
    images, changed = _images(count=7, channels=3), []
    for few in (1, 2, 100):
        monkeypatch.setattr(appearance, "_PIXELS_AT_A_TIME", few * images[0].numel())
        torch.manual_seed(0)
        changed.append(_augment(images, **{name: ALL[name]}))
    assert torch.equal(changed[0], changed[2])
    assert torch.equal(changed[1], changed[2])


def test_images_may_lie_in_memory_in_any_order():
    images = _images(channels=3)
    changed = []
    for given in (images, images.to(memory_format=torch.channels_last)):
        torch.manual_seed(0)
        changed.append(_augment(given, **ALL))
    torch.testing.assert_close(changed[0], changed[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_moving_is_that_of_affine_grid_within_a_hundred_thousandth(size):
    torch.manual_seed(0)
    images = torch.rand(6, 1, *size)
    torch.manual_seed(1)
    moved = _augment(images, shift=3.0, rotation=20.0)
    torch.manual_seed(1)
    angle, x, y = (torch.rand(6) * 2 - 1 for _ in range(3))
    angle, x, y = math.radians(20) * angle, 3 * 2 / size[1] * x, 3 * 2 / size[0] * y
    matrix = torch.stack([angle.cos(), -angle.sin(), x, angle.sin(), angle.cos(), y], 1).reshape(6, 2, 3)
    grid = F.affine_grid(matrix, [6, 1, *size], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    changed = (moved != images).flatten(1).any(1)
    assert changed.sum() == 3
    torch.testing.assert_close(moved[changed], expected[changed], rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_blur_mixes_in_the_gaussian_of_torchvision(channels):
    images = _images(channels=channels, count=8)
    torch.manual_seed(1)
    blurred = _augment(images, blur=1.0)
    torch.manual_seed(1)
    share = (torch.rand(8) * 2 - 1).abs()[:, None, None, None]
    expected = torch.lerp(images, gaussian_blur(images, kernel_size=5, sigma=1.0), share)
    changed = (blurred != images).flatten(1).any(1)
    assert changed.sum() == 4
    torch.testing.assert_close(blurred[changed], expected[changed], rtol=0, atol=1e-6)


def test_augmentation_leaves_its_input_alone():
    images = _images()
    before = images.clone()
    _augment(images, **ALL)
    assert torch.equal(images, before)


def test_brightness_adds_at_most_so_many_grey_levels():
    grey = torch.full((200, 1, 4, 4), 0.5)
    change = _augment(grey, brightness=0.1)[:, 0, 0, 0] - 0.5
    assert 0.09 < change.amax() <= 0.1 + 1e-6
    assert -0.1 - 1e-6 <= change.amin() < -0.09


def test_contrast_turns_about_mid_grey():
    images = torch.tensor([0.25, 0.5, 0.75]).expand(200, 1, 1, 3)
    dark, middle, bright = _augment(images, contrast=0.4)[:, 0, 0].unbind(1)
    torch.testing.assert_close(middle, torch.full((200,), 0.5))
    torch.testing.assert_close(bright - middle, middle - dark)
    assert 0.25 * 0.6 - 1e-6 <= (bright - middle).amin() < (bright - middle).amax() <= 0.25 * 1.4 + 1e-6


def test_shift_moves_by_at_most_so_many_pixels_along_each_axis():
    images = torch.zeros(200, 1, 33, 33)
    images[:, :, 16, 16] = 1
    centres = torch.tensor([_centre_of_mass(image) for image in _augment(images, shift=5.0)])
    distances = (centres - 16).abs().amax(0)
    assert (distances > 4.5).all()
    assert (distances <= 5 + 1e-3).all()


def test_moving_brings_no_dark_edge_into_the_image():
    white = torch.ones(8, 1, 16, 16)
    torch.testing.assert_close(_augment(white, shift=4.0, rotation=20.0), white)


def test_rotation_turns_about_the_centre_by_at_most_so_many_degrees():
    images = torch.zeros(200, 1, 65, 65)
    images[:, :, 31:34, 56:59] = 1  # 25 pixels to the right of the centre
    x, y = torch.tensor([_centre_of_mass(image) for image in _augment(images, rotation=20.0)]).unbind(1)
    angles = torch.rad2deg(torch.atan2(y - 32, x - 32)).abs()
    assert 18 < angles.amax() <= 20.2
    torch.testing.assert_close(torch.hypot(x - 32, y - 32), torch.full((200,), 25.0), rtol=0, atol=0.3)


def test_glare_only_brightens_and_only_half_of_the_images():
    images = torch.full((200, 1, 32, 32), 0.5)
    added = _augment(images, glare=0.3) - images
    assert 0 <= added.amin() < added.amax() <= 0.3
    assert (added.amax((1, 2, 3)) > 1e-6).sum() == 100


def test_blur_takes_detail_away_and_keeps_the_mean():
    images = _images(count=20)
    blurred = _augment(images, blur=1.0)
    assert (blurred.std((1, 2, 3)) < images.std((1, 2, 3))).sum() == 10
    torch.testing.assert_close(blurred.mean(), images.mean(), rtol=0.02, atol=0)


def test_gamma_keeps_black_and_white():
    images = torch.tensor([0.0, 1.0]).expand(3, 1, 4, 2)
    torch.testing.assert_close(_augment(images, gamma=0.5), images, rtol=0, atol=1e-2)
