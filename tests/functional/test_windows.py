"""Means over windows and Gaussian smoothing, against SciPy and torchvision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torchvision.transforms.v2 import functional

from anodice.errors import AnodiceError
from anodice.functional.windows import (
    Mirrored,
    gaussian_blur,
    gaussian_taps,
    one_by_one,
    side_by_side,
    tiles,
    uniform_taps,
    window_means,
)


def _images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _back(values):
    images = torch.full((values.shape[2], 1, *values.shape[:2]), torch.nan)
    one_by_one(values, out=images)
    return images


@pytest.mark.parametrize("shape", [(1, 1, 7, 9), (5, 1, 12, 9), (2, 3, 9, 12)])
def test_side_by_side_and_back_are_the_images_in_memory_of_their_own(shape):
    images = _images(*shape)
    values = side_by_side(images)
    assert values.shape == (*shape[2:], shape[0] * shape[1])
    assert torch.equal(_back(values), images.flatten(0, 1)[:, None])
    kept = images.clone()
    values.zero_()
    assert torch.equal(images, kept)


@pytest.mark.parametrize("margin", [0, 1, 6])
def test_a_margin_mirrors_the_values_that_were_written_last(margin):
    mirrored = Mirrored(torch.empty(7, 9, 4), margin=margin)
    for seed in range(2):
        values = torch.rand(7, 9, 4, generator=torch.Generator().manual_seed(seed))
        mirrored.inner.copy_(values)
        expected = np.pad(values.numpy(), ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        np.testing.assert_array_equal(mirrored.filled().numpy(), expected)


@pytest.mark.parametrize("taps", [uniform_taps(7), gaussian_taps(1.5, 3)], ids=["uniform", "gaussian"])
@pytest.mark.parametrize("shape", [(1, 1, 7, 9), (20, 1, 12, 9)])
def test_window_means_are_scipys(taps, shape):
    images = _images(*shape)
    found = _back(window_means(side_by_side(images), taps, plus=0.5))
    weights = taps.double().numpy()
    expected = correlate1d(correlate1d(images.double().numpy(), weights, axis=2), weights, axis=3)[..., 3:-3, 3:-3]
    np.testing.assert_allclose(found.numpy(), expected + 0.5, rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 33])
def test_an_image_has_the_same_means_whatever_lies_beside_it(count):
    values = side_by_side(_images(40, 1, 20, 20))
    alone = values[..., :count].contiguous()
    taps = gaussian_taps(1.5, 5)
    assert torch.equal(window_means(alone, taps), window_means(values, taps)[..., :count])


def test_window_means_keep_their_precision_under_autocast():
    values = side_by_side(_images(16, 1, 12, 12))
    plain = window_means(values, uniform_taps(7))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(window_means(values, uniform_taps(7)), plain)
    assert plain.dtype == torch.float32


@pytest.mark.parametrize("sigma", [0.7, 1.0, 4.0])
@pytest.mark.parametrize("shape", [(1, 1, 40, 33), (70, 1, 16, 16), (2, 3, 20, 24)])
def test_gaussian_blur_is_torchvisions(sigma, shape):
    images = _images(*shape)
    size = 2 * math.ceil(3 * sigma) + 1
    expected = functional.gaussian_blur(images, kernel_size=size, sigma=sigma)
    torch.testing.assert_close(gaussian_blur(images, sigma=sigma), expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 95, 200])
def test_tiles_of_one_size_cover_all(count):
    size, starts = tiles(count, 32)
    assert size <= 32
    assert len(starts) == math.ceil(count / 32)
    assert {k for start in starts for k in range(start, start + size)} == set(range(count))


def test_images_smaller_than_what_smooths_them_are_refused_in_words():
    with pytest.raises(AnodiceError, match=r"expected images of more than 12 pixels a side to smooth .* got 12 x 40"):
        gaussian_blur(_images(1, 1, 12, 40), sigma=4.0)
