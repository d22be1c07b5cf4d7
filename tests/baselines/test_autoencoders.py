"""The auto-encoders of earlier projects: sizes, paddings, starts, and the loss of the dense VAE."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from anodice.baselines.autoencoders import CAEA, DenseVAENetwork, DishAE, PooledAE, ShallowAE, SmallAE, ToneAE
from anodice.errors import AnodiceError

EVERY = [CAEA, SmallAE, PooledAE, ShallowAE, ToneAE, DishAE, DenseVAENetwork]
CONVOLUTIONAL = [CAEA, SmallAE, PooledAE, DishAE]


def _make(kind, *, in_channels=1, image_size=32, **more):
    torch.manual_seed(0)
    return kind(in_channels=in_channels, image_size=image_size, **more)


def _images(count=2, channels=1, size=32):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("kind", "channels", "published"),
    [
        (CAEA, 1, 149_633),
        (SmallAE, 1, 19_105),
        (PooledAE, 1, 13_233),
        (ShallowAE, 1, 2_635),
        (ToneAE, 1, 2_005),
        (DenseVAENetwork, 1, 2_114_052),
        (DishAE, 3, 721_475),
    ],
)
def test_parameters_and_running_statistics_are_as_many_as_published(kind, channels, published):
    network = _make(kind, in_channels=channels, image_size=128)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum(p.numel() for p in network.parameters()) + sum(2 * n.num_features for n in norms) == published


def test_as_many_parameters_of_the_cae_a_are_learned_as_published():
    assert sum(p.numel() for p in _make(CAEA, image_size=128).parameters()) == 148_993


@pytest.mark.parametrize(
    ("kind", "code"),
    [(CAEA, 65_536), (SmallAE, 131_072), (PooledAE, 128), (DishAE, 16_384), (DenseVAENetwork, 2)],
)
def test_the_code_is_the_narrowest_layer(kind, code):
    network = _make(kind, image_size=128).eval()
    sizes = []
    leaves = [module for module in network.modules() if not list(module.children())]
    for leaf in leaves:
        leaf.register_forward_hook(lambda module, inputs, output: sizes.append(output[0].numel()))
    network(_images(count=1, size=128))
    squeezed = 2 * code if kind is DenseVAENetwork else code  # mean and log variance
    inner = sizes[:-1] if sizes[-1] == 128 * 128 else sizes
    assert network.narrowest == code
    assert min(inner) == squeezed


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("kind", EVERY)
def test_a_reconstruction_has_the_shape_and_range_of_its_image(kind, size, channels):
    network = _make(kind, in_channels=channels, image_size=size).eval()
    reconstructions = network(_images(channels=channels, size=size))
    assert reconstructions.shape == (2, channels, size, size)
    assert 0 <= reconstructions.amin() < reconstructions.amax() <= 1


@pytest.mark.parametrize("kind", EVERY)
def test_reconstruction_is_deterministic_and_the_same_in_a_batch(kind):
    network, images = _make(kind).eval(), _images(count=4)
    once = network(images)
    assert torch.equal(once, network(images))
    alone = torch.cat([network(image) for image in images.split(1)])
    torch.testing.assert_close(once, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind is not DenseVAENetwork])
def test_gradients_reach_every_parameter(kind):
    network, images = _make(kind), _images(count=8)
    F.mse_loss(network(images), images).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("kind", EVERY)
def test_under_autocast_reconstructions_are_float32_and_nearly_the_same(kind):
    network, images = _make(kind).eval(), _images()
    with torch.autocast("cpu", torch.bfloat16):
        coarse = network(images)
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse, network(images), rtol=0, atol=0.03)


@pytest.mark.parametrize(("kind", "multiple"), [(CAEA, 4), (SmallAE, 2), (PooledAE, 32), (DishAE, 8)])
def test_a_size_that_does_not_fit_is_refused(kind, multiple):
    with pytest.raises(
        AnodiceError, match=f"multiple of {multiple} for this network, got 129; set data.image_size=128"
    ):
        _make(kind, image_size=129)


@pytest.mark.parametrize("kind", [CAEA, PooledAE])
def test_strided_convolutions_pad_to_the_right_and_below_alone(kind):
    pairs = [(a, b) for a, b in pairwise(_make(kind).layers) if isinstance(b, nn.Conv2d) and b.stride == (2, 2)]
    assert len(pairs) == 2
    for pad, convolution in pairs:
        maps = torch.randn(1, convolution.in_channels, 8, 8, generator=torch.Generator().manual_seed(2))
        with_border = F.pad(maps, (0, 1, 0, 1))
        output = convolution(pad(maps))
        assert output.shape[2:] == (4, 4)
        for row, column in [(0, 0), (1, 2), (3, 3)]:
            seen = with_border[0, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            literal = (convolution.weight * seen).sum((1, 2, 3)) + convolution.bias
            torch.testing.assert_close(output[0, :, row, column], literal, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_strided_transposed_convolutions_are_the_adjoint_of_the_strided_ones(kind):
    pairs = [
        (a, b) for a, b in pairwise(_make(kind).layers) if isinstance(a, nn.ConvTranspose2d) and a.stride == (2, 2)
    ]
    assert pairs
    for convolution, crop in pairs:
        large = torch.zeros(1, convolution.out_channels, 8, 8, requires_grad=True)
        small = torch.randn(1, convolution.in_channels, 4, 4, generator=torch.Generator().manual_seed(2))
        strided = F.conv2d(F.pad(large, (0, 1, 0, 1)), convolution.weight, stride=2)
        (adjoint,) = torch.autograd.grad(strided, large, small)
        torch.testing.assert_close(crop(convolution(small)), adjoint, rtol=1e-4, atol=1e-5)


def test_networks_start_from_glorot_uniform_weights_and_zero_biases():
    network = _make(CAEA)
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    for layer in (module for module in network.modules() if isinstance(module, kinds)):
        bound = math.sqrt(6 / (9 * (layer.in_channels + layer.out_channels)))
        assert 0.9 * bound < layer.weight.abs().amax() <= bound
        assert not layer.bias.any()


def test_a_tone_is_mapped_by_itself():
    network, images = _make(ToneAE).eval(), _images()
    places = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(2))

    def moved(tensor):
        return tensor.flatten(2)[..., places].unflatten(2, (32, 32))

    torch.testing.assert_close(network(moved(images)), moved(network(images)))


def test_tones_of_photos_in_8_bits_are_mapped_as_pixels_are():
    network = _make(ToneAE)
    photos = (_images() * 255).round() / 255
    found = network(photos)
    found.square().sum().backward()
    gradients = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    pixels = network.layers(photos).sigmoid()
    pixels.square().sum().backward()
    torch.testing.assert_close(found, pixels)
    for by_tone, parameter in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(by_tone, parameter.grad, rtol=1e-4, atol=1e-3)


def test_the_dense_vae_draws_codes_as_published_with_a_tenth_of_the_noise():
    network, images = _make(DenseVAENetwork, as_published=True), _images()
    torch.manual_seed(5)
    reconstruction = network.loss_terms(images, images, beta=1.0)["reconstruction"]
    mean, read_twice = network.encode(images)
    torch.manual_seed(5)
    codes = mean + 0.1 * torch.randn_like(mean) * read_twice.exp()
    expected = F.binary_cross_entropy(network.decode(codes), images) * images[0].numel()
    torch.testing.assert_close(reconstruction, expected)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_of_the_dense_vae_is_reconstruction_plus_beta_kl(beta):
    images = _images()
    terms = _make(DenseVAENetwork).loss_terms(images, images, beta=beta)
    assert terms.keys() == {"loss", "reconstruction", "kl"}
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + beta * terms["kl"])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_of_the_dense_vae_is_its_negative_elbo(channels):
    network, images = _make(DenseVAENetwork, in_channels=channels), _images(channels=channels)
    targets = images.flip(0)
    torch.manual_seed(5)
    loss = network.loss_terms(images, targets, beta=1.0)["loss"]
    mean, log_variance = network.encode(images)
    posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    torch.manual_seed(5)
    codes = mean + torch.randn_like(mean) * posterior.stddev
    prior = Independent(Normal(torch.zeros_like(mean), 1.0), 1)
    likelihood = Independent(Bernoulli(network.decode(codes), validate_args=False), 3).log_prob(targets)
    torch.testing.assert_close(loss, (kl_divergence(posterior, prior) - likelihood).mean())


def test_gradients_of_the_dense_vae_reach_every_parameter():
    network, images = _make(DenseVAENetwork), _images(count=8)
    network.loss_terms(images, images, beta=1.0)["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_the_dense_vae_reconstructs_from_the_posterior_mean():
    network, images = _make(DenseVAENetwork, code=3, hidden=16).eval(), _images()
    mean, _ = network.encode(images)
    assert mean.shape == (2, 3)
    assert torch.equal(network(images), network.decode(mean))


def test_a_wild_encoder_leaves_the_loss_finite():
    network, images = _make(DenseVAENetwork), _images()
    nn.init.constant_(network.encoder[-1].bias, 1e4)
    assert network.loss_terms(images, images, beta=1.0)["loss"].isfinite()
