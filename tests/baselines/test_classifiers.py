"""The classifiers of earlier projects: sizes, maps that sum to their logits, and one beside an auto-encoder."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from anodice.baselines.autoencoders import PooledAE
from anodice.baselines.classifiers import AEWithFaceCNN, DefectCNN, FaceCNN
from anodice.errors import AnodiceError


def _face(*, in_channels=1, image_size=32, classes=4):
    torch.manual_seed(0)
    return FaceCNN(in_channels=in_channels, image_size=image_size, classes=classes)


def _defect(*, in_channels=1, image_size=32):
    """With biases as after some training: they start from zero."""
    torch.manual_seed(0)
    network = DefectCNN(in_channels=in_channels, image_size=image_size)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def _images(count=3, channels=1, size=32):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def _from_biases(network, images):
    """What the head gives for an empty feature map, with its hidden units switched as for the images."""
    hidden = network.hidden(network.convolutions(images).flatten(1))
    given = F.linear((hidden > 0) * network.hidden.bias, network.outputs.weight, network.outputs.bias)
    return given[:, 1] - given[:, 0]


@pytest.mark.parametrize(("classes", "published"), [(11, 77_643), (6, 43_998)])
def test_the_face_classifier_has_as_many_parameters_as_published(classes, published):
    assert sum(p.numel() for p in _face(image_size=128, classes=classes).parameters()) == published


def test_the_defect_classifier_has_as_many_parameters_as_published():
    assert sum(p.numel() for p in _defect(in_channels=3, image_size=128).parameters()) == 2_121_122


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [13, 16, 29, 64])
def test_the_face_classifier_gives_a_logit_per_class_at_any_size(channels, size):
    network = _face(in_channels=channels, image_size=size).eval()
    assert network(_images(channels=channels, size=size)).shape == (3, 4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 32, 64])
def test_the_defect_classifier_gives_one_logit_and_a_map(channels, size):
    network, images = _defect(in_channels=channels, image_size=size).eval(), _images(channels=channels, size=size)
    logits, maps = network.logits_and_map(images)
    assert network(images).shape == logits.shape == (3,)
    assert maps.shape == (3, 1, size, size)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_logit_is_the_sum_of_its_map_and_what_the_biases_give(channels):
    network, images = _defect(in_channels=channels).eval(), _images(channels=channels)
    with torch.inference_mode():
        logits, maps = network.logits_and_map(images)
        assert torch.equal(logits, network(images))
        parts = maps.sum((1, 2, 3)) + _from_biases(network, images)
        torch.testing.assert_close(parts, logits, rtol=1e-4, atol=1e-5)


def test_the_map_is_the_gradient_times_the_last_feature_map():
    network, images = _defect().eval(), _images()
    maps = network.convolutions(images).detach().requires_grad_()
    normal, anomalous = network.outputs(F.relu(network.hidden(maps.flatten(1)))).unbind(1)
    (gradient,) = torch.autograd.grad((anomalous - normal).sum(), maps)
    places = (gradient * maps).sum(1, keepdim=True)
    smooth = F.interpolate(places, scale_factor=8, mode="bilinear", align_corners=False) / 64
    torch.testing.assert_close(network.logits_and_map(images)[1], smooth, rtol=1e-4, atol=1e-6)


def test_the_map_points_at_what_raises_the_logit():
    network = _defect(image_size=64).eval()
    clean = torch.full((1, 1, 64, 64), 0.5)
    marked = clean.clone()
    marked[..., 8:16, 40:48] = 1.0
    change = (network.logits_and_map(marked)[1] - network.logits_and_map(clean)[1]).abs()[0, 0]
    row, column = divmod(int(change.argmax()), 64)
    assert 0 <= row < 24
    assert 32 <= column < 56


def test_the_logit_is_the_log_odds_of_the_two_outputs():
    network, images = _defect().eval(), _images()
    pair = network.outputs(F.relu(network.hidden(network.convolutions(images).flatten(1))))
    anomalous = torch.tensor([1, 0, 1])
    one = F.binary_cross_entropy_with_logits(network(images), anomalous.float())
    torch.testing.assert_close(one, F.cross_entropy(pair, anomalous))


@pytest.mark.parametrize("make", [_face, _defect])
def test_logits_are_deterministic_and_the_same_in_a_batch(make):
    network, images = make().eval(), _images(count=4)
    once = network(images)
    assert torch.equal(once, network(images))
    alone = torch.cat([network(image) for image in images.split(1)])
    torch.testing.assert_close(once, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [_face, _defect])
def test_gradients_reach_every_parameter(make):
    network = make()
    network(_images(count=8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("make", [_face, _defect])
def test_bfloat16_and_channels_last_give_nearly_the_same(make):
    network, images = make(in_channels=3).eval(), _images(channels=3)
    expected = network(images)
    network.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(images).float(), expected, rtol=0.05, atol=0.05)


def test_a_face_too_small_for_two_valid_convolutions_is_refused():
    with pytest.raises(AnodiceError, match="at least 13 for this network, got 12"):
        _face(image_size=12)


def test_a_size_that_cannot_be_halved_three_times_is_refused():
    with pytest.raises(AnodiceError, match=r"multiple of 8 for this network, got 33; set data.image_size=32 or 40"):
        _defect(image_size=33)


def _pair(in_channels=1):
    torch.manual_seed(0)
    autoencoder = PooledAE(in_channels=in_channels, image_size=32)
    return AEWithFaceCNN(autoencoder=autoencoder, in_channels=in_channels, image_size=32, classes=("1", "2", "3"))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_auto_encoder_with_a_classifier_beside_it_gives_what_each_gives(channels):
    network, images = _pair(channels).eval(), _images(channels=channels)
    reconstructions, logits = network.both(images)
    assert torch.equal(reconstructions, network.autoencoder(images))
    assert torch.equal(reconstructions, network(images))
    assert torch.equal(logits, network.classifier(images))
    assert logits.shape == (3, 3)
    assert network.narrowest == network.autoencoder.narrowest


def test_the_two_share_nothing_that_is_learned():
    network = _pair()
    network.both(_images(count=8))[1].square().sum().backward()
    assert all(parameter.grad is None for parameter in network.autoencoder.parameters())
    assert all(parameter.grad is not None for parameter in network.classifier.parameters())
