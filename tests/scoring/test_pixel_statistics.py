"""The per-pixel statistics of normal residuals."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anodice.errors import AnodiceError
from anodice.scoring.pixel_statistics import PixelStatistics

MAPS = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.1, 3, 6) + 5


def _statistics(*batches):
    statistics = PixelStatistics(image_size=6)
    for batch in batches:
        statistics.update(batch)
    return statistics


def _deviation(statistics):
    return (statistics.squares / (statistics.count - 1)).sqrt()


@given(st.lists(st.integers(1, 11), max_size=6, unique=True))
def test_batches_of_any_size_give_the_mean_and_deviation_of_all(cuts):
    statistics = _statistics(*MAPS.tensor_split(sorted(cuts)))
    torch.testing.assert_close(statistics.mean, MAPS.mean(0, keepdim=True))
    torch.testing.assert_close(_deviation(statistics), MAPS.std(0, keepdim=True))
    assert statistics.count == 12


def test_normalised_normals_have_mean_zero_and_less_than_unit_deviation():
    normalised = _statistics(MAPS).normalise(MAPS)
    torch.testing.assert_close(normalised.mean(0), torch.zeros(1, 6, 6), rtol=0, atol=1e-5)
    assert 0.8 < normalised.std(0).amax() < 1


def test_normalising_adds_a_tenth_of_the_average_deviation():
    statistics = _statistics(MAPS)
    deviation = MAPS.double().std(0, keepdim=True)
    expected = (MAPS - MAPS.double().mean(0)) / (deviation + 0.1 * deviation.mean())
    torch.testing.assert_close(statistics.normalise(MAPS), expected.float(), rtol=1e-4, atol=1e-4)


def test_a_pixel_that_never_varies_stays_finite():
    maps = MAPS.clone()
    maps[..., 0, 0] = 0
    assert _statistics(maps).normalise(maps + 1).isfinite().all()


def test_maps_that_never_vary_at_all_stay_finite():
    flat = torch.full((4, 1, 6, 6), 0.25)
    assert _statistics(flat).normalise(flat).abs().amax() == 0


def test_reset_forgets_all():
    statistics = _statistics(MAPS * 100)
    statistics.reset()
    statistics.update(MAPS)
    torch.testing.assert_close(statistics.normalise(MAPS), _statistics(MAPS).normalise(MAPS))


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_normals_are_refused(count):
    with pytest.raises(AnodiceError, match=f"at least 2 normal images, got {count}; .* score.normalise=false"):
        _statistics(*MAPS[:count].split(1)).normalise(MAPS)


def test_the_state_dict_holds_the_calibration():
    restored = PixelStatistics(image_size=6)
    restored.load_state_dict(_statistics(MAPS).state_dict())
    assert torch.equal(restored.normalise(MAPS), _statistics(MAPS).normalise(MAPS))
