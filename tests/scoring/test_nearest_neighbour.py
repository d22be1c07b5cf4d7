"""The distance from the nearest normal photo in feature space."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from anodice.errors import AnodiceError
from anodice.scoring.nearest_neighbour import NearestNeighbour


class Features:
    """A stand-in for a detector: 4x4 cells of 2x2 pixels, two features."""

    def feature_maps(self, images):
        cells = torch.nn.functional.avg_pool2d(images, 2)
        return torch.cat([cells, cells.square()], dim=1)


def _images(count, seed):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def _fitted(count=20):
    score = NearestNeighbour(image_size=8)
    score.fit(Features(), [{"image": part} for part in _images(count, 0).split(7)], [])
    return score


def test_scores_are_squared_distances_to_the_nearest_photo():
    maps, scores = _fitted()(Features(), _images(5, 1))
    pooled = [Features().feature_maps(images).mean((2, 3)).numpy() for images in (_images(20, 0), _images(5, 1))]
    distances, _ = NearestNeighbors(n_neighbors=1).fit(pooled[0]).kneighbors(pooled[1])
    torch.testing.assert_close(scores, torch.from_numpy(distances[:, 0] ** 2).double(), rtol=1e-4, atol=1e-8)
    assert maps.shape == (5, 1, 8, 8)


def test_a_photo_of_the_training_has_no_distance():
    _, scores = _fitted()(Features(), _images(20, 0))
    assert scores.max() < 1e-10


def test_the_map_shares_the_score_out_among_the_positions():
    class Whole(Features):
        def feature_maps(self, images):
            return torch.cat([images, images.square()], dim=1)

    score = NearestNeighbour(image_size=8)
    score.fit(Whole(), [{"image": _images(20, 0)}], [])
    maps, scores = score(Whole(), _images(5, 1))
    torch.testing.assert_close(maps.mean((1, 2, 3)).double(), scores, rtol=1e-3, atol=1e-7)


def test_the_photos_travel_in_the_state_dict_whatever_their_number():
    score, other = _fitted(20), NearestNeighbour(image_size=8)
    other.load_state_dict(score.state_dict())
    assert torch.equal(other(Features(), _images(3, 2))[1], score(Features(), _images(3, 2))[1])


def test_without_photos_there_is_no_score():
    with pytest.raises(AnodiceError, match="train the detector first"):
        NearestNeighbour(image_size=8)(Features(), _images(1, 0))
