"""Greedy coresets: which vectors are chosen, one by one and in blocks."""

from __future__ import annotations

import pytest
import torch

from anodice.scoring import coreset
from anodice.scoring.coreset import greedy_coreset


def test_the_coreset_covers_every_group_before_it_takes_two_of_one():
    generator = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(3, 8, 4, generator=generator)
    groups = torch.arange(8).repeat_interleave(25)
    points = centres[:, groups] + 0.01 * torch.randn(3, 200, 4, generator=generator)
    chosen = greedy_coreset(points, 8, seed=0)
    assert all(sorted(groups[row].tolist()) == list(range(8)) for row in chosen)


def test_each_next_of_the_coreset_is_the_farthest_from_those_before():
    points = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))
    for vectors, chosen in zip(points, greedy_coreset(points, 12, seed=0), strict=True):
        for k in range(1, 12):
            nearest = torch.cdist(vectors, vectors[chosen[:k]]).amin(1)
            assert nearest[chosen[k]] == pytest.approx(nearest.max().item(), rel=1e-4)


@pytest.mark.parametrize("length", [5, 300], ids=["as they are", "projected"])
def test_the_coreset_names_different_vectors_and_the_same_ones_each_time(length):
    points = torch.randn(2, 30, length, generator=torch.Generator().manual_seed(0))
    points[:, 20:] = points[:, :10]
    chosen = greedy_coreset(points, 30, seed=0)
    assert all(sorted(row.tolist()) == list(range(30)) for row in chosen)
    assert torch.equal(chosen, greedy_coreset(points, 30, seed=0))


def test_the_coreset_of_projected_vectors_covers_them_as_well():
    centres = torch.randn(6, 500, generator=torch.Generator().manual_seed(0))
    points = centres.repeat(10, 1)[None] + 0.01 * torch.randn(1, 60, 500, generator=torch.Generator().manual_seed(1))
    assert sorted((greedy_coreset(points, 6, seed=0)[0] % 6).tolist()) == list(range(6))


@pytest.mark.parametrize(("candidates", "rows"), [(1, 7), (8, 64), (64, 1000), (1000, 4096)])
@pytest.mark.parametrize("count", [1, 2, 60, 300])
def test_blocks_choose_as_one_by_one_does(candidates, rows, count, monkeypatch):
    points = torch.randn(1, 300, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
    expected = greedy_coreset(points, count, seed=0)
    monkeypatch.setattr(coreset, "_SMALL", 0)
    monkeypatch.setattr(coreset, "_CANDIDATES", candidates)
    monkeypatch.setattr(coreset, "_ROWS", rows)
    assert torch.equal(greedy_coreset(points, count, seed=0), expected)


def test_blocks_choose_different_vectors_where_many_are_the_same(monkeypatch):
    monkeypatch.setattr(coreset, "_SMALL", 0)
    monkeypatch.setattr(coreset, "_CANDIDATES", 4)
    points = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0)).repeat(1, 6, 1)
    chosen = greedy_coreset(points, 30, seed=0)[0]
    assert sorted((chosen[:5] % 5).tolist()) == list(range(5))
    assert sorted(chosen.tolist()) == list(range(30))
