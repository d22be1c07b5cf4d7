"""Residual maps against their formulas and, for SSIM, against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from anodice.errors import AnodiceError
from anodice.scoring.residuals import L1, L2, SSIM, TolerantL1

RESIDUALS = [L1(), L2(), TolerantL1(radius=2), SSIM(sigma=1.5)]


def _pair(count=3, channels=1, size=40):
    """Smooth-ish images and something near them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, channels, size, size, generator=generator)
    noise = torch.rand(images.shape, generator=generator) - 0.5
    return images, (images + 0.4 * noise).clamp(0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("residual", RESIDUALS, ids=lambda residual: type(residual).__name__)
def test_maps_have_one_channel_and_are_zero_where_nothing_differs(residual, channels):
    images, reconstructions = _pair(channels=channels)
    assert residual(images, reconstructions).shape == (3, 1, 40, 40)
    torch.testing.assert_close(residual(images, images), torch.zeros(3, 1, 40, 40), rtol=0, atol=1e-4)


def test_l1_is_the_absolute_difference_averaged_over_the_channels():
    images = torch.tensor([[0.1, 0.9], [0.5, 0.5]]).reshape(1, 2, 1, 2)
    reconstructions = torch.tensor([[0.3, 0.4], [0.5, 0.6]]).reshape(1, 2, 1, 2)
    torch.testing.assert_close(L1()(images, reconstructions), torch.tensor([0.1, 0.3]).reshape(1, 1, 1, 2))


def test_l2_is_the_squared_difference_averaged_over_the_channels():
    images = torch.tensor([[0.1, 0.9], [0.5, 0.5]]).reshape(1, 2, 1, 2)
    reconstructions = torch.tensor([[0.3, 0.4], [0.5, 0.6]]).reshape(1, 2, 1, 2)
    torch.testing.assert_close(L2()(images, reconstructions), torch.tensor([0.02, 0.13]).reshape(1, 1, 1, 2))


@pytest.mark.parametrize("sigma", [0.8, 1.5, 2.0])
def test_ssim_agrees_with_scikit_image_away_from_the_border(sigma):
    images, reconstructions = _pair()
    ours = 1 - SSIM(sigma=sigma)(images, reconstructions)
    radius = int(3.5 * sigma + 0.5)  # both cut the Gaussian off here, and pad differently
    for k in range(len(images)):
        x, y = images[k, 0].double().numpy(), reconstructions[k, 0].double().numpy()
        settings = {"gaussian_weights": True, "sigma": sigma, "use_sample_covariance": False, "data_range": 1.0}
        _, theirs = structural_similarity(x, y, full=True, **settings)
        inner = slice(radius, -radius)
        np.testing.assert_allclose(ours[k, 0, inner, inner].numpy(), theirs[inner, inner], rtol=0, atol=1e-4)


def test_ssim_of_an_inverted_image_exceeds_one():
    images, _ = _pair()
    values = SSIM(sigma=1.5)(images, 1 - images)
    assert 1 < values.mean() < values.amax() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_tolerant_l1_of_radius_zero_is_l1(channels):
    pair = _pair(channels=channels)
    torch.testing.assert_close(TolerantL1(radius=0)(*pair), L1()(*pair))


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (-2, 2)])
def test_tolerant_l1_forgives_a_shift_within_its_radius(shift):
    images = torch.zeros(1, 1, 20, 20)
    images[..., 8:12, 8:12] = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    shifted = images.roll(shift, dims=(2, 3))
    assert TolerantL1(radius=2)(images, shifted).amax() == 0
    assert TolerantL1(radius=0)(images, shifted).amax() > 0


def test_tolerant_l1_charges_what_lies_beyond_its_radius():
    images = torch.zeros(1, 1, 9, 9)
    images[..., 4, 4] = 1
    assert TolerantL1(radius=2)(images, images.roll(3, dims=3))[0, 0, 4, 4] == 1


@pytest.mark.parametrize("mark", [0.0, 1.0], ids=["dark", "light"])
def test_tolerant_l1_charges_a_new_mark_in_full(mark):
    reconstructions = torch.full((1, 1, 9, 9), 0.4)
    images = reconstructions.clone()
    images[..., 4, 4] = mark
    costs = TolerantL1(radius=2)(images, reconstructions)
    torch.testing.assert_close(costs, L1()(images, reconstructions))


@pytest.mark.parametrize("radius", [-1, 1.5, "2", None])
def test_a_radius_that_is_no_number_of_pixels_is_refused(radius):
    with pytest.raises(AnodiceError, match=rf"score.residual.radius .* at least 0, got {radius!r}"):
        TolerantL1(radius=radius)


@pytest.mark.parametrize("sigma", [0, -1.5, float("nan")])
def test_a_window_without_width_is_refused(sigma):
    with pytest.raises(AnodiceError, match=r"score.residual.sigma above 0 pixels, got"):
        SSIM(sigma=sigma)
