"""The Inception CAE and the plain one beside it: sizes, features, bottlenecks, and shortcuts that keep a function."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anodice.baselines.plain_cae import BaselineCAENetwork
from anodice.errors import AnodiceError
from anodice.models.inception import InceptionBlock, InceptionCAENetwork, UpsampledConv2d, UpsampledInceptionBlock

SMALL, LARGE = [8, 16, 32], [32, 32, 64, 64, 128, 128]


def _inception(*, in_channels=1, image_size=32, filters=(4, 8), code=None):
    torch.manual_seed(0)
    return InceptionCAENetwork(in_channels=in_channels, image_size=image_size, filters=filters, code=code)


def _baseline(*, in_channels=1, image_size=32, filters=(8, 8, 16), kernel_size=5, code=32):
    torch.manual_seed(0)
    return BaselineCAENetwork(
        in_channels=in_channels, image_size=image_size, filters=filters, kernel_size=kernel_size, code=code
    )


def _images(count=2, channels=1, size=32):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def _count_with_statistics(network):
    """As the originals counted: also the running mean and variance of each batch norm."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    return sum(p.numel() for p in network.parameters()) + sum(2 * norm.num_features for norm in norms)


@pytest.mark.parametrize(
    ("channels", "filters", "size", "published"),
    [
        (3, SMALL, 32, 335_759),
        (1, SMALL, 32, 334_597),
        (1, SMALL, 128, 334_597),
        (3, LARGE, 128, 11_526_415),
        (1, LARGE, 128, 11_521_797),
    ],
)
def test_inception_has_as_many_parameters_as_published(channels, filters, size, published):
    assert _count_with_statistics(_inception(in_channels=channels, filters=filters, image_size=size)) == published


@pytest.mark.parametrize(
    ("arguments", "published"),
    [
        ({"in_channels": 3, "filters": [32, 64, 128], "code": 128}, 806_927),
        ({"in_channels": 1, "filters": [32, 64, 128], "code": 128}, 803_717),
        ({"in_channels": 1, "filters": LARGE, "code": 64, "kernel_size": 3, "image_size": 256}, 712_197),
    ],
)
def test_baseline_has_as_many_parameters_as_published(arguments, published):
    assert _count_with_statistics(_baseline(**arguments)) == published


