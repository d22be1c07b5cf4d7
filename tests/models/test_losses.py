"""The reconstruction losses against their formulas and, for SSIM, against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from anodice.errors import AnodiceError
from anodice.models.losses import reconstruction_loss

NAMES = ("l1", "mse", "l2", "bce", "ssim")


def _pair(count=3, channels=1, height=40, width=40):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, channels, height, width, generator=generator)
    noise = torch.rand(images.shape, generator=generator) - 0.5
    return (images + 0.4 * noise).clamp(0, 1), images


def _arrays(pair):
    return [tensor.double().numpy() for tensor in pair]


def test_l1_is_the_mean_absolute_difference():
    r, x = _arrays(_pair())
    assert reconstruction_loss("l1")(*_pair()).item() == pytest.approx(np.abs(r - x).mean())


def test_mse_is_the_mean_squared_difference():
    r, x = _arrays(_pair())
    assert reconstruction_loss("mse")(*_pair()).item() == pytest.approx(((r - x) ** 2).mean())


def test_l2_is_half_the_sum_over_the_batch():
    r, x = _arrays(_pair())
    assert reconstruction_loss("l2")(*_pair()).item() == pytest.approx(0.5 * ((r - x) ** 2).sum())


def test_bce_is_the_cross_entropy_of_clamped_probabilities():
    pair = _pair()
    r, x = _arrays(pair)
    r = r.clip(1e-7, float(np.float32(1 - 1e-7)))
    expected = -(x * np.log(r) + (1 - x) * np.log(1 - r)).mean()
    assert reconstruction_loss("bce")(*pair).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("worst", [0.0, 1.0])
def test_bce_of_the_opposite_is_large_and_finite(worst):
    images = torch.full((1, 1, 4, 4), 1 - worst)
    assert reconstruction_loss("bce")(torch.full_like(images, worst), images).item() == pytest.approx(
        -math.log(1e-7), rel=0.02
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (11, 30), (64, 33)])
def test_ssim_agrees_with_scikit_image_where_the_window_fits(channels, height, width):
    pair = _pair(channels=channels, height=height, width=width)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    values = []
    for r, x in zip(*_arrays(pair), strict=True):
        for c in range(channels):
            _, full = structural_similarity(r[c], x[c], full=True, **settings)
            values.append(full[5:-5, 5:-5].mean())
    assert reconstruction_loss("ssim")(*pair).item() == pytest.approx(1 - np.mean(values), abs=1e-5)


def test_ssim_does_not_look_at_the_border_by_itself():
    images = torch.full((1, 1, 11, 11), 0.5)
    images[..., 5, 5] = 1.0
    moved = images.clone()
    moved[..., 0, 0] = 0.0  # one window fits, and gives its corner next to no weight
    assert reconstruction_loss("ssim")(moved, images).item() < 1e-3


def test_ssim_of_an_inverted_image_exceeds_one():
    _, images = _pair()
    assert 1 < reconstruction_loss("ssim")(1 - images, images).item() <= 2


@pytest.mark.parametrize("size", [1, 6, 10])
def test_ssim_of_images_smaller_than_its_window_is_refused(size):
    small = torch.rand(1, 1, 20, size)
    with pytest.raises(AnodiceError, match=rf"at least 11 x 11 pixels .* got 20 x {size}; set a larger"):
        reconstruction_loss("ssim")(small, small)


@pytest.mark.parametrize("name", ["l1", "mse", "l2", "ssim"])
def test_a_perfect_reconstruction_costs_nothing(name):
    _, images = _pair()
    assert reconstruction_loss(name)(images, images).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", ["l1", "mse", "bce", "ssim"])
def test_means_do_not_grow_with_the_batch(name):
    pair = _pair()
    repeated = [tensor.repeat(4, 1, 1, 1) for tensor in pair]
    loss = reconstruction_loss(name)
    torch.testing.assert_close(loss(*repeated), loss(*pair))


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_is_a_float32_scalar_with_a_gradient(name):
    r, x = _pair()
    r.requires_grad_()
    value = reconstruction_loss(name)(r, x)
    value.backward()
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert r.grad.isfinite().all()
    assert r.grad.abs().amax() > 0


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_in_and_around_changes_nothing_but_the_input(name):
    r, x = _pair()
    loss = reconstruction_loss(name)
    coarse = r.bfloat16()
    expected = loss(coarse.float(), x)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(coarse, x)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("name", NAMES)
def test_losses_do_not_mind_the_memory_format(name):
    pair = _pair(channels=3)
    last = [tensor.contiguous(memory_format=torch.channels_last) for tensor in pair]
    torch.testing.assert_close(reconstruction_loss(name)(*last), reconstruction_loss(name)(*pair))


def test_an_unknown_loss_is_refused_with_the_nearest():
    with pytest.raises(AnodiceError, match=r"no reconstruction loss 'sim'; did you mean 'ssim'\?"):
        reconstruction_loss("sim")
