"""PaDiM: its distances against NumPy's covariances, what it keeps of how many photos, and the detectors it makes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anodice.augmentation.defect_painter import DefectPainter
from anodice.errors import AnodiceError
from anodice.models.defect_unet import UNet
from anodice.models.memory_detector import BackboneMemory, EncoderMemory
from anodice.models.optimizers import adam
from anodice.models.padim import PatchGaussians
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import Max

SIZE, PLACES = 32, 64


def _memory(*, smoothing=0.0, border_radius=None, image_size=SIZE, **changes):
    score = MapScore(smoothing=smoothing, border_radius=border_radius, pooling=Max(), image_size=image_size)
    return PatchGaussians(**changes, score=score, image_size=image_size)


def _layers(images):
    """Three features of 8x8 places and two of 4x4."""
    fine, coarse = F.avg_pool2d(images, 4), F.avg_pool2d(images, 8)
    return [torch.cat([fine, fine.square(), 1 - fine], 1), torch.cat([coarse, coarse.square()], 1)]


def _images(count, seed):
    return torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def _batches(images, size=3):
    return [{"image": images[k : k + size]} for k in range(0, len(images), size)]


def _fitted(images, **changes):
    memory = _memory(**changes)
    memory.fit(_layers, _batches(images), [])
    return memory


def _vectors(images):
    """(N, 64, 5): the coarse ones four times."""
    fine, coarse = (layer.double().numpy() for layer in _layers(images))
    return (
        np.concatenate([fine, coarse.repeat(2, 2).repeat(2, 3)], 1).reshape(len(images), 5, PLACES).transpose(0, 2, 1)
    )


def _distances(normal, images, *, chosen=slice(None), regularisation=0.01):
    """(N, 64), as the paper writes them."""
    known, found = _vectors(normal)[..., chosen], []
    for place, vectors in enumerate(_vectors(images)[..., chosen].transpose(1, 0, 2)):
        covariance = np.cov(known[:, place].T) + regularisation * np.eye(known.shape[2])
        apart = vectors - known[:, place].mean(0)
        found.append(np.sqrt(np.einsum("nd,de,ne->n", apart, np.linalg.inv(covariance), apart)))
    return np.array(found).T


@pytest.mark.parametrize("regularisation", [0.01, 1.0])
def test_maps_are_mahalanobis_distances_and_the_score_their_maximum(regularisation):
    normal, images = _images(10, seed=0), _images(4, seed=1)
    maps, scores = _fitted(normal, regularisation=regularisation)(_layers(images), images)
    expected = torch.from_numpy(_distances(normal, images, regularisation=regularisation)).float().view(4, 1, 8, 8)
    enlarged = F.interpolate(expected, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps, enlarged, rtol=1e-3, atol=1e-3)
    assert scores.dtype == torch.float64
    torch.testing.assert_close(scores, maps.amax((1, 2, 3)).double())


def test_a_seeded_choice_of_the_features_is_looked_at():
    normal, images = _images(10, seed=0), _images(4, seed=1)
    memory = _fitted(normal, features=3, seed=5)
    assert len(set(memory.chosen.tolist()) & set(range(5))) == 3
    assert memory.whitening.shape == (PLACES, 3, 3)
    maps, _ = memory(_layers(images), images)
    expected = _distances(normal, images, chosen=memory.chosen.numpy())
    centres = maps[:, 0, 2::4, 2::4].flatten(1) + maps[:, 0, 1::4, 1::4].flatten(1)  # on either side of each place
    assert np.corrcoef(centres.numpy().flatten(), expected.flatten())[0, 1] > 0.9
    assert torch.equal(_fitted(normal, features=3, seed=5).chosen, memory.chosen)
    assert {tuple(_fitted(normal, features=3, seed=seed).chosen.tolist()) for seed in range(5)} != {
        tuple(memory.chosen.tolist())
    }


def test_batches_of_any_size_give_the_same_gaussians():
    normal = 100 + _images(12, seed=0)  # far from 0, where sums of squares would lose the differences
    whole, parts = _memory(), _memory()
    whole.fit(_layers, _batches(normal, 12), [])
    parts.fit(_layers, [{"image": normal[:0]}, *_batches(normal, 5)], [])
    torch.testing.assert_close(parts.mean, whole.mean)
    images = normal + 0.1
    torch.testing.assert_close(
        parts(_layers(images), images)[1], whole(_layers(images), images)[1], rtol=1e-2, atol=1e-3
    )


def test_what_is_kept_does_not_grow_with_the_photos():
    few, many = _fitted(_images(4, seed=0)), _fitted(_images(40, seed=0))
    assert [b.shape for b in few.buffers()] == [b.shape for b in many.buffers()]


def test_one_photo_is_enough():
    normal = _images(1, seed=0)
    maps, scores = _fitted(normal)(_layers(normal + 0.1), normal)
    assert maps.isfinite().all()
    apart = np.linalg.norm(_vectors(normal + 0.1) - _vectors(normal), axis=2) / 0.1
    assert scores.item() == pytest.approx(apart.max(), rel=0.03)  # no pixel of a map lies in the middle of a place


def test_fitting_again_forgets_what_was_fitted():
    memory = _fitted(_images(8, seed=3))
    memory.fit(_layers, _batches(_images(6, seed=0)), [])
    again = _fitted(_images(6, seed=0))
    assert torch.equal(memory.mean, again.mean)
    assert torch.equal(memory.whitening, again.whitening)


def test_the_gaussians_travel_in_the_state_dict_whatever_their_size():
    memory, other, images = _fitted(_images(6, seed=0), features=4), _memory(features=4), _images(3, seed=1)
    other.load_state_dict(memory.state_dict())
    assert other.is_filled
    for mine, theirs in zip(memory(_layers(images), images), other(_layers(images), images), strict=True):
        assert torch.equal(mine, theirs)


def test_before_it_is_fitted_it_refuses_to_score():
    memory = _memory()
    assert not memory.is_filled
    with pytest.raises(AnodiceError, match=r"expected Gaussians of normal photos .* train the detector first"):
        memory(_layers(_images(1, seed=0)), _images(1, seed=0))
    with pytest.raises(AnodiceError, match="expected normal photos to take the Gaussians of, got none"):
        memory.fit(_layers, [], [])


def _own(memory):
    network = UNet(in_channels=1, image_size=64, widths=[8, 8])
    painter = DefectPainter(image_size=64, stamps=36, share=0.5, seed=0)
    return EncoderMemory(network, layers=[0, 1], memory=memory, painter=painter, optimizer=adam)


def _resnet(memory):
    layers = ["layer1", "layer2"]
    return BackboneMemory(name="resnet18", layers=layers, weights=None, memory=memory, image_size=64, in_channels=1)


@pytest.mark.parametrize("backbone", [_own, _resnet])
@torch.inference_mode()
def test_a_detector_with_these_gaussians_finds_a_mark(backbone):
    torch.manual_seed(0)
    ramp = torch.linspace(0.2, 0.8, 64).expand(1, 1, 64, 64)
    normal = ramp + 0.01 * torch.randn(14, 1, 64, 64)
    detector = backbone(_memory(image_size=64, features=12, smoothing=2.0)).eval()
    assert not detector.is_fitted
    detector.fit(_batches(normal[:12]), [])
    assert detector.is_fitted
    marked = normal[12:].clone()
    marked[..., 42:50, 40:48] = 1
    plain, found = detector(normal[12:]), detector(marked)
    assert (found.scores > plain.scores.max()).all()
    places = found.maps.flatten(1).argmax(1)
    assert ((places // 64 > 34) & (places % 64 > 32)).all()


@pytest.mark.parametrize(
    ("key", "value"),
    [("features", 0), ("features", 2.5), ("regularisation", 0), ("regularisation", float("nan"))],
)
def test_settings_that_mean_nothing_are_refused(key, value):
    with pytest.raises(AnodiceError, match=rf"model\.memory\.{key} .* got {value!r}"):
        _memory(**{key: value})
