"""The local memory: what it keeps of which photos, what it calls strange, and the backbones it can stand on."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torchvision.models import get_model

from anodice.augmentation.defect_painter import DefectPainter
from anodice.data.layouts import dice11
from anodice.errors import AnodiceError
from anodice.models.defect_unet import UNet
from anodice.models.feature_memory import spread
from anodice.models.local_memory import LocalMemory
from anodice.models.memory_detector import BackboneMemory, EncoderMemory, memory_detector
from anodice.models.optimizers import adam
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import TopMean

SIZE = 64


def _own(*, in_channels=1, layers=(1, 2)):
    network = UNet(in_channels=in_channels, image_size=SIZE, widths=[8, 8, 16])
    painter = DefectPainter(image_size=SIZE, stamps=36, share=0.5, seed=0)
    return partial(EncoderMemory, network, layers=layers, painter=painter, optimizer=adam)


def _resnet(*, in_channels=1, name="resnet18", layers=("layer1", "layer2"), weights=None):
    shape = {"image_size": SIZE, "in_channels": in_channels}
    return partial(BackboneMemory, name=name, layers=layers, weights=weights, **shape)


def _made(backbone=_own, *, in_channels=1, given=None, **changes):
    """A detector whose backbone is `given` these arguments, its memory the `changes`."""
    torch.manual_seed(0)
    settings = {"patch_weight": 0.5, "views": 20, "augmentation": None, "entries": 8, "radius": 1}
    score = MapScore(smoothing=0, border_radius=None, pooling=TopMean(fraction=0.02), image_size=SIZE)
    memory = LocalMemory(**(settings | changes), score=score, image_size=SIZE)
    return memory_detector(backbone=backbone(in_channels=in_channels, **(given or {})), memory=memory).eval()


def _images(count, seed, channels=1):
    """Two kinds of smooth pictures, a little different each time."""
    generator = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0.2, 0.8, SIZE).expand(channels, SIZE, SIZE)
    kinds = torch.stack([ramp, ramp.mT])
    return (kinds[torch.arange(count) % 2] + 0.01 * torch.randn(count, 1, 1, 1, generator=generator)).clamp(0, 1)


def _batches(count=12, channels=1):
    images = _images(count, 0, channels)
    return [{"image": images[k : k + 5], "class": torch.arange(count)[k : k + 5] % 2} for k in range(0, count, 5)]


def _fitted(backbone=_own, **changes):
    detector = _made(backbone, **changes)
    detector.fit(_batches(channels=changes.get("in_channels", 1)), [])
    return detector


def _weights(tmp_path):
    """As a user would bring them."""
    torch.manual_seed(1)
    torch.save(get_model("resnet18", weights=None).state_dict(), tmp_path / "resnet18.pth")
    return str(tmp_path / "resnet18.pth")


@pytest.mark.parametrize("backbone", [_own, _resnet])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_mark_is_strange_where_it_lies(backbone, channels):
    detector = _fitted(backbone, in_channels=channels)
    normal = _images(4, 1, channels)
    marked = normal.clone()
    marked[:, :, 40:52, 8:20] = 0
    with torch.inference_mode():
        before, after = detector(normal), detector(marked)
    assert before.maps.shape == (4, 1, SIZE, SIZE)
    assert before.scores.dtype == torch.float64
    assert (after.scores.min() > before.scores.max()).all()
    places = after.maps.flatten(1).argmax(1)
    assert ((places // SIZE > 32) & (places % SIZE < 32)).all()


@pytest.mark.parametrize("changes", [{}, {"radius": None}, {"backbone": _resnet}], ids=["own", "anywhere", "resnet18"])
def test_a_loaded_detector_scores_the_same(changes):
    detector, other = _fitted(**changes), _made(**changes)
    other.load_state_dict(detector.state_dict())
    images = _images(3, 1)
    assert torch.equal(other(images).scores, detector(images).scores)


def test_the_own_encoder_is_trained_and_the_memory_follows_it():
    detector = _fitted()
    assert detector.loss_names[0] == "loss"
    before = detector.memory.memory.bank.clone()
    terms = detector.train().loss_terms({"image": _images(8, 0), "index": torch.arange(8)})
    terms["loss"].backward()
    with torch.no_grad():
        for parameter in detector.parameters():
            parameter -= 0.1 * parameter.grad
    detector.eval().fit(_batches(), [])
    assert not torch.allclose(detector.memory.memory.bank, before)


def test_layers_count_alike_whatever_their_scale():
    detector, images = _fitted(entries=20), _images(3, 1)  # all are kept: of few, rounding may choose others
    distances = detector.memory(detector._features(images), images)[0]
    stretched = SimpleNamespace(extract=lambda images: [100 * f for f in detector._features(images)])
    detector.memory.fit(stretched.extract, _batches(), [])
    found = detector.memory(stretched.extract(images), images)[0]
    torch.testing.assert_close(found, distances, rtol=1e-3, atol=5e-3)


def test_the_map_is_one_where_held_out_photos_usually_lie():
    detector = _made()
    detector.fit(_batches(), [{"image": _images(6, 5)}])
    assert detector(_images(6, 5)).maps.mean().item() == pytest.approx(1, abs=0.05)


def test_a_patch_of_another_kind_is_strange_without_any_training():
    detector, images = _fitted(patch_weight=1.0), _images(4, 1)
    striped = images.clone()
    striped[:, :, 20:36:2, 20:36] += 0.2
    with torch.inference_mode():
        features = detector._features(images)
        plain, marked = (detector.memory._distances(features, i)[1] for i in (images, striped))
    assert (marked.flatten(1).argmax(1) == marked[0].argmax()).all()
    assert (marked[:, :, 3:4, 3:4] > 3 * plain.amax((1, 2, 3), keepdim=True)).all()
    assert _fitted(patch_weight=0)(images).maps.shape == images.shape


def test_the_weights_come_from_the_file_and_then_from_the_checkpoint(tmp_path):
    weights = _weights(tmp_path)
    torch.manual_seed(2)
    detector = _fitted(_resnet, given={"weights": weights})
    wanted = torch.load(weights, weights_only=True)["layer1.0.conv1.weight"]
    assert torch.equal(detector.features.extractor.state_dict()["layer1.0.conv1.weight"], wanted)
    (tmp_path / "resnet18.pth").unlink()
    other = _made(_resnet, given={"weights": weights})
    other.load_state_dict(detector.state_dict())
    assert torch.equal(other(_images(2, 1)).scores, detector(_images(2, 1)).scores)


def test_a_torchvision_network_is_not_trained():
    detector = _fitted(_resnet)
    assert isinstance(detector, BackboneMemory)
    assert not detector.automatic_optimization
    assert detector.configure_optimizers() is None
    assert not any(parameter.requires_grad for parameter in detector.parameters())
    assert "random weights" in detector.describe()


def test_the_file_must_be_there_and_fit_the_network(tmp_path):
    message = r"model.backbone.weights to be a file for resnet18, got 'no.pth'"
    with pytest.raises(AnodiceError, match=message):
        _fitted(_resnet, given={"weights": "no.pth"})
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(AnodiceError, match=r"hold the weights of resnet18, but .* set model.backbone.name"):
        _fitted(_resnet, given={"weights": str(tmp_path / "other.pth")})


@pytest.mark.parametrize(
    ("backbone", "given", "message"),
    [
        (_resnet, {"name": "resnet19"}, "no torchvision backbone 'resnet19'; did you mean 'resnet"),
        (_resnet, {"layers": ["layer9"]}, r"layers of resnet18, got \['layer9'\]; its parts are conv1"),
        (_own, {"layers": [3]}, r"levels of the encoder, from 0 to 2, got \[3\]"),
        (_own, {"layers": ["layer2"]}, "names of layers are for model/backbone=torchvision"),
        (_own, {"layers": []}, "levels of the encoder"),
    ],
)
def test_backbones_that_mean_nothing_are_refused(backbone, given, message):
    with pytest.raises(AnodiceError, match=message):
        _made(backbone, given=given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": 0}, "model.memory.views .* got 0"),
        ({"entries": 0}, "model.memory.entries .* got 0"),
        ({"patch_weight": -1}, "model.memory.patch_weight of at least 0, got -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(AnodiceError, match=message):
        _made(**changes)


def test_before_training_there_is_no_score():
    with pytest.raises(AnodiceError, match="train the detector first"):
        _made(_resnet)(_images(1, 0))


def test_while_the_encoder_is_trained_the_maps_are_those_of_the_u_net():
    detector, images = _made(), _images(2, 0)
    assert not detector.is_fitted
    with torch.inference_mode():
        expected, scored = detector.network(detector.formatted(images)), detector(images)
    assert torch.equal(scored.maps, expected)
    detector.fit(_batches(), [])
    assert detector.is_fitted
    assert not torch.equal(detector(images).maps, expected)


def test_changed_light_is_remembered_as_normal():
    darker = SimpleNamespace(augment=lambda images: {"image": 0.7 * images, "clean": 0.7 * images})
    with torch.inference_mode():
        plain, knowing = (_fitted(views=24, augmentation=a)(0.7 * _images(4, 1)).scores for a in (None, darker))
    assert (knowing < 0.7 * plain).all()


def test_there_are_as_many_views_as_fit(monkeypatch):
    seen = []
    monkeypatch.setattr("anodice.models.local_memory.Memory.fit", lambda self, features: seen.append(features.shape[2]))
    same = SimpleNamespace(augment=lambda images: {"image": images})
    for views in (5, 12, 35, 36):
        _made(views=views, augmentation=same, patch_weight=0).fit(_batches(), [])
    assert seen == [4, 12, 24, 36]


def test_photos_are_taken_of_every_class_and_from_all_along_it():
    classes = torch.tensor([4] * 50 + [0] * 3 + [2] * 20)
    taken = spread(classes, 30)
    assert [int(taken[classes == k].sum()) for k in (4, 0, 2)] == [13, 3, 13]
    assert taken[0]
    assert taken[49]
    assert spread(classes, 1).sum() == 3


@pytest.mark.slow
def test_real_photos_with_marks_are_stranger_than_without(real_dice_root, data_module):
    data = data_module(real_dice_root, layout=dice11, image_size=SIZE)
    normals = [i for i in data.photos.split.fit if not data.photos.records[i].anomalous]
    held_out = [i for i in data.photos.split.validation if not data.photos.records[i].anomalous][::10]
    images = torch.cat([batch["image"] for batch in data.evaluation_batches(held_out)])
    detector = _made(views=500, entries=32)
    detector.fit(data.evaluation_batches(normals[::10]), [])
    marked = images.clone()
    marked[:, :, 20:30, 26:38] = 1 - marked[:, :, 20:30, 26:38]
    with torch.inference_mode():
        assert (detector(marked).scores > detector(images).scores).float().mean() > 0.95
    assert isinstance(detector, EncoderMemory)
