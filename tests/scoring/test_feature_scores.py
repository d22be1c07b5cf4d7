"""One-class SVM and quantised neighbours on pooled features, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import svm

from anodice.errors import AnodiceError
from anodice.scoring import optional
from anodice.scoring.nearest_neighbour import NearestNeighbour
from anodice.scoring.one_class_svm import OneClassSVM
from anodice.scoring.quantised_neighbour import QuantisedNeighbour
from anodice.scoring.score import Seen


def _see(images):
    return Seen(images, features=torch.cat([images, images.square(), images.sqrt(), 1 - images], dim=1))


def _images(count, seed):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) ** (1 + seed)


def _fitted(score):
    score.fit(_see, [{"image": part} for part in _images(40, 0).split(16)], [])
    return score


def _pooled(images):
    return _see(images).features.mean((2, 3)).double().numpy()


def test_the_svm_is_that_of_scikit_learn():
    score, new = _fitted(OneClassSVM(image_size=8, nu=0.3)), _images(9, 1)
    maps, scores = score(_see(new))
    machine = svm.OneClassSVM(nu=0.3).fit(_pooled(_images(40, 0)))
    np.testing.assert_allclose(scores.numpy(), -machine.decision_function(_pooled(new)), rtol=0, atol=1e-5)
    assert maps.shape == (9, 1, 8, 8)


def test_most_photos_of_the_training_lie_inside():
    _, scores = _fitted(OneClassSVM(image_size=8, nu=0.2))(_see(_images(40, 0)))
    assert (scores > 1e-6).sum() <= 0.2 * 40


def test_with_bits_for_every_photo_the_quantised_neighbour_is_the_nearest():
    new = _images(9, 1)
    exact = _fitted(NearestNeighbour(image_size=8))(_see(new))[1]
    torch.testing.assert_close(_fitted(QuantisedNeighbour(image_size=8, parts=1, bits=8))(_see(new))[1], exact)


def test_the_bank_holds_no_more_than_the_products_of_the_centres():
    score = _fitted(QuantisedNeighbour(image_size=8, parts=2, bits=1))
    assert len(score.bank) <= 4
    assert all(len(score.bank[:, part].unique(dim=0)) == 2 for part in (slice(0, 2), slice(2, 4)))


@pytest.mark.parametrize("make", [OneClassSVM, QuantisedNeighbour])
def test_what_was_fitted_travels_in_the_state_dict(make):
    score, restored, new = _fitted(make(image_size=8)), make(image_size=8), _images(5, 1)
    restored.load_state_dict(score.state_dict())
    assert torch.equal(restored(_see(new))[1], score(_see(new))[1])


@pytest.mark.parametrize("make", [OneClassSVM, QuantisedNeighbour])
def test_an_unfitted_score_refuses_to_score(make):
    with pytest.raises(AnodiceError, match="train the detector first"):
        make(image_size=8)(_see(_images(2, 0)))


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(AnodiceError, match=r"expected score.nu in \(0, 1\], got 0"):
        OneClassSVM(image_size=8, nu=0)
    with pytest.raises(AnodiceError, match=r"expected score\.bits to be a whole number of at least 1, got 0"):
        QuantisedNeighbour(image_size=8, bits=0)
    with pytest.raises(AnodiceError, match=r"expected score\.parts to divide the 4 features of the network, got 3"):
        _fitted(QuantisedNeighbour(image_size=8, parts=3))


def test_without_scikit_learn_there_is_a_sentence(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(optional.importlib, "import_module", missing)
    with pytest.raises(AnodiceError, match=r"pip install .anodice\[baselines\]"):
        _fitted(OneClassSVM(image_size=8))
