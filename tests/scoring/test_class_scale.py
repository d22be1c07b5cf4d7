"""Scores of different classes on one scale."""

from __future__ import annotations

import pytest
import torch

from anodice.errors import AnodiceError
from anodice.scoring.class_scale import OwnOtherScale, QuantileScale


def test_normal_photos_of_every_class_reach_one_alike():
    scores = torch.rand(300, generator=torch.Generator().manual_seed(0)) + 1
    classes = torch.arange(300) % 3
    scores *= torch.tensor([1.0, 10.0, 100.0])[classes]
    scale = QuantileScale(classes=3, q=0.9)
    scale.fit(scores, classes)
    scaled = scale(scores.double(), classes)
    assert scaled.dtype == torch.float64
    for k in range(3):
        assert (scaled[classes == k] <= 1).double().mean().item() == pytest.approx(0.9, abs=0.01)


def test_a_class_with_few_photos_gets_the_scale_of_all():
    scores, classes = torch.arange(1.0, 51), torch.tensor([0] * 45 + [1] * 5)
    scale = QuantileScale(classes=3, q=0.5)
    scale.fit(scores, classes)
    assert scale.scale.tolist() == [23.0, 25.5, 25.5]


def test_scores_stay_as_they_are_before_it_is_fitted():
    assert QuantileScale(classes=2, q=0.9)(torch.tensor([3.0]).double(), torch.tensor([1])).tolist() == [3.0]


def test_scale_travels_in_the_state_dict():
    scale, other = QuantileScale(classes=2, q=0.9), QuantileScale(classes=2, q=0.9)
    scale.fit(torch.rand(40), torch.arange(40) % 2)
    other.load_state_dict(scale.state_dict())
    assert torch.equal(other.scale, scale.scale)


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_a_quantile_outside_its_range_is_refused(q):
    with pytest.raises(AnodiceError, match=r"model.class_quantile in \[0, 1\]"):
        QuantileScale(classes=2, q=q)


def test_own_and_other_distances_make_the_scale():
    distances = torch.tensor([[1.0, 5.0], [3.0, 7.0], [8.0, 2.0]])
    scale = OwnOtherScale(classes=2, coefficient=0.5)
    scale.fit(distances, torch.tensor([0, 0, 1]))
    assert scale.scale.tolist() == [0.5 * (2 + 8), 0.5 * (2 + 6)]


def test_a_coefficient_of_nothing_is_refused():
    with pytest.raises(AnodiceError, match=r"model.own_other above 0"):
        OwnOtherScale(classes=2, coefficient=0.0)


def test_negative_scores_keep_their_sign_and_size():
    scale = QuantileScale(classes=1, q=0.5)
    scale.fit(torch.linspace(-0.9, -0.5, 21), torch.zeros(21, dtype=torch.int64))
    scores = scale(torch.tensor([-0.7, -0.35], dtype=torch.float64), torch.tensor([0, 0]))
    assert scores.tolist() == pytest.approx([-1, -0.5], rel=1e-5)
