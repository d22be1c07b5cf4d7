"""The distance from the nearest normal photo in feature space."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from anodice.errors import AnodiceError
from anodice.scoring.nearest_neighbour import NearestNeighbour
from anodice.scoring.score import Seen


def _see(images, cell=2):
    """A stand-in for a network: 4x4 cells of 2x2 pixels, two features."""
    cells = torch.nn.functional.avg_pool2d(images, cell)
    return Seen(images, features=torch.cat([cells, cells.square()], dim=1))


def _pixel_by_pixel(images):
    return _see(images, cell=1)


def _images(count, seed):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def _fitted(count=20):
    score = NearestNeighbour(image_size=8)
    score.fit(_see, [{"image": part} for part in _images(count, 0).split(7)], [])
    return score


def test_scores_are_squared_distances_to_the_nearest_photo():
    maps, scores = _fitted()(_see(_images(5, 1)))
    pooled = [_see(images).features.mean((2, 3)).numpy() for images in (_images(20, 0), _images(5, 1))]
    distances, _ = NearestNeighbors(n_neighbors=1).fit(pooled[0]).kneighbors(pooled[1])
    torch.testing.assert_close(scores, torch.from_numpy(distances[:, 0] ** 2).double(), rtol=1e-4, atol=1e-8)
    assert maps.shape == (5, 1, 8, 8)


def test_a_photo_of_the_training_has_no_distance():
    _, scores = _fitted()(_see(_images(20, 0)))
    assert scores.max() < 1e-10


def test_the_map_shares_the_score_out_among_the_positions():
    score = NearestNeighbour(image_size=8)
    score.fit(_pixel_by_pixel, [{"image": _images(20, 0)}], [])
    maps, scores = score(_pixel_by_pixel(_images(5, 1)))
    torch.testing.assert_close(maps.mean((1, 2, 3)).double(), scores, rtol=1e-3, atol=1e-7)


def test_the_photos_travel_in_the_state_dict_whatever_their_number():
    score, other = _fitted(20), NearestNeighbour(image_size=8)
    other.load_state_dict(score.state_dict())
    assert torch.equal(other(_see(_images(3, 2)))[1], score(_see(_images(3, 2)))[1])


def test_without_photos_there_is_no_score():
    with pytest.raises(AnodiceError, match="train the detector first"):
        NearestNeighbour(image_size=8)(_see(_images(1, 0)))


def test_fitting_again_forgets_the_photos_of_before_and_those_held_out_are_not_kept():
    score = _fitted()
    score.fit(_see, [{"image": _images(6, 3)}], [{"image": _images(9, 4)}])
    torch.testing.assert_close(score.bank, _see(_images(6, 3)).features.mean((2, 3)))
