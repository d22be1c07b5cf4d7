"""PatchCore: its score against a brute-force NumPy one, what it keeps, and that it does not mind where a patch lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2.functional import gaussian_blur

from anodice.augmentation.defect_painter import DefectPainter
from anodice.errors import AnodiceError
from anodice.models.defect_unet import UNet
from anodice.models.memory_detector import BackboneMemory, EncoderMemory
from anodice.models.optimizers import adam
from anodice.models.patchcore import PatchMemory
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import Max

SIZE, PLACES = 32, 64


def _memory(*, smoothing=0.0, border_radius=None, image_size=SIZE, **changes):
    score = MapScore(smoothing=smoothing, border_radius=border_radius, pooling=Max(), image_size=image_size)
    return PatchMemory(
        **({"coreset": 1.0, "photos": 100, "neighbours": 5} | changes), score=score, image_size=image_size
    )


def _layers(images):
    """Three features of 8x8 places and two of 4x4, which turn and shift with the image."""
    fine, coarse = F.avg_pool2d(images, 4), F.avg_pool2d(images, 8)
    return [torch.cat([fine, fine.square(), 1 - fine], 1), torch.cat([coarse, coarse.square()], 1)]


def _images(count, seed):
    return torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def _batches(images):
    classes = torch.arange(len(images)) % 2
    return [{"image": images[k : k + 2], "class": classes[k : k + 2]} for k in range(0, len(images), 2)]


def _fitted(images=None, **changes):
    memory = _memory(**changes)
    memory.fit(_layers, _batches(_images(4, seed=0) if images is None else images), [])
    return memory


def _doubled(maps):
    """Bilinear enlargement by 2 of (N, D, h, w)."""
    for axis in (2, 3):
        maps = np.moveaxis(maps, axis, -1)
        before = np.concatenate([maps[..., :1], maps[..., :-1]], -1)
        after = np.concatenate([maps[..., 1:], maps[..., -1:]], -1)
        pair = np.stack([0.75 * maps + 0.25 * before, 0.75 * maps + 0.25 * after], -1)
        maps = np.moveaxis(pair.reshape(*maps.shape[:-1], -1), -1, axis)
    return maps


def _averaged(maps):
    """Over 3x3 places, of which those outside are 0."""
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = maps.shape[2:]
    return sum(padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9


def _patches(images):
    """(N, 64, 5)."""
    fine, coarse = (_averaged(layer.double().numpy()) for layer in _layers(images))
    return np.concatenate([fine, _doubled(coarse)], 1).reshape(len(images), 5, PLACES).transpose(0, 2, 1)


def _expected(normal, images, neighbours):
    """Distances (N, 64) and scores (N,) as the paper writes them."""
    entries = _patches(normal).reshape(-1, 5).astype(np.float16).astype(float)
    distances, scores = [], []
    for patches in _patches(images):
        between = np.linalg.norm(patches[:, None] - entries, axis=2)
        least = between.min(1)
        farthest = least.argmax()
        nearest = entries[between[farthest].argmin()]
        around = entries[np.linalg.norm(entries - nearest, axis=1).argsort()[:neighbours]]
        to_others = np.exp(np.linalg.norm(patches[farthest] - around, axis=1))
        distances.append(least)
        scores.append((1 - np.exp(least[farthest]) / to_others.sum()) * least[farthest])
    return np.array(distances), np.array(scores)


@pytest.mark.parametrize("neighbours", [2, 5, 1000])
def test_scores_are_those_of_the_paper(neighbours):
    normal, images = _images(4, seed=0), _images(6, seed=1) * 3
    memory = _fitted(normal, neighbours=neighbours)
    _, scores = memory(_layers(images), images)
    _, expected = _expected(normal, images, neighbours)
    assert scores.dtype == torch.float64
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-3)


def test_without_neighbours_the_score_is_the_largest_distance():
    normal, images = _images(4, seed=0), _images(6, seed=1)
    distances, _ = _expected(normal, images, 1)
    _, scores = _fitted(normal, neighbours=1)(_layers(images), images)
    np.testing.assert_allclose(scores.numpy(), distances.max(1), rtol=1e-3)


@pytest.mark.parametrize("smoothing", [0.0, 2.0])
def test_maps_are_the_distances_enlarged_and_smoothed(smoothing):
    normal, images = _images(4, seed=0), _images(3, seed=1)
    maps, _ = _fitted(normal, smoothing=smoothing)(_layers(images), images)
    distances = torch.from_numpy(_expected(normal, images, 5)[0]).float().view(3, 1, 8, 8)
    expected = F.interpolate(distances, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    if smoothing:
        expected = gaussian_blur(expected, kernel_size=13, sigma=smoothing)
    torch.testing.assert_close(maps, expected, rtol=0, atol=2e-3)


def test_a_patch_far_from_everything_has_a_finite_score_of_no_more_than_its_distance():
    images = 1000 * _images(2, seed=1)
    maps, scores = _fitted()(_layers(images), images)
    assert scores.isfinite().all()
    assert (scores <= maps.amax((1, 2, 3)).double() * 1.01).all()
    assert (scores > 0).all()


def test_photos_that_are_remembered_have_no_distance():
    images = _images(4, seed=0)
    maps, scores = _fitted(images)(_layers(images), images)
    assert maps.max() < 5e-3
    assert scores.max() < 5e-3


@pytest.mark.parametrize(("coreset", "entries"), [(1.0, 256), (0.5, 128), (0.01, 3), (1e-6, 1)])
def test_the_coreset_is_that_share_of_all_patches(coreset, entries):
    memory = _fitted(coreset=coreset)
    assert memory.bank.shape == (entries, 5)
    known = _patches(_images(4, seed=0)).reshape(-1, 5)
    for entry in memory.bank.numpy():
        assert np.linalg.norm(known - entry, axis=1).min() < 2e-3


@pytest.mark.parametrize(("photos", "taken"), [(100, 10), (4, 4), (1, 2)])
def test_as_many_photos_of_each_class_give_patches(photos, taken):
    assert len(_fitted(_images(10, seed=0), photos=photos).bank) == taken * PLACES


def test_held_out_photos_are_not_remembered():
    memory = _memory()
    memory.fit(_layers, _batches(_images(4, seed=0)), _batches(_images(4, seed=1)))
    assert torch.equal(memory.bank, _fitted().bank)


def test_fitting_again_forgets_what_was_fitted():
    memory = _fitted(_images(8, seed=3))
    memory.fit(_layers, _batches(_images(4, seed=0)), [])
    assert torch.equal(memory.bank, _fitted().bank)


def test_the_memory_travels_in_the_state_dict_whatever_its_size():
    memory, other, images = _fitted(coreset=0.3), _memory(), _images(3, seed=1)
    other.load_state_dict(memory.state_dict())
    assert other.is_filled
    for mine, theirs in zip(memory(_layers(images), images), other(_layers(images), images), strict=True):
        assert torch.equal(mine, theirs)


def test_an_unfilled_memory_refuses_to_score():
    memory = _memory()
    assert not memory.is_filled
    with pytest.raises(AnodiceError, match=r"expected patches of normal photos .* got none; train the detector first"):
        memory(_layers(_images(1, seed=0)), _images(1, seed=0))


def _scene():
    """A bright die with a dark mark, alone on flat ground."""
    image = torch.full((1, 1, 96, 96), 0.2)
    image[..., 32:48, 32:48] = 0.8
    image[..., 32:40, 32:40] = 0.1
    return image


def test_patches_outside_the_border_do_not_count():
    plain = torch.full((1, 1, 64, 64), 0.2)
    in_the_corner, inside = plain.clone(), plain.clone()
    in_the_corner[..., :4, :4] = 1
    inside[..., 30:34, 30:34] = 1
    memory = _memory(image_size=64, border_radius=0.8)
    memory.fit(lambda images: _layers(images)[:1], _batches(plain), [])
    scores = [memory(_layers(images)[:1], images)[1].item() for images in (plain, in_the_corner, inside)]
    assert scores[1] == scores[0]
    assert scores[2] > scores[0] + 0.05
    maps, _ = memory(_layers(in_the_corner)[:1], in_the_corner)
    assert (maps[..., :4, :4] == maps.min()).all()


@pytest.mark.parametrize(
    "moved",
    [
        lambda images: images.roll((-8, 16), (2, 3)),
        lambda images: images.rot90(1, (2, 3)),
        lambda images: images.rot90(2, (2, 3)),
        lambda images: images.flip(3),
    ],
    ids=["shifted", "quarter turn", "half turn", "mirrored"],
)
def test_where_an_object_lies_and_how_it_is_turned_does_not_matter(moved):
    normal, marked = _scene(), _scene()
    marked[..., 42:46, 42:46] = 0
    memory = _fitted(normal, image_size=96)
    maps, scores = memory(_layers(moved(normal)), moved(normal))
    assert maps.max() < 5e-3
    before, after = memory(_layers(marked), marked), memory(_layers(moved(marked)), moved(marked))
    assert before[1].item() > 0.05
    torch.testing.assert_close(after[1], before[1], rtol=0, atol=1e-3)
    torch.testing.assert_close(after[0], moved(before[0]), rtol=0, atol=1e-3)
    assert scores.max() < 5e-3


def _own(memory):
    network = UNet(in_channels=1, image_size=64, widths=[8, 8])
    painter = DefectPainter(image_size=64, stamps=36, share=0.5, seed=0)
    return EncoderMemory(network, layers=[0, 1], memory=memory, painter=painter, optimizer=adam)


def _resnet(memory):
    layers = ["layer1", "layer2"]
    return BackboneMemory(name="resnet18", layers=layers, weights=None, memory=memory, image_size=64, in_channels=1)


@pytest.mark.parametrize("backbone", [_own, _resnet])
@torch.inference_mode()
def test_a_detector_with_this_memory_finds_a_mark(backbone):
    torch.manual_seed(0)
    normal = _scene()[..., 16:80, 16:80] + 0.01 * torch.randn(6, 1, 64, 64)
    detector = backbone(_memory(image_size=64, coreset=0.2)).eval()
    assert not detector.is_fitted
    detector.fit(_batches(normal[:4]), [])
    assert detector.is_fitted
    marked = normal[4:].clone()
    marked[..., 42:50, 40:48] = 1
    plain, found = detector(normal[4:]), detector(marked)
    assert (found.scores > plain.scores.max()).all()
    places = found.maps.flatten(1).argmax(1)
    assert ((places // 64 > 34) & (places % 64 > 32)).all()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("coreset", 0),
        ("coreset", 1.5),
        ("coreset", float("nan")),
        ("photos", 0),
        ("photos", 2.5),
        ("neighbours", 0),
        ("neighbours", "9"),
    ],
)
def test_settings_that_mean_nothing_are_refused(key, value):
    with pytest.raises(AnodiceError, match=rf"model\.memory\.{key} .* got {value!r}"):
        _memory(**{key: value})
