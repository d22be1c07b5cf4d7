"""The scores of a VAE against the distributions of torch, and who can be scored by them."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.distributions import Independent, Laplace, Normal, kl_divergence

from anodice.errors import AnodiceError
from anodice.models.conv_ae import ConvAENetwork
from anodice.models.optimizers import adam
from anodice.models.reconstruction import ReconstructionDetector
from anodice.models.vae import VAE, VAENetwork
from anodice.scoring.elbo import Divergence, NegativeELBO
from anodice.scoring.score import Seen

OPTIMIZER = partial(adam, lr=1e-3)


def _seen():
    """Two images of 2 x 2 pixels, of which the first is encoded as the prior, the second as N((1, -2), (e, 1))."""
    surprise = torch.tensor([[[[0.5, -1.0], [2.0, 0.0]]], [[[1.0, 1.0], [1.0, 1.0]]]])
    posteriors = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[1.0, -2.0], [1.0, 0.0]]])
    return Seen(torch.rand(2, 1, 2, 2), surprise=surprise, posteriors=posteriors)


def test_the_divergence_is_the_closed_form():
    maps, scores = Divergence()(_seen())
    assert scores.tolist() == pytest.approx([0, 0.5 * (1 + 4 + (math.e - 1 - 1))])
    assert scores.dtype == torch.float64
    assert torch.equal(maps, _seen().surprise)


def test_the_negative_elbo_adds_the_surprise_of_the_pixels():
    maps, scores = NegativeELBO()(_seen())
    assert scores.tolist() == pytest.approx([1.5, 4 + 0.5 * (1 + 4 + (math.e - 1 - 1))])
    assert scores.dtype == torch.float64
    assert torch.equal(maps, _seen().surprise)


@pytest.mark.parametrize("score", [NegativeELBO(), Divergence()])
def test_a_vae_is_scored_by_its_own_distributions(score):
    torch.manual_seed(0)
    network = VAENetwork(in_channels=1, image_size=64, code=3, widths=(4, 8), noise_scale=0.1)
    detector, images = VAE(network, score=score, optimizer=OPTIMIZER).eval(), torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        found, (mean, log_variance) = detector(images), network.encode(images)
        posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
        expected = kl_divergence(posterior, Independent(Normal(torch.zeros(3), 1.0), 1))
        if isinstance(score, NegativeELBO):
            expected = expected - Independent(Laplace(network.decoder(mean), 0.1), 3).log_prob(images)
        grounds = detector.grounds(images)
        torch.testing.assert_close(found.scores, expected.double(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(grounds.reconstructions, network(images).clamp(0, 1))
    assert found.maps.shape == images.shape


@pytest.mark.parametrize("score", [NegativeELBO(), Divergence()])
def test_a_detector_without_posteriors_is_refused_in_one_sentence(score):
    network = ConvAENetwork(in_channels=1, image_size=64, code=4, widths=(4, 8))
    with pytest.raises(AnodiceError, match=r"ConvAENetwork can serve, but .* needs its posteriors.*; use model=vae"):
        ReconstructionDetector(network, score=score, optimizer=OPTIMIZER)
