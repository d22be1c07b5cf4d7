"""Every comparison against its definition, and what all of them promise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from anodice.baselines.comparisons import (
    MSE,
    MSSSIM,
    NCC,
    SSIM,
    AbsDiff,
    DarkBand,
    PixelCount,
    PlainNCC,
    WrappedMSE,
    wrapped_mse,
)
from anodice.baselines.contours import Contours, drawing
from anodice.baselines.glare import remove_glare
from anodice.functional.ssim import ms_ssim

COMPARISONS = [MSE(), WrappedMSE(), SSIM(), MSSSIM(), NCC(), PlainNCC(), Contours(), AbsDiff(), DarkBand()]
every_comparison = pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: type(c).__name__)


def _dice(count, size=128, *, noise=0.02, seed=0):
    """Light disks on black, each with a dark pip at a place of its own, in 8-bit levels."""
    axis = torch.linspace(-1, 1, size)
    disk = axis[:, None].square() + axis.square() < 0.85
    images = torch.where(disk, 0.75, 0.1).repeat(count, 1, 1, 1)
    for k in range(count):
        x, y = 0.5 * np.cos(2 * k), 0.5 * np.sin(2 * k)
        images[k, 0][(axis[:, None] - y).square() + (axis - x).square() < 0.04] = 0.1
    generator = torch.Generator().manual_seed(seed)
    images += noise * torch.randn(images.shape, generator=generator)
    return (images * 255).round().clamp(1, 255) / 255


def _levels(*values):
    return torch.tensor(values, dtype=torch.uint8).view(1, 1, 1, -1)


@every_comparison
@pytest.mark.parametrize("size", [64, 128, 150])
def test_each_image_finds_its_class_and_has_a_map(comparison, size):
    templates = comparison.template(_dice(4, size, noise=0))
    images = comparison.prepare(_dice(4, size))
    values, classes = comparison.compare(images, templates)
    assert values.shape == (4,)
    assert classes.tolist() == [0, 1, 2, 3]
    assert comparison.matches(images, templates).argmin(1).tolist() == [0, 1, 2, 3]
    assert comparison.distances(images, templates).shape == (4, 4)
    found = comparison.assess(images, templates)
    assert torch.equal(found[0], values)
    assert torch.equal(found[1], classes)
    maps = comparison.maps(images, templates[classes])
    torch.testing.assert_close(found[2], maps)
    if type(comparison) in (MSE, NCC, SSIM, WrappedMSE):
        torch.testing.assert_close(values, comparison.distances(images, templates).amin(1), rtol=1e-4, atol=1e-6)
    assert maps.shape == (4, 1, size, size)
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()


@every_comparison
def test_an_image_does_not_depend_on_its_batch(comparison):
    templates = comparison.template(_dice(3, noise=0))
    images = _dice(3)
    together, _ = comparison.compare(comparison.prepare(images), templates)
    alone = [comparison.compare(comparison.prepare(image[None]), templates)[0] for image in images]
    torch.testing.assert_close(together, torch.cat(alone))


@every_comparison
def test_images_and_templates_are_not_changed(comparison):
    images, means = _dice(3), _dice(3, noise=0)
    kept = images.clone(), means.clone()
    prepared, templates = comparison.prepare(images), comparison.template(means)
    comparison.compare(prepared, templates)
    comparison.maps(prepared, templates)
    assert torch.equal(images, kept[0])
    assert torch.equal(means, kept[1])


@pytest.mark.parametrize("comparison", [MSE(), SSIM(), MSSSIM(), NCC(), AbsDiff()], ids=lambda c: type(c).__name__)
def test_a_dark_mark_raises_the_value_and_shows_in_the_map(comparison):
    templates = comparison.template(_dice(4, noise=0))
    images = _dice(4)
    marked = images.clone()
    marked[:, :, 58:70, 58:70] = 0.1
    before, _ = comparison.compare(comparison.prepare(images), templates)
    after, classes = comparison.compare(comparison.prepare(marked), templates)
    assert classes.tolist() == [0, 1, 2, 3]
    assert (after > before).all()
    maps = comparison.maps(comparison.prepare(marked), templates[classes])
    assert (maps[:, :, 60:68, 60:68].mean((1, 2, 3)) > 2 * maps.mean((1, 2, 3))).all()


@pytest.mark.parametrize("comparison", [MSE(), WrappedMSE(), NCC(), PlainNCC()], ids=lambda c: type(c).__name__)
def test_the_map_averages_to_the_distance(comparison):
    templates, images = comparison.template(_dice(4, noise=0)), comparison.prepare(_dice(4))
    distances = comparison.distances(images, templates).diagonal()
    torch.testing.assert_close(comparison.maps(images, templates).mean((1, 2, 3)), distances, rtol=1e-4, atol=1e-6)


def test_mse_is_the_mean_squared_error():
    images, templates = _dice(3), _dice(2, seed=1)
    expected = [[(x - t).square().mean() for t in templates] for x in images]
    torch.testing.assert_close(MSE().distances(images, templates), torch.tensor(expected), rtol=1e-5, atol=1e-7)


def test_wrapped_mse_wraps_the_difference_and_its_square():
    # 10 - 13 = 253, 253² = 64009 = 250 * 256 + 9; 20² = 400 = 256 + 144; 200 - 100 = 100, 100² = 39 * 256 + 16.
    templates, images = _levels(10, 20, 200, 7), _levels(13, 0, 100, 7)
    assert wrapped_mse(templates, images).item() == (9 + 144 + 16 + 0) / 4


def test_wrapped_mse_hides_a_difference_of_sixteen_levels():
    templates = _levels(*range(0, 240, 7))
    assert wrapped_mse(templates, templates + 16).item() == 0


def test_wrapped_mse_of_photos_is_that_of_numpy_in_uint8():
    images, templates = _dice(2), WrappedMSE().template(_dice(2, noise=0))
    x, t = (np.round(side[:, 0].numpy() * 255).astype(np.uint8) for side in (images, templates))
    expected = [[np.mean((b - a) ** 2) for b in t] for a in x]
    torch.testing.assert_close(WrappedMSE().distances(images, templates), torch.tensor(expected).float())


def test_wrapped_mse_cuts_the_decimals_of_a_template_but_no_whole_level():
    means = torch.tensor([7.0, 7.9, 254.99999, 255.0]).view(1, 1, 1, 4) / 255
    levels = WrappedMSE().template(means) * 255
    torch.testing.assert_close(levels, torch.tensor([7.0, 7.0, 255.0, 255.0]).view(1, 1, 1, 4))


def test_ms_ssim_compares_stretched_templates_with_images_without_glare():
    means = 0.2 + 0.5 * _dice(3, noise=0)
    comparison = MSSSIM()
    templates = comparison.template(means)
    assert templates.flatten(1).amin(1).tolist() == [0, 0, 0]
    assert templates.flatten(1).amax(1).tolist() == [1, 1, 1]
    images = comparison.prepare(_dice(3))
    torch.testing.assert_close(images, remove_glare(_dice(3)))
    values, classes = comparison.compare(images, templates)
    torch.testing.assert_close(values, 1 - ms_ssim(images, templates[classes]))
    torch.testing.assert_close(values, comparison.distances(images, templates).diagonal())


def test_ncc_is_pearsons_correlation_of_the_masked_images():
    comparison = NCC()
    images, templates = comparison.prepare(_dice(2)), comparison.template(_dice(2, seed=1))
    assert images[0, 0, 0, 0] == 1
    expected = [[1 - np.corrcoef(x.numpy().ravel(), t.numpy().ravel())[0, 1] for t in templates] for x in images]
    np.testing.assert_allclose(comparison.distances(images, templates).numpy(), expected, rtol=0, atol=1e-5)


def test_ncc_does_not_mind_the_light_and_takes_black_for_white():
    comparison = NCC()
    images = 0.2 + 0.5 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert comparison.distances(images, 0.8 * images + 0.1).item() == pytest.approx(0, abs=1e-5)
    images[..., 30, 30] = 0
    assert comparison.prepare(images)[0, 0, 30, 30] == 1


def test_ncc_of_an_image_of_one_grey_level_is_finite():
    comparison = NCC()
    assert comparison.distances(torch.full((1, 1, 64, 64), 0.5), _dice(1, 64)).item() == pytest.approx(0.5)


def test_absdiff_counts_pixels_and_divides_by_the_worst_template():
    comparison = AbsDiff()
    images = torch.tensor([200.0, 200.0, 200.0, 200.0]).view(1, 1, 2, 2) / 255
    templates = torch.tensor([[200.0, 200.0, 200.0, 72.0], [72.0, 72.0, 72.0, 72.0]]).view(2, 1, 2, 2) / 255
    # |200 - 72| = 128 counts; the stretched 200 is 255, which exceeds 72 by 183 and 200 by 55.
    shares = torch.tensor([[0.25, 1.0]])
    expected = torch.maximum(shares / 0.045, shares / 0.14).double()
    torch.testing.assert_close(comparison.distances(images, templates), expected)
    values, classes = comparison.compare(images, templates)
    assert values.item() == pytest.approx(0.25 / 0.045)
    assert classes.item() == 0


def test_absdiff_takes_the_least_share_of_each_kind():
    comparison = AbsDiff()
    images = torch.tensor([0.0, 180.0]).view(1, 1, 1, 2) / 255
    # D1: 1 and 0 pixels of 1; D2, where the image is stretched to 100 and 255: 1 and 1 of 1.
    templates = torch.tensor([[200.0, 100.0], [100.0, 100.0]]).view(2, 1, 1, 2) / 255
    values, classes = comparison.compare(images, templates)
    assert values.item() == pytest.approx(1 / 0.14)
    assert classes.item() == 1


def test_absdiff_of_a_perfect_fit_to_all_templates_is_zero():
    images = torch.full((1, 1, 8, 8), 0.4)
    values, _ = AbsDiff().compare(images, images.expand(2, -1, -1, -1))
    assert values.item() == 0


def test_absdiff_reaches_its_limit_at_exactly_that_share():
    # 9 of 200 pixels, 0.045, are as many as the limit: no longer normal.
    images = torch.zeros(1, 1, 1, 400)
    templates = torch.zeros(2, 1, 1, 400)
    templates[0, ..., :9], templates[1, ..., :200] = 1, 1
    values, _ = AbsDiff().compare(images, templates)
    assert values.item() == 1
    templates[0, ..., 8] = 0
    assert AbsDiff().compare(images, templates)[0].item() < 1


def _uint8(images):
    return (images[:, 0] * 255).round().numpy().astype(np.uint8)


def test_pixel_count_is_that_of_numpy_in_uint8():
    comparison = PixelCount()
    images, templates = _dice(3), comparison.template(_dice(6, noise=0.1))
    expected = [
        [int((t - x > level).sum()) for t, level in zip(_uint8(templates), PixelCount.levels, strict=True)]
        for x in _uint8(images)
    ]
    distances = comparison.distances(images, templates)
    assert distances.tolist() == expected
    values, classes = comparison.compare(images, templates)
    assert values.tolist() == [max(row) for row in expected]
    assert classes.tolist() == np.argmin(expected, axis=1).tolist()


def test_the_limit_of_pixel_count_is_the_mean_of_own_and_other_counts_less_a_share_of_500():
    comparison = PixelCount()
    counts, classes = torch.tensor([[100.0, 300.0], [200.0, 500.0], [600.0, 100.0]]), torch.tensor([0, 0, 1])
    limits = comparison.limits(counts, torch.zeros(2, 1, 128, 128), classes)
    expected = ((150 + 600) / 2 + (100 + 400) / 2 - 500) / 2
    assert limits.tolist() == [expected, expected]


def test_plain_ncc_is_opencvs_template_matching():
    images, templates = _dice(3), _dice(2, seed=1)
    matched = [
        [cv2.matchTemplate(x, t, cv2.TM_CCOEFF_NORMED).item() for t in _uint8(templates)] for x in _uint8(images)
    ]
    np.testing.assert_allclose(1 - PlainNCC().distances(images, templates).numpy(), matched, rtol=0, atol=1e-5)


@pytest.mark.parametrize("comparison", [NCC(), Contours()], ids=lambda c: type(c).__name__)
def test_the_limit_of_a_class_is_the_least_correlation_of_its_masked_photos(comparison):
    images, templates = comparison.prepare(_dice(6)), comparison.template(_dice(2, noise=0))
    classes = torch.tensor([0, 1, 0, 0, 1, 1])
    limits = comparison.limits(comparison.for_limits(images, templates, classes), templates, classes)
    masked = NCC()
    distances = masked.distances(masked.prepare(images), masked.prepare(templates))
    for k in range(2):
        assert limits[k].item() == pytest.approx(distances[classes == k, k].max().item(), abs=1e-5)


def test_contours_pick_a_class_by_drawings_and_compare_whole_photos():
    comparison, images, templates = Contours(), _dice(4), _dice(4, noise=0)
    drawings = [drawing(photo).astype(np.float32) for photo in _uint8(NCC().prepare(torch.cat([images, templates])))]
    scores = [[cv2.matchTemplate(x, t, cv2.TM_CCOEFF_NORMED).item() for t in drawings[4:]] for x in drawings[:4]]
    np.testing.assert_allclose(1 - comparison.matches(images, templates).numpy(), scores, rtol=0, atol=1e-4)
    values, classes = comparison.compare(images, templates)
    assert classes.tolist() == np.argmax(scores, axis=1).tolist()
    torch.testing.assert_close(
        values, PlainNCC().distances(images, templates)[torch.arange(4), classes], atol=1e-5, rtol=0
    )


def test_a_drawing_depends_on_its_photo_alone():
    photo = _uint8(_dice(1))[0]
    once = drawing(photo)
    assert once.shape == (128, 128, 3)
    assert once.any()
    np.testing.assert_array_equal(drawing(photo), once)
    assert not drawing(np.full((16, 16), 90, dtype=np.uint8)).any()


def test_dark_band_measures_the_share_of_dark_pixels():
    images = torch.tensor([0.0, 50.0, 51.0, 255.0]).view(1, 1, 2, 2) / 255
    assert DarkBand().statistic(images).item() == 127.5


def test_dark_band_scores_how_far_a_value_lies_outside():
    values = torch.tensor([4.0, 5.0, 6.0, 7.0, 3.0])
    scores = DarkBand().score(values, torch.full((5,), 4.0), torch.full((5,), 6.0))
    torch.testing.assert_close(scores, torch.tensor([0, -0.5, 0, 0.5, 0.5]))


def test_dark_band_of_a_single_photo_gives_finite_scores():
    one = torch.tensor([5.0])
    assert DarkBand().score(one, one, one).item() == 0
    assert DarkBand().score(one + 1, one, one).isfinite().all()


@pytest.mark.parametrize("comparison", [MSE(), SSIM(), NCC(), MSSSIM()], ids=lambda c: type(c).__name__)
def test_real_photos_find_their_class(comparison, real_dice_root):
    classes = [f"{k:02d}" for k in range(11)]

    def photos(split, count):
        for name in classes:
            paths = sorted(path for path in (real_dice_root / split / name).iterdir() if path.name[0] != ".")[:count]
            yield np.stack([np.asarray(Image.open(path).convert("L")) for path in paths])

    means = torch.stack([torch.from_numpy(group.mean(0)) for group in photos("train_set", 40)])[:, None].float() / 255
    images = torch.from_numpy(np.concatenate(list(photos("test_set", 2))))[:, None].float() / 255
    _, found = comparison.compare(comparison.prepare(images), comparison.template(means))
    assert found.tolist() == [k for k in range(11) for _ in range(2)]
