"""Pixel figures against slow literal implementations and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import f1_score, roc_auc_score

from anodice.errors import AnodiceError
from anodice.metrics.pixel import PixelCounts, region_shares


def _drawn(seed, *, levels=None, images=4, size=24):
    """Maps that see some of their blobs, tied where `levels` is small, and normal images besides."""
    rng = np.random.default_rng(seed)
    masks = np.stack([ndimage.gaussian_filter(rng.standard_normal((size, size)), 1.5) > 0.25 for _ in range(images)])
    masks[0, 0, 0], masks[0, 2, 2] = True, True
    maps = ndimage.gaussian_filter(rng.standard_normal((2 * images, size, size)), (0, 1, 1))
    maps[:images] += 0.4 * masks
    if levels is not None:
        maps = np.round(maps * levels) / levels
    return maps, np.concatenate([masks, np.zeros_like(masks)])


def _counted(maps, masks, **options):
    """The counts, with the images without a defect added one by one."""
    marked = masks.any((1, 2))
    counts = PixelCounts(maps[marked], masks[marked], **options)
    for image in maps[~marked]:
        counts.add(image)
    return counts


def _literal_aupro(maps, masks, limit):
    """Bergmann et al.: every threshold, every region, one by one."""
    regions = []
    for image, mask in zip(maps, masks, strict=True):
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [image[labels == number] for number in range(1, count + 1)]
    normal = maps[~masks]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        rates.append((normal >= threshold).mean())
        overlaps.append(np.mean([(region >= threshold).mean() for region in regions]))
    area = 0.0
    for k in range(1, len(rates)):
        left, right = rates[k - 1], rates[k]
        if left >= limit:
            break
        top = overlaps[k]
        if right > limit:
            top = overlaps[k - 1] + (overlaps[k] - overlaps[k - 1]) * (limit - left) / (right - left)
            right = limit
        area += (right - left) * (top + overlaps[k - 1]) / 2
    return area / limit


@pytest.mark.parametrize("levels", [None, 8, 1])
@pytest.mark.parametrize("seed", range(3))
def test_auroc_equals_scikit_learn(seed, levels):
    maps, masks = _drawn(seed, levels=levels)
    assert _counted(maps, masks).auroc == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-12)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("levels", [None, 8, 1])
def test_aupro_equals_the_literal_definition(levels, limit):
    maps, masks = _drawn(3, levels=levels, images=3, size=16)
    assert _counted(maps, masks).aupro(limit) == pytest.approx(_literal_aupro(maps, masks, limit), abs=1e-12)


@pytest.mark.parametrize("levels", [None, 8])
def test_best_f1_is_the_best_of_all_thresholds(levels):
    maps, masks = _drawn(4, levels=levels, images=2, size=12)
    threshold, f1 = _counted(maps, masks).best_f1()
    of_all = [f1_score(masks.ravel(), maps.ravel() >= value) for value in np.unique(maps)]
    assert f1 == pytest.approx(max(of_all), abs=1e-12)
    assert f1_score(masks.ravel(), maps.ravel() >= threshold) == pytest.approx(f1, abs=1e-12)


@pytest.mark.parametrize("threshold", [-9.0, 0.0, 0.25, 9.0])
def test_f1_at_a_threshold_counts_every_pixel(threshold):
    maps, masks = _drawn(5, levels=4)
    found = _counted(maps, masks, threshold=threshold).f1
    assert found == pytest.approx(f1_score(masks.ravel(), maps.ravel() >= threshold), abs=1e-12)
    assert _counted(maps, masks).f1 is None


def test_perfect_and_reversed_maps():
    _, masks = _drawn(6)
    perfect, reversed_ = _counted(masks.astype(float), masks), _counted(1 - masks.astype(float), masks)
    assert (perfect.auroc, perfect.aupro(), perfect.best_f1()[1]) == (1, 1, 1)
    assert (reversed_.auroc, reversed_.aupro()) == (0, 0)


def test_constant_maps_are_worth_nothing():
    _, masks = _drawn(7)
    counts = _counted(np.full(masks.shape, 3.0), masks)
    assert (counts.auroc, counts.aupro()) == (0.5, pytest.approx(0.15))
    assert counts.best_f1()[0] == 3


def test_aupro_weighs_a_small_region_as_much_as_a_large_one():
    masks = np.zeros((1, 20, 20), dtype=bool)
    masks[0, :10, :10], masks[0, 15, 15] = True, True
    only_large, only_small = masks.astype(float), np.zeros((1, 20, 20))
    only_large[0, 15, 15], only_small[0, 15, 15] = 0, 1
    large, small = PixelCounts(only_large, masks).aupro(), PixelCounts(only_small, masks).aupro()
    assert large == pytest.approx(small)


def test_regions_touch_at_corners_and_not_across_images():
    masks = np.zeros((2, 4, 4), dtype=bool)
    masks[0, 0, 0] = masks[0, 1, 1] = masks[0, 3, 3] = masks[1, 0, 0] = True
    shares, regions = region_shares(masks)
    assert regions == 3
    assert (shares[0, 0, 0], shares[0, 3, 3], shares[1, 0, 0], shares.sum()) == (0.5, 1, 1, 3)


def test_a_fully_marked_image_alone_has_no_rate_of_false_alarms():
    counts = PixelCounts(np.ones((1, 2, 2)), np.ones((1, 2, 2), dtype=bool))
    assert (counts.auroc, counts.aupro()) == (None, None)


@pytest.mark.parametrize(
    ("maps", "masks", "words"),
    [
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), "with 0; pass the images with marked defects"),
        (np.zeros((1, 2, 2)), np.ones((2, 2)), "got \\(1, 2, 2\\) and \\(2, 2\\)"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2)), "expected finite scores"),
    ],
)
def test_maps_that_cannot_be_counted_are_refused(maps, masks, words):
    with pytest.raises(AnodiceError, match=words):
        PixelCounts(maps, masks)


def test_a_limit_out_of_range_is_refused():
    maps, masks = _drawn(8)
    with pytest.raises(AnodiceError, match="false-positive rate in"):
        PixelCounts(maps[:4], masks[:4]).aupro(0)
