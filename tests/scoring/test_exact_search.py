"""The exact search: distances against SciPy's in double precision, whatever the entries are like."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from anodice.scoring import exact_search
from anodice.scoring.exact_search import ExactSearch


def _vectors(count, length, *, seed, decay=0.0, centre=0.0):
    """Vectors whose later values are the smaller, the higher `decay` is."""
    scales = torch.exp(-decay * torch.arange(length) / length)
    return centre + scales * torch.randn(count, length, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("decay", [0.0, 3.0, 20.0], ids=["in all directions alike", "in some more", "in few"])
@pytest.mark.parametrize(("entries", "length"), [(1, 3), (500, 40), (2000, 70), (2100, 200)])
@pytest.mark.parametrize("centre", [0.0, 50.0])
def test_distances_are_exact(entries, length, decay, centre):
    known = _vectors(entries, length, seed=0, decay=decay, centre=centre)
    asked = torch.cat([_vectors(60, length, seed=1, decay=decay, centre=centre), known[:5], 10 * known[:5]])
    expected = cdist(asked.double().numpy(), known.double().numpy()).min(1)
    found = ExactSearch(known).squares(asked).sqrt().numpy()
    scale = np.abs(known.numpy() - centre).max() * length**0.5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-3 * scale)
    assert ExactSearch(known)._bounded == (length > 64)


def test_a_vector_that_is_known_has_no_distance():
    known = _vectors(2100, 100, seed=0, decay=5.0)
    assert ExactSearch(known).squares(known).max() < 1e-8


def test_vectors_that_are_the_same_are_no_matter():
    known = _vectors(3, 100, seed=0).repeat(700, 1)
    asked = _vectors(9, 100, seed=1)
    expected = torch.cdist(asked.double(), known.double()).amin(1)
    torch.testing.assert_close(ExactSearch(known).squares(asked).sqrt().double(), expected)


def test_few_entries_are_compared_in_full():
    known, asked = _vectors(2100, 128, seed=0, decay=8.0), _vectors(200, 128, seed=1, decay=8.0)
    search, computed = ExactSearch(known), []
    apart = search._apart
    search._apart = lambda vectors, entry: computed.append(len(entry)) or apart(vectors, entry)
    search.squares(asked)
    assert 0 < sum(computed) < 0.02 * len(known) * len(asked)


def test_rows_that_are_taken_at_a_time_do_not_matter(monkeypatch):
    known, asked = _vectors(2100, 80, seed=0, decay=5.0), _vectors(50, 80, seed=1, decay=5.0)
    whole = ExactSearch(known).squares(asked)
    monkeypatch.setattr(exact_search, "_PRODUCTS", 1)
    torch.testing.assert_close(ExactSearch(known).squares(asked), whole)
