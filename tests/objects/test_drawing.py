"""Drawn objects: the same pixels for the same seed, masks of what is wrong, and nothing wrong without a flaw."""

from __future__ import annotations

import numpy as np
import pytest

from anodice.errors import AnodiceError
from anodice.objects.drawing import KINDS, draw

FLAWS = [(name, flaw) for name, kind in KINDS.items() for flaw in kind.flaws]


@pytest.mark.parametrize(("kind", "flaw"), FLAWS)
def test_a_flaw_changes_the_photo_inside_its_mask_alone(kind, flaw):
    for seed in range(3):
        normal = draw(kind, np.random.default_rng(seed), size=64)
        flawed = draw(kind, np.random.default_rng(seed), size=64, flaw=flaw)
        assert not normal.mask.any()
        assert 3 <= flawed.mask.sum() < 0.5 * flawed.mask.size
        change = np.abs(flawed.image.astype(int) - normal.image)
        change = change if change.ndim == 2 else change.max(2)
        assert change[flawed.mask].mean() > 8
        far = change[~flawed.mask]
        assert np.quantile(far, 0.95) <= 8  # what the lens spreads around the mask


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_pixels_and_others_give_others(kind):
    photos = [draw(kind, np.random.default_rng(seed), size=32).image for seed in (0, 0, 1)]
    assert np.array_equal(photos[0], photos[1])
    assert not np.array_equal(photos[0], photos[2])


def test_wrong_names_and_sizes_are_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(AnodiceError, match="did you mean 'bolts'"):
        draw("bolt", generator)
    with pytest.raises(AnodiceError, match="flaw of jars"):
        draw("jars", generator, flaw="crack")
    with pytest.raises(AnodiceError, match="at least 32 pixels, got 16"):
        draw("jars", generator, size=16)
