"""The networks without Lightning: sizes, shapes, and the terms of their losses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Independent, Laplace, Normal, kl_divergence

from anodice.baselines.autoencoders import DenseVAENetwork
from anodice.functional.likelihoods import gaussian_kl, laplace_nll
from anodice.models.conv_ae import ConvAENetwork
from anodice.models.vae import VAENetwork


def _conv_ae(*, in_channels=1, image_size=64, code=128):
    torch.manual_seed(0)
    return ConvAENetwork(in_channels=in_channels, image_size=image_size, code=code)


def _vae(*, in_channels=1, image_size=64, code=64):
    torch.manual_seed(0)
    return VAENetwork(in_channels=in_channels, image_size=image_size, code=code, noise_scale=0.02)


def _images(count=2, channels=1, size=64):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("make", "published"), [(_conv_ae, 2_959_617), (_vae, 2_435_329)])
def test_parameters_are_as_many_as_published(make, published):
    assert sum(p.numel() for p in make(image_size=128).parameters()) == published


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("make", [_conv_ae, _vae])
def test_a_reconstruction_has_the_shape_of_its_image(make, size, channels):
    network = make(in_channels=channels, image_size=size).eval()
    assert network(_images(channels=channels, size=size)).shape == (2, channels, size, size)


@pytest.mark.parametrize("code", [1, 16])
def test_an_image_goes_through_as_few_numbers_as_the_code_has(code):
    assert _conv_ae(code=code).encoder(_images()).shape == (2, code)
    assert [t.shape for t in _vae(code=code).encode(_images())] == [(2, code)] * 2


@pytest.mark.parametrize("make", [_conv_ae, _vae])
def test_the_usual_code_is_far_smaller_than_the_image(make):
    assert make(image_size=128).narrowest < 128 * 128 / 100


def test_the_decoder_sees_nothing_but_the_code():
    network = _conv_ae(code=3).eval()
    codes = torch.randn(2, 3)
    network.encoder.forward = lambda images: codes  # whatever the image
    assert torch.equal(network(_images()), network.decoder(codes))


@pytest.mark.parametrize("make", [_conv_ae, _vae])
def test_reconstruction_is_deterministic_and_the_same_in_a_batch(make):
    network, images = make().eval(), _images(count=5)
    once = network(images)
    assert torch.equal(once, network(images))
    alone = torch.cat([network(image) for image in images.split(1)])
    torch.testing.assert_close(once, alone, rtol=1e-4, atol=1e-5)


def test_the_vae_reconstructs_from_the_posterior_mean():
    network, images = _vae().eval(), _images()
    mean, _ = network.encode(images)
    assert torch.equal(network(images), network.decoder(mean))


@pytest.mark.parametrize("hidden", [(), (256,), (256, 128)])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("widths", [(8, 16), (8, 16, 32)])
def test_layers_of_the_conv_ae_are_as_configured(widths, batch_norm, hidden):
    network = ConvAENetwork(
        in_channels=1, image_size=64, code=16, widths=widths, hidden=hidden, batch_norm=batch_norm, sigmoid=True
    )
    kinds = [type(module) for module in network.encoder.modules()]
    assert kinds.count(torch.nn.Conv2d) == len(widths)
    assert kinds.count(torch.nn.Linear) == len(hidden) + 1
    assert kinds.count(torch.nn.BatchNorm2d) == (len(widths) if batch_norm else 0)
    reconstructions = network(100 * _images())
    assert reconstructions.shape == (2, 1, 64, 64)
    assert 0 <= reconstructions.amin() <= reconstructions.amax() <= 1


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 4.0])
def test_the_loss_of_the_vae_is_reconstruction_plus_beta_kl(beta):
    terms = _vae().eval().loss_terms(_images(), _images(), beta=beta)
    assert terms.keys() == {"loss", "reconstruction", "kl"}
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + beta * terms["kl"])


def test_the_loss_of_the_vae_is_its_negative_elbo():
    network, images = _vae().eval(), _images()
    torch.manual_seed(5)
    loss = network.loss_terms(images, images, beta=1.0)["loss"]
    mean, log_variance = network.encode(images)
    posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), 1.0), 1)
    torch.manual_seed(5)
    codes = mean + torch.randn_like(mean) * posterior.stddev
    likelihood = Independent(Laplace(network.decoder(codes), 0.02), 3).log_prob(images)
    torch.testing.assert_close(loss, (kl_divergence(posterior, prior) - likelihood).mean())


def test_the_loss_of_the_vae_is_per_image():
    network, images = _vae().eval(), _images()
    kl = network.loss_terms(images, images, beta=1.0)["kl"]
    torch.testing.assert_close(network.loss_terms(*[images.repeat(3, 1, 1, 1)] * 2, beta=1.0)["kl"], kl)


def test_a_sample_is_drawn_for_the_loss():
    network, images = _vae().eval(), _images()
    first, second = (network.loss_terms(images, images, beta=1.0)["reconstruction"] for _ in range(2))
    assert first != second


def test_a_wild_encoder_leaves_the_loss_finite():
    network = _vae().eval()
    torch.nn.init.constant_(network.encoder.linear[0].bias, 1e4)
    assert network.loss_terms(_images(), _images(), beta=1.0)["loss"].isfinite()


def test_the_parts_of_the_elbo_are_those_of_the_loss_without_noise():
    images, network = _images(channels=3), VAENetwork(in_channels=3, image_size=64, code=5, noise_scale=0.03)
    surprise, posteriors = network.elbo_parts(images)
    assert (surprise.shape, posteriors.shape) == ((2, 1, 64, 64), (2, 2, 5))
    expected = -Laplace(network(images), 0.03).log_prob(images).sum(1, keepdim=True)
    torch.testing.assert_close(surprise, expected)
    assert torch.equal(posteriors, torch.stack(network.encode(images), 1))


def test_the_parts_of_the_elbo_of_the_dense_vae_are_binary_cross_entropies():
    network, images = DenseVAENetwork(in_channels=1, image_size=16).eval(), _images(size=16)
    surprise, posteriors = network.elbo_parts(images)
    decoded = network(images)
    torch.testing.assert_close(surprise, -(images * decoded.log() + (1 - images) * (1 - decoded).log()))
    assert torch.equal(posteriors, torch.stack(network.encode(images), 1))


@given(
    st.lists(
        st.tuples(st.floats(-100, 100, width=32), st.floats(-12, 12, width=32)),
        min_size=1,
        max_size=8,
    )
)
def test_kl_is_never_negative(posterior):
    mean, log_variance = torch.tensor(posterior).T[:, None]
    assert gaussian_kl(mean, log_variance).item() >= 0


@pytest.mark.parametrize("exponent", range(-40, 0, 4))
def test_kl_is_not_negative_beside_its_minimum(exponent):
    log_variance = torch.linspace(-1, 1, 1001)[:, None] * 2.0**exponent
    assert gaussian_kl(torch.zeros_like(log_variance), log_variance).amin() >= 0


def test_kl_agrees_with_the_closed_form_of_torch():
    mean, log_variance = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), expected)


def test_kl_vanishes_at_the_prior():
    assert gaussian_kl(torch.zeros(3, 4), torch.zeros(3, 4)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [0.02, 0.5, 3.0])
def test_reconstruction_term_is_that_of_laplace_noise(scale):
    images, reconstructions = _images(channels=3), _images(channels=3).flip(0)
    expected = -Laplace(reconstructions, scale).log_prob(images).sum((1, 2, 3))
    torch.testing.assert_close(laplace_nll(images, reconstructions, scale), expected)


def test_reconstruction_term_of_a_perfect_reconstruction():
    images = _images()
    torch.testing.assert_close(laplace_nll(images, images, 0.02), torch.full((2,), 64 * 64 * math.log(0.04)))


@pytest.mark.parametrize("make", [_conv_ae, _vae])
def test_networks_see_where_things_are(make):
    network, images = make().eval(), _images()
    columns = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    moved = network(images)[..., columns]
    assert not torch.allclose(network(images[..., columns]), moved, atol=1e-3)
