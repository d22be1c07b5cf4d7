"""Perturbations: graded, seeded by image, and what each does to a picture."""

from __future__ import annotations

import pytest
import torch

from anodice.augmentation.perturbations import PERTURBATIONS, SEVERITIES
from anodice.data.image_format import ImageFormat
from anodice.data.layouts import dice11
from anodice.data.photos import read_photos
from anodice.data.splitting.strategies import Published
from anodice.errors import AnodiceError

NAMES = sorted(PERTURBATIONS)
MOVING = {"shift", "rotation"}


@pytest.fixture
def images():
    """Five light faces with dark marks on a dark ground: (5, 1, 64, 64)."""
    made = torch.full((5, 1, 64, 64), 0.1)
    made[..., 6:-6, 6:-6] = 0.8
    made[..., 16:24, 16:24] = 0.05
    made[..., 34:50, 30:40] = 0.2
    return made


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_images_stay_images(name, channels, images):
    images = images.expand(-1, channels, -1, -1)
    before = images.clone()
    for severity in SEVERITIES:
        changed = PERTURBATIONS[name](images, severity=severity, indices=range(5))
        assert changed.shape == images.shape
        assert changed.dtype == torch.float32
        assert 0 <= changed.min() <= changed.max() <= 1
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", NAMES)
def test_every_severity_changes_more_than_the_one_below(name, images):
    changes = [
        (PERTURBATIONS[name](images, severity=severity, indices=range(5)) - images).abs().mean().item()
        for severity in SEVERITIES
    ]
    assert changes[0] > 0
    assert changes == sorted(changes)
    assert len(set(changes)) == len(changes)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_changed_alike_in_every_batch(name, images):
    images = images + 0.02 * torch.arange(5).view(-1, 1, 1, 1)
    perturbation = PERTURBATIONS[name]
    whole = perturbation(images, severity=4, indices=torch.tensor([3, 40, 5, 600, 7]))
    part = perturbation(images[[3, 1]], severity=4, indices=[600, 40])
    torch.testing.assert_close(part, whole[[3, 1]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["brightness", "contrast", "gamma", "noise", "shift", "rotation", "glare"])
def test_index_and_seed_draw_the_change(name, images):
    same = images[:1].expand(16, -1, -1, -1)
    perturbation = PERTURBATIONS[name]
    first = perturbation(same, severity=3, indices=range(16), seed=0)
    assert torch.equal(first, perturbation(same, severity=3, indices=range(16), seed=0))
    assert not torch.equal(first, perturbation(same, severity=3, indices=range(16), seed=1))
    assert len({tuple(image.flatten().tolist()) for image in first}) >= 2


@pytest.mark.parametrize("name", ["brightness", "contrast", "gamma", "shift", "rotation", "glare"])
def test_a_severity_only_makes_the_same_change_stronger(name, images):
    mild, strong = (
        (PERTURBATIONS[name](images, severity=severity, indices=range(5)) - images).flatten(1) for severity in (1, 2)
    )
    assert (torch.cosine_similarity(mild, strong) > 0.8).all()


def test_brightness_goes_up_for_some_and_down_for_others():
    grey = torch.full((40, 1, 8, 8), 0.5)
    levels = PERTURBATIONS["brightness"](grey, severity=3, indices=range(40)).mean((1, 2, 3))
    assert (levels - 0.5).abs().allclose(torch.tensor(0.09), atol=1e-6)
    assert 8 < (levels > 0.5).sum() < 32


def test_contrast_keeps_mid_grey_and_gamma_keeps_black_and_white():
    grey = torch.full((4, 1, 8, 8), 0.5)
    torch.testing.assert_close(PERTURBATIONS["contrast"](grey, severity=5, indices=range(4)), grey)
    for level in (0.0, 1.0):
        flat = torch.full((4, 1, 8, 8), level)
        torch.testing.assert_close(PERTURBATIONS["gamma"](flat, severity=5, indices=range(4)), flat)


def test_noise_has_the_deviation_of_its_grade():
    grey = torch.full((2, 1, 128, 128), 0.5)
    for severity, deviation in zip(SEVERITIES, PERTURBATIONS["noise"].amounts, strict=True):
        noisy = PERTURBATIONS["noise"](grey, severity=severity, indices=range(2))
        assert noisy.std().item() == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_shifts_are_as_long_as_their_grade_in_every_direction(size):
    line = torch.arange(size) + 0.5 - size / 2
    dots = (-(line[:, None].square() + line.square()) / (size / 16) ** 2).exp().expand(12, 1, -1, -1)
    for severity, distance in zip(SEVERITIES, PERTURBATIONS["shift"].amounts, strict=True):
        moved = PERTURBATIONS["shift"](dots, severity=severity, indices=range(12))[:, 0]
        mass = moved.sum((1, 2))
        x, y = (moved * line).sum((1, 2)) / mass, (moved * line[:, None]).sum((1, 2)) / mass
        torch.testing.assert_close(torch.hypot(x, y), torch.full((12,), distance * size / 128), rtol=0, atol=0.1)
        assert (x > 0).any()
        assert (x < 0).any()


def test_rotations_turn_by_their_grade_about_the_middle():
    line = torch.arange(128) - 63.5
    bar = (-(line / 3).square()).exp().expand(1, 1, 128, 128)  # upright
    for severity, degrees in zip(SEVERITIES, PERTURBATIONS["rotation"].amounts, strict=True):
        turned = PERTURBATIONS["rotation"](bar, severity=severity, indices=[0])[0, 0]
        middles = (turned * line).sum(1) / turned.sum(1)
        slope = (middles[100] - middles[27]) / (100 - 27)
        assert slope.abs().atan().rad2deg().item() == pytest.approx(degrees, abs=0.1)
        assert middles[63:65].mean().item() == pytest.approx(0, abs=0.05)


def test_blur_and_jpeg_keep_a_flat_image():
    flat = torch.full((2, 1, 32, 32), 128 / 255)
    for name in ("blur", "jpeg"):
        torch.testing.assert_close(PERTURBATIONS[name](flat, severity=5, indices=range(2)), flat, rtol=0, atol=1e-3)


def test_glare_lights_one_side_and_leaves_holes_dark():
    face = torch.full((20, 1, 64, 64), 0.6)
    added = PERTURBATIONS["glare"](face, severity=3, indices=range(20)) - face
    assert (added > -1e-6).all()
    assert added.amax((1, 2, 3)).allclose(torch.tensor(0.12), atol=0.005)
    assert (added.amin((1, 2, 3)) < 0.001).all()
    in_holes = PERTURBATIONS["glare"](torch.full_like(face, 0.04), severity=3, indices=range(20)) - 0.04
    assert in_holes.max() < 0.2 * 0.12


@pytest.mark.parametrize("severity", [0, 6, 2.5])
def test_other_severities_are_refused(severity, images):
    with pytest.raises(AnodiceError, match=f"from 1 .* to 5 .*, got {severity}"):
        PERTURBATIONS["blur"](images, severity=severity, indices=range(5))


def test_indices_must_match_the_images(images):
    with pytest.raises(AnodiceError, match="an index for each of 5 images, got 3"):
        PERTURBATIONS["noise"](images, severity=1, indices=range(3))


def test_real_photos_stay_recognisable(real_dice_root, tmp_path):
    published = Published(validation_fraction=0.1, test_fraction=0.2)
    photos = read_photos(real_dice_root, dice11, ImageFormat(128, 1), published, cache_dir=tmp_path)
    rows = photos.rows[list(photos.split.test[::10])]
    images = torch.from_numpy(photos.pixels[rows]).permute(0, 3, 1, 2).float() / 255
    for name in NAMES:
        mild, strong = (PERTURBATIONS[name](images, severity=s, indices=range(len(images))) for s in (1, 5))
        assert (mild - images).abs().mean((1, 2, 3)).max() < (0.05 if name in MOVING else 0.031), name
        if name not in MOVING:  # a pip that has moved by its width is still a pip
            for before, after in zip(images, strong, strict=True):
                assert torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1] > 0.85, name