def test_a_block_is_its_four_branches_each_with_a_norm_and_an_activation():
    block, images = InceptionBlock(in_channels=3, filters=5), _images(channels=3)
    nn.init.normal_(block.norm.weight)
    nn.init.normal_(block.norm.bias)
    one, three, five, (pool, pooled) = block.branches
    branches = [one(images), three(images), five(images), pooled(pool(images))]
    expected = []
    for k, branch in enumerate(branches):
        part = slice(5 * k, 5 * k + 5)
        normed = F.batch_norm(branch, None, None, block.norm.weight[part], block.norm.bias[part], training=True)
        expected.append(F.leaky_relu(normed, 0.1))
    torch.testing.assert_close(block(images), torch.cat(expected, 1))
    assert [tuple(c.kernel_size) for c in (one, three, five, pooled)] == [(1, 1), (3, 3), (5, 5), (1, 1)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_block_pools_grey_images_like_others_and_keeps_their_format(channels, memory_format):
    pool, _ = InceptionBlock(in_channels=channels, filters=2).branches[3]
    images = _images(channels=channels, size=9).clone(memory_format=memory_format)
    pooled = pool(images)
    assert torch.equal(pooled, F.max_pool2d(images, 3, stride=1, padding=1))
    assert pooled.stride() == images.stride()


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize("outputs", [1, 3])
def test_an_upsampled_convolution_is_what_its_name_says(kernel_size, outputs):
    torch.manual_seed(0)
    layer = UpsampledConv2d(in_channels=2, out_channels=outputs, kernel_size=kernel_size)
    images = torch.randn(2, 2, 6, 9)
    large = F.interpolate(images, scale_factor=2, mode="nearest")
    expected = F.conv2d(large, layer.weight, layer.bias, padding=kernel_size // 2)
    torch.testing.assert_close(layer(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_upsampled_block_is_a_block_after_up_sampling(memory_format):
    torch.manual_seed(0)
    upsampled = UpsampledInceptionBlock(in_channels=6, filters=5).to(memory_format=memory_format)
    plain = InceptionBlock(in_channels=6, filters=5)
    plain.load_state_dict(upsampled.state_dict())
    images = torch.randn(3, 6, 7, 9).contiguous(memory_format=memory_format)
    found, expected = upsampled(images), plain(F.interpolate(images, scale_factor=2, mode="nearest"))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(expected)
    for block, enlarged in ((upsampled, found), (plain, expected)):
        (enlarged * weights).sum().backward()
        assert all(p.grad is not None for p in block.parameters())
    for ours, theirs in zip(upsampled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 32, 48])
@pytest.mark.parametrize("code", [None, 6])
def test_inception_keeps_the_shape_and_the_range(channels, size, code):
    network = _inception(in_channels=channels, image_size=size, code=code).eval()
    reconstructions = network(_images(channels=channels, size=size))
    assert reconstructions.shape == (2, channels, size, size)
    assert 0 <= reconstructions.amin() < reconstructions.amax() <= 1


@pytest.mark.parametrize(("size", "code"), [(32, 16), (64, 64), (64, 128)])
@pytest.mark.parametrize("channels", [1, 3])
def test_baseline_keeps_the_shape_and_the_range(channels, size, code):
    network = _baseline(in_channels=channels, image_size=size, code=code).eval()
    images = _images(channels=channels, size=size)
    assert network(images).shape == images.shape
    assert 0 <= network(images).amin() < network(images).amax() <= 1


def test_features_are_the_encoders_last_maps():
    network = _inception(in_channels=3, filters=(4, 8, 6), image_size=32).eval()
    maps = network.feature_maps(_images(channels=3))
    assert maps.shape == (2, 24, 4, 4)
    assert torch.equal(maps, network.encoder(_images(channels=3)))


def test_usual_features_have_128_numbers():
    assert _inception(filters=SMALL).eval().feature_maps(_images()).shape[:2] == (2, 128)
    assert _baseline(filters=(32, 64, 128), code=128).eval().encoder(_images()).shape == (2, 128)


@pytest.mark.parametrize("code", [1, 5])
def test_the_decoder_sees_no_more_than_the_code(code):
    network = _inception(code=code).eval()
    seen = []
    network.bottleneck[1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(_images())
    assert [tuple(codes.shape) for codes in seen] == [(2, code)]
    assert network.narrowest == code


def test_the_codes_are_what_the_decoder_starts_from():
    network, images = _inception(code=5).eval(), _images()
    codes = network.codes(images)
    assert codes.shape == (2, 5)
    widened = network.bottleneck[3](network.bottleneck[2](codes))
    torch.testing.assert_close(network.decoder(widened).sigmoid(), network(images))
    assert _inception().codes(images) is None
    baseline = _baseline(code=32).eval()
    assert baseline.codes(images).shape == (2, 32)
    torch.testing.assert_close(baseline.decoder(baseline.codes(images)).sigmoid(), baseline(images))


def test_without_a_bottleneck_the_code_is_the_feature_map():
    network = _inception(filters=SMALL).eval()
    assert network.narrowest == network.feature_maps(_images())[0].numel() == 2 * 32 * 32


@pytest.mark.parametrize("make", [_inception, lambda: _inception(code=4), _baseline])
def test_reconstruction_is_deterministic_and_the_same_in_a_batch(make):
    network, images = make().eval(), _images(count=4)
    once = network(images)
    assert torch.equal(once, network(images))
    alone = torch.cat([network(image) for image in images.split(1)])
    torch.testing.assert_close(once, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [_inception, lambda: _inception(code=4), _baseline])
def test_gradients_reach_every_parameter(make):
    network = make()
    F.mse_loss(network(_images(count=8)), _images(count=8)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("make", [_inception, _baseline])
def test_bfloat16_and_channels_last_give_nearly_the_same(make, channels):
    network, images = make(in_channels=channels).eval(), _images(channels=channels)
    expected = network(images)
    network.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = network(images)
        F.mse_loss(coarse, images).backward()
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse, expected, rtol=0, atol=0.03)


def test_feature_maps_are_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert _inception().eval().feature_maps(_images()).dtype == torch.float32


def test_state_survives_a_round_trip_and_holds_no_constants():
    network = _inception(code=4)
    network(_images())
    state = network.state_dict()
    assert not any(name.endswith("taps") for name in state)
    other = _inception(code=4)
    other.load_state_dict(state)
    assert torch.equal(other.eval()(_images()), network.eval()(_images()))


@pytest.mark.parametrize("make", [_inception, _baseline])
def test_a_size_that_cannot_be_halved_so_often_is_refused(make):
    with pytest.raises(AnodiceError, match=r"multiple of 8 for this network, got 36; set data.image_size=32 or 40"):
        make(filters=(4, 4, 4), image_size=36)


@pytest.mark.parametrize("code", [0, -3])
def test_a_code_without_length_is_refused(code):
    with pytest.raises(AnodiceError, match=f"at least 1 number .* got {code}"):
        _inception(code=code)


@pytest.mark.parametrize("code", [0, 20])
def test_a_code_that_does_not_fill_the_area_is_refused(code):
    with pytest.raises(AnodiceError, match=f"multiple of 16 for images of 32 pixels and 3 filters, got {code}"):
        _baseline(code=code)


def test_an_even_kernel_is_refused():
    with pytest.raises(AnodiceError, match="odd kernel_size, got 4"):
        _baseline(kernel_size=4)


def test_with_keras_weights_and_norms_start_as_in_the_originals():
    network = InceptionCAENetwork(in_channels=1, image_size=32, filters=(4, 8), code=None, keras=True)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert not any(c.bias.any() for c in convolutions)
    for c in convolutions:
        bound = (6 / (c.kernel_size[0] ** 2 * (c.in_channels + c.out_channels))) ** 0.5
        assert c.weight.abs().amax() <= bound
