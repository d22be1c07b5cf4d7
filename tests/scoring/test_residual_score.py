"""The score of reconstructing detectors: order of its steps, normalising, border, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from anodice.errors import AnodiceError
from anodice.scoring.pooling import Max, Mean, TopMean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import L1
from anodice.scoring.score import Seen

SIZE = 32


def _score(**changes):
    settings = {"residual": L1(), "smoothing": 0.0, "normalise": False, "border_radius": None, "pooling": Max()}
    return ResidualScore(**(settings | changes), image_size=SIZE)


def _images(count=6, seed=0):
    return torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def _scores(score, images, reconstructions):
    return score.pool(score.anomaly_map(images, reconstructions))


def _fit(score, images, reconstructions):
    score.fit(lambda asked: Seen(asked, reconstructions), [], [{"image": images}])


def _fitted(**changes):
    score = _score(normalise=True, **changes)
    _fit(score, _images(seed=1), _images(seed=2))
    return score


def _marked(row, column, height=0.5):
    """One grey image with a bright pixel, and the image without it."""
    plain = torch.full((1, 1, SIZE, SIZE), 0.4)
    marked = plain.clone()
    marked[..., row, column] += height
    return marked, plain


@pytest.mark.parametrize("pooling", [Max(), Mean(), TopMean(fraction=0.01)])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_a_perfect_reconstruction_scores_zero(pooling, smoothing):
    images = _images()
    scores = _scores(_score(pooling=pooling, smoothing=smoothing), images, images)
    assert torch.equal(scores, torch.zeros(6, dtype=torch.float64))


def test_maps_have_one_channel_and_scores_are_float64():
    score = _fitted(smoothing=1.0, border_radius=0.9)
    maps = score.anomaly_map(_images(), _images(seed=3))
    assert (maps.shape, maps.dtype) == ((6, 1, SIZE, SIZE), torch.float32)
    assert (score.pool(maps).shape, score.pool(maps).dtype) == ((6,), torch.float64)


@pytest.mark.parametrize("settings", [{}, {"smoothing": 1.0}, {"normalise": True, "border_radius": 0.9}])
def test_a_stronger_mark_scores_higher(settings):
    score = _score(**settings)
    _fit(score, _images(seed=1), _images(seed=1) + 0.01 * _images(seed=2))
    scores = [_scores(score, *_marked(16, 16, height)).item() for height in (0.0, 0.1, 0.3, 0.6)]
    assert scores[0] < scores[1] < scores[2] < scores[3]


def test_a_mark_outside_the_border_does_not_count():
    score = _score(border_radius=0.9)
    assert _scores(score, *_marked(1, 1)).item() == 0
    assert _scores(score, *_marked(16, 4)).item() > 0


def test_without_a_border_the_corners_count():
    assert _scores(_score(), *_marked(0, 0)).item() > 0


def test_the_border_of_the_map_shows_its_lowest_value():
    maps = _score(border_radius=0.5).anomaly_map(_images(), _images(seed=3))
    assert torch.equal(maps[:, 0, 0, 0], maps.flatten(1).amin(1))


def test_the_border_is_a_disk_about_the_centre():
    inside = _score(border_radius=0.5).map_score.inside
    assert torch.equal(inside, inside.flip(0))
    assert torch.equal(inside, inside.T)
    assert inside.float().mean().item() == pytest.approx(torch.pi * 0.25 / 4, rel=0.05)


def test_pixels_outside_the_border_are_not_averaged():
    score = _score(border_radius=0.5, pooling=Mean())
    images, reconstructions = torch.ones(1, 1, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE)
    reconstructions[..., score.map_score.inside] = 0.75
    assert _scores(score, images, reconstructions).item() == pytest.approx(0.25)


def test_smoothing_keeps_the_mean_and_lowers_the_peak():
    images, reconstructions = _marked(16, 16)
    plain = _score().anomaly_map(images, reconstructions)
    smooth = _score(smoothing=1.5).anomaly_map(images, reconstructions)
    assert smooth.mean().item() == pytest.approx(plain.mean().item(), rel=1e-3)
    assert smooth.amax() < 0.2 * plain.amax()


def test_smoothing_is_as_wide_as_it_says():
    smooth = _score(smoothing=2.0).anomaly_map(*_marked(16, 16))[0, 0]
    weights = smooth.sum(0) / smooth.sum()
    columns = torch.arange(SIZE) - 16.0
    assert (weights * columns.square()).sum().sqrt().item() == pytest.approx(2.0, rel=0.03)


def test_normalised_maps_count_deviations_of_held_out_normals():
    score = _fitted()
    residuals = (_images(seed=1) - _images(seed=2)).abs().double()
    mean, deviation = residuals.mean(0), residuals.std(0)
    expected = ((_images() - _images(seed=3)).abs() - mean) / (deviation + 0.1 * deviation.mean())
    maps = score.anomaly_map(_images(), _images(seed=3))
    torch.testing.assert_close(maps, expected.float(), rtol=1e-4, atol=1e-4)


def test_what_is_fitted_are_the_smoothed_residuals():
    plain, smooth = _fitted(), _fitted(smoothing=2.0)
    assert smooth.statistics.squares.mean() < 0.2 * plain.statistics.squares.mean()


def _half_as_bright(images):
    return Seen(images, images / 2)


def test_fitting_batch_by_batch_gives_the_same_scores():
    one, many = _score(normalise=True), _score(normalise=True)
    one.fit(_half_as_bright, [], [{"image": _images(seed=1)}])
    many.fit(_half_as_bright, [], [{"image": images} for images in _images(seed=1).split(2)])
    pair = _images(), _images(seed=3)
    torch.testing.assert_close(_scores(one, *pair), _scores(many, *pair))


def test_only_held_out_photos_are_fitted_to_and_those_of_before_are_forgotten():
    score = _fitted()
    score.fit(_half_as_bright, [{"image": _images(seed=4)}], [{"image": _images(seed=1)}])
    again = _score(normalise=True)
    again.fit(_half_as_bright, [], [{"image": _images(seed=1)}])
    assert score.statistics.count == 6
    assert torch.equal(score.statistics.mean, again.statistics.mean)


def test_a_score_is_fitted_where_it_does_not_normalise_or_has_seen_two_photos():
    assert _score().is_fitted
    score = _score(normalise=True)
    fitted = []
    for count in (0, 1, 2):
        score.fit(_half_as_bright, [], [{"image": _images(count)}] if count else [])
        fitted.append(score.is_fitted)
    assert fitted == [False, False, True]


def test_what_was_seen_gives_the_map_and_its_pooled_score():
    score, images, reconstructions = _fitted(smoothing=1.0, border_radius=0.9), _images(), _images(seed=3)
    maps, scores = score(Seen(images, reconstructions))
    assert torch.equal(maps, score.anomaly_map(images, reconstructions))
    assert torch.equal(scores, score.pool(maps))


def test_normalising_without_having_been_fitted_is_refused():
    with pytest.raises(AnodiceError, match="fitted to at least 2 normal images, got 0"):
        _score(normalise=True).anomaly_map(_images(), _images())


def test_without_normalising_fitting_changes_nothing():
    score = _score()
    pair = _images(), _images(seed=3)
    before = _scores(score, *pair)
    _fit(score, _images(seed=1), _images(seed=2))
    assert torch.equal(_scores(score, *pair), before)


def test_the_state_dict_keeps_the_scores():
    score = _fitted(smoothing=1.0, border_radius=0.9)
    restored = _score(normalise=True, smoothing=1.0, border_radius=0.9)
    restored.load_state_dict(score.state_dict())
    pair = _images(), _images(seed=3)
    assert torch.equal(_scores(restored, *pair), _scores(score, *pair))


def test_the_scores_of_a_batch_are_those_of_its_images():
    score = _fitted(smoothing=1.0, border_radius=0.9, pooling=TopMean(fraction=0.02))
    images, reconstructions = _images(), _images(seed=3)
    alone = [_scores(score, *pair) for pair in zip(images.split(1), reconstructions.split(1), strict=True)]
    torch.testing.assert_close(_scores(score, images, reconstructions), torch.cat(alone))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smoothing": -1.0}, "score.smoothing of at least 0 pixels, got -1.0"),
        ({"border_radius": 0}, "score.border_radius above 0, or null for no border, got 0"),
        ({"border_radius": -0.5}, "score.border_radius above 0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(AnodiceError, match=message):
        _score(**settings)
