"""The painter of batches: masks that tell exactly what changed, for any square images, with seeded draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from anodice.augmentation.appearance import Augmentation
from anodice.augmentation.defect_painter import REACH, VISIBLE, DefectAugmentation, DefectPainter
from anodice.dice.drawing.stamps import STAMPERS, Use, draw_stamps
from anodice.dice.renderer import CLASSES, render
from anodice.errors import AnodiceError


def _painter(size=64, stamps=72, share=1.0, seed=0):
    return DefectPainter(image_size=size, stamps=stamps, share=share, seed=seed)


def _dice(count, size=64):
    """Drawn faces of all classes, (count, 1, size, size) in [0, 1]."""
    faces = [render(CLASSES[k % len(CLASSES)], np.random.default_rng(k), size=size).image for k in range(22)]
    return torch.from_numpy(np.stack([faces[k % len(faces)] for k in range(count)]))[:, None].float() / 255


def _noise(count, channels, size):
    """Images that are no dice."""
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(size + channels))


def _check(painter, images):
    before = images.clone()
    painted, masks = painter(images)
    assert torch.equal(images, before)
    assert painted.shape == images.shape
    assert painted.dtype == torch.float32
    assert masks.shape == (len(images), 1, *images.shape[2:])
    assert masks.dtype == torch.bool
    assert painted.min() >= 0
    assert painted.max() <= 1
    assert torch.equal(masks, ((painted - images).abs() > VISIBLE).any(1, keepdim=True))
    return painted, masks


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 45, 64, 128])
def test_masks_tell_exactly_what_changed_on_images_of_any_kind_and_size(size, channels):
    painter = _painter(size=size)
    least = 12 * (size / 128) ** 2
    dice, level = _dice(22, 128), torch.tensor([0.0, 0.4, 1.0])
    dice = torch.nn.functional.interpolate(dice, size=(size, size), mode="area").repeat(1, channels, 1, 1)
    flat = level[:, None, None, None].expand(3, channels, size, size).contiguous()
    for seed, images in enumerate((dice, flat, _noise(8, channels, size))):
        torch.manual_seed(seed)
        _, masks = _check(painter, images)
        assert masks.flatten(1).sum(1).min() >= least


def test_defects_lie_within_reach_of_the_middle():
    torch.manual_seed(0)
    painted, masks = _painter()(_dice(200))
    line = (torch.arange(64) + 0.5) / 32 - 1
    outside = torch.hypot(line[:, None], line) > REACH
    assert not masks[..., outside].any()
    assert torch.equal(painted[..., outside], _dice(200)[..., outside])


def test_the_share_of_painted_images_is_respected_and_the_others_stay_as_they_are():
    torch.manual_seed(0)
    images = _dice(400)
    painted, masks = _check(_painter(share=0.3), images)
    chosen = masks.flatten(1).any(1)
    assert 80 < chosen.sum() < 160
    assert torch.equal(painted[~chosen], images[~chosen])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 16)])
def test_a_share_of_nothing_or_all(share, expected):
    images = _dice(16)
    painted, masks = _painter(share=share)(images)
    assert masks.flatten(1).any(1).sum() == expected
    assert painted.data_ptr() != images.data_ptr()


def test_an_empty_batch_comes_back_empty():
    painted, masks = _painter()(torch.zeros(0, 1, 64, 64))
    assert painted.shape == masks.shape == (0, 1, 64, 64)


def test_the_same_seeds_paint_the_same():
    images = _dice(12)
    results = []
    for bank, draws in ((0, 5), (0, 5), (0, 6), (1, 5)):
        painter = _painter(seed=bank)
        torch.manual_seed(draws)
        results.append(painter(images))
    first, again, other_draws, other_bank = results
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other_draws[1])
    assert not torch.equal(first[1], other_bank[1])


def test_building_a_bank_leaves_the_global_draws_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    _painter()
    assert torch.equal(torch.rand(1), expected)


def test_equal_images_get_different_defects():
    torch.manual_seed(0)
    _, masks = _painter()(_dice(1).expand(16, -1, -1, -1))
    assert len(torch.unique(masks.flatten(1), dim=0)) == 16


def test_about_a_third_of_the_defects_take_a_mark_away():
    torch.manual_seed(0)
    images = _dice(400)
    painted, _ = _painter()(images)
    lighter = ((images < 0.35) & (painted > 0.55)).flatten(1).sum(1) >= 8
    darker = ((images > 0.55) & (painted < 0.35)).flatten(1).sum(1) >= 8
    assert 0.2 < lighter.float().mean() < 0.6
    assert 0.2 < darker.float().mean() < 0.7


def test_defects_are_small_and_large_faint_and_bold():
    torch.manual_seed(0)
    images = _dice(400, size=128)
    painted, masks = _painter(size=128)(images)
    areas = masks.flatten(1).sum(1).float()
    contrast = (painted - images).abs().flatten(1).amax(1)
    assert areas.quantile(0.1) < 150
    assert areas.quantile(0.9) > 800
    assert areas.max() < 0.5 * 128**2
    assert contrast.quantile(0.05) < 0.3
    assert contrast.quantile(0.5) > 0.5


def test_real_photos_get_defects(real_dice_root):
    paths = [next(p for p in sorted((real_dice_root / "train_set" / c).iterdir()) if p.name[0] != ".") for c in CLASSES]
    photos = np.stack([np.asarray(Image.open(path).convert("L")) for path in paths])
    images = torch.from_numpy(photos)[:, None].float() / 255
    torch.manual_seed(0)
    _, masks = _check(_painter(size=128), images)
    assert masks.flatten(1).sum(1).min() >= 12


def test_painting_is_as_exact_in_mixed_precision():
    painter, images = _painter(), _dice(12)
    torch.manual_seed(0)
    expected, _ = painter(images)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        painted, _ = painter(images)
    torch.testing.assert_close(painted, expected, rtol=0, atol=1e-5)


def test_the_bank_is_not_part_of_a_checkpoint_and_gradients_do_not_flow():
    painter = _painter()
    assert painter.state_dict() == {}
    painted, _ = painter(_dice(4).requires_grad_())
    assert not painted.requires_grad


@pytest.mark.parametrize("size", [32, 45, 128])
def test_each_kind_of_stamp_is_drawn_in_turn_and_covers_something(size):
    stamps = draw_stamps(3 * len(STAMPERS), size=size, seed=3)
    assert stamps.opacity.shape == (3 * len(STAMPERS), size, size)
    assert stamps.opacity.reshape(len(stamps.use), -1).max(1).min() > 40
    assert stamps.use[: len(STAMPERS)].tolist() == [use for use, _ in STAMPERS]
    assert set(stamps.use.tolist()) == set(Use)
    assert stamps.reach.min() > 0
    assert stamps.reach.max() < 1.42


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 1, 64, 48),
        torch.zeros(2, 1, 32, 32),
        torch.zeros(1, 64, 64),
        torch.zeros(2, 1, 64, 64, dtype=torch.uint8),
        torch.zeros(2, 1, 64, 64, dtype=torch.float16),
    ],
    ids=["oblong", "other size", "three axes", "integers", "half"],
)
def test_images_of_another_shape_or_type_are_refused(images):
    with pytest.raises(AnodiceError, match=r"expected float32 images \(N, C, 64, 64\) in \[0, 1\] .* got torch"):
        _painter()(images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 31}, r"painter.image_size .* at least 32, got 31"),
        ({"size": 64.0}, r"painter.image_size .* whole number .* got 64.0"),
        ({"stamps": 3}, rf"painter.stamps .* at least {len(STAMPERS)}, got 3"),
        ({"share": 1.2}, r"painter.share between 0 and 1, got 1.2"),
        ({"share": float("nan")}, r"painter.share between 0 and 1, got nan"),
        ({"seed": -1}, r"painter.seed .* at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(AnodiceError, match=message):
        _painter(**changes)


def _brighter(amount):
    kinds = ("brightness", "contrast", "gamma", "glare", "blur", "noise", "shift", "rotation")
    return Augmentation(**(dict.fromkeys(kinds, 0.0) | {"brightness": amount}))


def test_painted_batches_keep_the_images_from_before_the_painting():
    found = DefectAugmentation(before=_brighter(0.0), painter=_painter()).augment(_dice(4))
    assert found.keys() == {"image", "clean"}
    torch.testing.assert_close(found["clean"], _dice(4))
    changed = (found["image"] - found["clean"]).abs() > VISIBLE
    assert changed.flatten(1).any(1).all()


def test_the_images_from_before_the_painting_are_augmented():
    torch.manual_seed(0)
    found = DefectAugmentation(before=_brighter(0.1), painter=_painter(share=0.0)).augment(_dice(4))
    assert torch.equal(found["image"], found["clean"])
    torch.manual_seed(0)
    assert torch.equal(found["clean"], _brighter(0.1)(_dice(4)))
    assert not torch.equal(found["clean"], _dice(4))
