"""What the project on dishes changed of its pictures."""

from __future__ import annotations

import torch

from anodice.augmentation.dishes import DishAugmentation


def _images(count=64):
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_images_are_mirrored_about_half_the_time():
    torch.manual_seed(0)
    images = _images(200)
    changed = DishAugmentation(rotation=0, dimmest=1)(images)
    same = torch.isclose(changed, images, atol=1e-5).flatten(1).all(1)
    mirrored = torch.isclose(changed, images.flip(3), atol=1e-5).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_images_are_dimmed_down_to_the_limit_and_turned_within_theirs():
    torch.manual_seed(0)
    white = DishAugmentation(rotation=20, dimmest=0.5)(torch.ones(100, 1, 8, 8))
    levels = white.flatten(1)
    assert torch.allclose(levels.amin(1), levels.amax(1), atol=1e-5)  # the border is repeated, not black
    assert 0.5 <= levels.min() < 0.55
    assert 0.95 < levels.max() <= 1
    assert not torch.allclose(DishAugmentation(rotation=20, dimmest=1)(_images()), _images())
