"""The Fourier distance against scikit-image, SciPy and its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import fft
from skimage.exposure import adjust_gamma, adjust_log

from anodice.baselines.spectra import fourier_distances, fourier_map, preprocess, row_spectrum
from anodice.errors import AnodiceError


def _images(count, size=128, *, seed=0):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def _plain_spectrum(image):
    bright = adjust_log(adjust_gamma(image, 1.1, gain=1.001), gain=1.001)
    return np.abs(fft(bright[15:113, 15:113]))


def test_the_preparation_is_scikit_images():
    images = _images(2)
    expected = [
        adjust_log(adjust_gamma(image[0].double().numpy(), 1.1, gain=1.001), gain=1.001)[15:113, 15:113]
        for image in images
    ]
    np.testing.assert_allclose(preprocess(images).numpy(), expected, rtol=0, atol=1e-6)


def test_the_distance_is_the_formula():
    images, templates = _images(3), _images(2, seed=1)
    ours = fourier_distances(row_spectrum(images), row_spectrum(templates))
    for i, image in enumerate(images):
        for k, template in enumerate(templates):
            a, b = _plain_spectrum(image[0].double().numpy()), _plain_spectrum(template[0].double().numpy())
            expected = np.linalg.norm((a - b)[15:83, 0:3]) + np.linalg.norm((a - b)[15:83, -16:])
            assert ours[i, k].item() == pytest.approx(expected, rel=1e-5)


def test_equal_images_have_no_distance():
    spectra = row_spectrum(_images(3))
    assert torch.equal(fourier_distances(spectra, spectra).diagonal(), torch.zeros(3))


@pytest.mark.parametrize("size", [64, 100, 128, 256])
def test_a_map_sums_to_the_distance_and_has_the_size_of_the_image(size):
    spectra, templates = row_spectrum(_images(3, size)), row_spectrum(_images(3, size, seed=1))
    maps = fourier_map(spectra, templates, image_size=(size, size))
    assert maps.shape == (3, 1, size, size)
    torch.testing.assert_close(maps.sum((1, 2, 3)), fourier_distances(spectra, templates).diagonal(), rtol=1e-4, atol=0)


def test_a_map_shows_the_rows_that_differ_and_is_zero_for_equal_images():
    images = _images(1)
    changed = images.clone()
    changed[..., 50:54, 40:60] = 0
    maps = fourier_map(row_spectrum(changed), row_spectrum(images), image_size=(128, 128))
    rows = maps[0, 0].sum(1)
    assert rows[50:54].min() > 0
    assert rows[:50].max() == rows[54:].max() == 0
    same = fourier_map(row_spectrum(images), row_spectrum(images), image_size=(128, 128))
    assert torch.equal(same, torch.zeros_like(same))


def test_the_crop_grows_with_the_image():
    assert preprocess(_images(1, 256)).shape == (1, 196, 196)
    assert preprocess(torch.rand(1, 1, 64, 128)).shape == (1, 48, 98)


def test_images_too_narrow_for_the_frequencies_are_refused():
    assert preprocess(_images(1, 25)).shape[2] == 19
    with pytest.raises(AnodiceError, match="at least 25 pixels wide for the Fourier distance, got 24"):
        preprocess(_images(1, 24))
