"""The memory of normal features: what the coreset keeps, and exact distances from it."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from anodice.errors import AnodiceError
from anodice.scoring.memory import Memory


def _features(count, *, seed, dimensions=6, height=4, width=5):
    return torch.randn(count, dimensions, height, width, generator=torch.Generator().manual_seed(seed))


def _memory(count=20, *, entries=20, radius=1):
    memory = Memory(entries=entries, radius=radius, seed=0)
    memory.fit(_features(count, seed=0).permute(2, 3, 0, 1))
    return memory


def _window(place, length, radius):
    return slice(0, length) if radius is None else slice(max(0, place - radius), place + radius + 1)


@pytest.mark.parametrize("radius", [0, 1, 2, 9, None])
def test_distances_are_those_from_the_nearest_entry_within_the_radius(radius):
    normal, asked = _features(20, seed=0), _features(7, seed=1)
    distances = _memory(radius=radius)(asked)
    assert distances.shape == (7, 1, 4, 5)
    for y in range(4):
        for x in range(5):
            near = normal[:, :, _window(y, 4, radius), _window(x, 5, radius)].permute(0, 2, 3, 1).reshape(-1, 6)
            expected, _ = NearestNeighbors(n_neighbors=1).fit(near.numpy()).kneighbors(asked[:, :, y, x].numpy())
            torch.testing.assert_close(
                distances[:, 0, y, x], torch.from_numpy(expected[:, 0]).float(), rtol=1e-3, atol=1e-3
            )


def test_what_is_kept_has_no_distance():
    assert _memory(radius=0)(_features(20, seed=0)).max() < 5e-3


def test_a_shift_within_the_radius_costs_nothing():
    shifted = _features(20, seed=0).roll(1, dims=3)[..., 1:-1]
    shifted = torch.nn.functional.pad(shifted, (1, 1))
    assert _memory(radius=1)(shifted)[..., 1:-1].max() < 5e-3
    assert _memory(radius=0)(shifted)[..., 1:-1].min() > 0.1


def test_fewer_photos_than_entries_are_all_kept_and_a_second_fit_forgets_the_first():
    memory = _memory(count=5, entries=64)
    assert memory.bank.shape == (4, 5, 5, 6)
    memory.fit(_features(9, seed=3).permute(2, 3, 0, 1))
    assert memory.bank.shape == (4, 5, 9, 6)
    assert memory(_features(5, seed=0)).min() > 0


def test_the_memory_travels_in_the_state_dict_whatever_its_size():
    memory, other = _memory(entries=7), Memory(entries=7, radius=1, seed=0)
    other.load_state_dict(memory.state_dict())
    assert torch.equal(other(_features(3, seed=2)), memory(_features(3, seed=2)))


def test_a_memory_that_has_been_used_takes_on_another():
    memory, other = _memory(), _memory(count=9, entries=4)
    asked = _features(3, seed=2)
    before = other(asked)
    other.load_state_dict(memory.state_dict())
    assert torch.equal(other(asked), memory(asked))
    assert not torch.equal(other(asked), before)


def test_distances_carry_no_gradient():
    assert not _memory()(_features(2, seed=2).requires_grad_()).requires_grad


def test_without_a_memory_there_is_no_distance():
    with pytest.raises(AnodiceError, match="train the detector first"):
        Memory(entries=4, radius=1, seed=0)(_features(1, seed=0))


@pytest.mark.parametrize(("key", "value"), [("entries", 0), ("entries", 1.5), ("radius", -1), ("radius", "1")])
def test_sizes_that_mean_nothing_are_refused(key, value):
    with pytest.raises(AnodiceError, match=rf"model\.memory\.{key} .* got {value!r}"):
        Memory(**({"entries": 4, "radius": 1, "seed": 0} | {key: value}))
