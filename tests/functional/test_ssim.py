"""SSIM against scikit-image and SciPy, multi-scale SSIM against its definition in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from anodice.errors import AnodiceError
from anodice.functional.ssim import C1, C2, WEIGHTS, gaussian_ssim_map, ms_ssim, ms_ssim_map, ssim_map, ssim_matrix


def _images(count, size=40, *, width=None, seed=0):
    """Soft blobs with a little noise, in 8-bit levels."""
    generator = np.random.default_rng(seed)
    noise = generator.random((count, size, width or size))
    soft = uniform_filter(noise, (0, 9, 9))
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return torch.from_numpy(np.round(255 * (0.9 * soft + 0.1 * noise)) / 255).float()[:, None]


def _array(image):
    return image[0].double().numpy()


def _plain_ms_ssim(x, y):
    """As sewar 0.4.4 computes it."""
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()

    def smooth(values):
        return convolve2d(values, window, mode="valid")

    product = 1
    for scale, weight in enumerate(WEIGHTS):
        mean_x, mean_y = smooth(x), smooth(y)
        variances = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
        similarity = (2 * (smooth(x * y) - mean_x * mean_y) + C2) / (variances + C2)
        if scale == 4:
            similarity = similarity * (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
        product = product * complex(similarity.mean()) ** weight
        x, y = uniform_filter(x, 2)[::2, ::2], uniform_filter(y, 2)[::2, ::2]
    return product.real


@pytest.mark.parametrize(("size", "width"), [(7, 7), (40, 40), (33, 50)])
def test_ssim_matrix_is_scikit_images_default(size, width):
    images, templates = _images(3, size, width=width), _images(2, size, width=width, seed=1)
    ours = ssim_matrix(images, templates, window=7, sample=True)
    theirs = [[structural_similarity(_array(x), _array(t), data_range=1.0) for t in templates] for x in images]
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-5)


def test_ssim_matrix_takes_a_window_of_eleven_pixels_and_plain_covariances():
    images, templates = _images(2), _images(2, seed=1)
    ours = ssim_matrix(images, templates, window=11, sample=False)
    settings = {"win_size": 11, "use_sample_covariance": False, "data_range": 1.0}
    theirs = [[structural_similarity(_array(x), _array(t), **settings) for t in templates] for x in images]
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("count", "templates"), [(1, 4), (4, 1), (1, 1), (70, 2)])
def test_ssim_matrix_takes_any_numbers_of_images_and_templates(count, templates):
    images, others = _images(count, 12), _images(templates, 12, seed=1)
    kept = images.clone(), others.clone()
    ours = ssim_matrix(images, others, window=7, sample=True)
    theirs = [[structural_similarity(_array(x), _array(t), data_range=1.0) for t in others] for x in images]
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-5)
    assert torch.equal(images, kept[0])
    assert torch.equal(others, kept[1])


@pytest.mark.parametrize("sigma", [0.8, 1.5, 2.0])
@pytest.mark.parametrize("shape", [(2, 1, 40, 40), (35, 1, 20, 26), (3, 3, 24, 16)])
def test_gaussian_ssim_map_is_that_of_torchmetrics_borders_included(sigma, shape):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=generator)
    others = (images + 0.3 * torch.rand(shape, generator=generator)).clamp(0, 1)
    _, theirs = structural_similarity_index_measure(
        others.double(), images.double(), sigma=sigma, data_range=1.0, reduction="none", return_full_image=True
    )
    ours = gaussian_ssim_map(images, others, sigma=sigma)
    torch.testing.assert_close(ours, theirs.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.9])
def test_gaussian_ssim_map_of_flat_places_keeps_its_digits(level):
    generator = torch.Generator().manual_seed(0)
    images, others = (level + 0.02 * torch.rand(2, 1, 32, 32, generator=generator) for _ in range(2))
    ours = gaussian_ssim_map(images, others, sigma=1.5)
    for k in range(2):
        x, y = (np.pad(_array(side[k]), 5, mode="reflect") for side in (images, others))
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        _, theirs = structural_similarity(x, y, full=True, **settings)
        np.testing.assert_allclose(ours[k, 0].numpy(), theirs[5:-5, 5:-5], rtol=0, atol=5e-5)


def test_an_image_has_no_gaussian_map_where_the_window_does_not_fit():
    with pytest.raises(AnodiceError, match="at least 6 x 6 pixels for SSIM, got 5 x 9"):
        gaussian_ssim_map(torch.rand(1, 1, 5, 9), torch.rand(1, 1, 5, 9), sigma=1.5)


def test_flat_white_images_are_alike():
    white = torch.ones(1, 1, 20, 20)
    torch.testing.assert_close(ssim_matrix(white, white, window=7, sample=True), torch.ones(1, 1), rtol=0, atol=1e-4)


def test_ssim_matrix_is_the_same_for_many_images_as_for_each():
    images, templates = _images(9, 128), _images(5, 128, seed=1)
    each = torch.cat([ssim_matrix(image[None], templates, window=7, sample=True) for image in images])
    torch.testing.assert_close(ssim_matrix(images, templates, window=7, sample=True), each)


@pytest.mark.parametrize(("window", "sample"), [(7, True), (11, False)])
def test_ssim_map_has_the_size_of_the_image_and_averages_to_the_matrix(window, sample):
    images, templates = _images(3), _images(3, seed=1)
    maps = ssim_map(images, templates, window=window, sample=sample)
    assert maps.shape == images.shape
    inner = slice(window // 2, -(window // 2))
    expected = ssim_matrix(images, templates, window=window, sample=sample).diagonal()
    torch.testing.assert_close(maps[..., inner, inner].mean((1, 2, 3)), expected)


def test_ssim_map_is_low_where_the_images_differ():
    images = _images(1)
    changed = images.clone()
    changed[..., 5:9, 30:34] = 1 - changed[..., 5:9, 30:34]
    maps = ssim_map(images, changed, window=7, sample=True)
    assert maps[0, 0, 7, 32] < 0.5
    assert maps[0, 0, 25, 10] == pytest.approx(1, abs=1e-5)


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(AnodiceError, match="at least 7 x 7 pixels for SSIM, got 6 x 9"):
        ssim_matrix(torch.rand(1, 1, 6, 9), torch.rand(1, 1, 6, 9), window=7, sample=True)


# At 64 the last two scales are smaller than the window, at 176 none is; 90 gives odd sizes.
@pytest.mark.parametrize("size", [64, 90, 128, 176])
def test_ms_ssim_is_the_definition_also_where_a_scale_is_smaller_than_the_window(size):
    images, others = _images(3, size), _images(3, size, seed=1)
    others = torch.round(255 * (0.7 * images + 0.3 * others)) / 255
    expected = [_plain_ms_ssim(_array(x), _array(y)) for x, y in zip(images, others, strict=True)]
    np.testing.assert_allclose(ms_ssim(images, others).numpy(), expected, rtol=0, atol=5e-6)


def test_ms_ssim_of_opposites_takes_the_real_part_of_complex_powers():
    images = _images(3, 128)
    expected = [_plain_ms_ssim(_array(x), 1 - _array(x)) for x in images]
    assert min(expected) < 0
    np.testing.assert_allclose(ms_ssim(images, 1 - images).numpy(), expected, rtol=0, atol=1e-4)


def test_ms_ssim_takes_one_reference_for_all_images():
    images = _images(3, 64)
    each = torch.cat([ms_ssim(image[None], images[:1]) for image in images])
    torch.testing.assert_close(ms_ssim(images, images[:1]), each)
    assert each[0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", [64, 128, 176])
def test_ms_ssim_map_lies_in_the_unit_range_and_is_low_where_the_images_differ(size):
    images = _images(2, size)
    changed = images.clone()
    changed[..., :16, :16] = 1 - changed[..., :16, :16]
    maps = ms_ssim_map(images, changed)
    assert maps.shape == images.shape
    assert 0 <= maps.min() <= maps.max() <= 1
    assert (maps[..., 4:12, 4:12].mean((1, 2, 3)) + 0.2 < maps[..., -12:, -12:].mean((1, 2, 3))).all()
