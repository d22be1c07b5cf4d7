"""What a verdict rests on: it fits the score."""

from __future__ import annotations

import numpy as np
import pytest

from anodice import Predictor
from anodice.prediction.predictor import Predictor as Bare
from anodice.programs.train import train
from tests.runs import configured


def explained(run, dice_root):
    """The predictor of a run, and what it says of an anomalous photo."""
    predictor = Predictor.from_run(run)
    photo = predictor._read(sorted((dice_root / "test_set" / "ano").iterdir())[0])
    return predictor, predictor.explain(photo)


def test_templates_show_their_template_and_the_distances_to_all_classes(finished_run, dice_root):
    predictor, found = explained(finished_run, dice_root)
    assert found.prediction.score == predictor.score([predictor._read(found_path(dice_root))])[0].score
    nearest = min(found.distances, key=lambda one: one.distance)
    assert nearest.class_name == found.prediction.class_name
    assert nearest.distance == pytest.approx(found.prediction.score, rel=1e-5)
    assert len(found.distances) == 11
    assert nearest.limit(predictor.threshold) == predictor.threshold.value
    squares = (found.prediction.photo / 255 - found.template / 255.0) ** 2
    assert squares.mean() == pytest.approx(found.prediction.score, abs=1e-3)  # the picture is rounded
    assert found.reconstruction is found.losses is found.ratio is None


def found_path(dice_root):
    return sorted((dice_root / "test_set" / "ano").iterdir())[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["model=template", "model.comparison=ncc", "model.own_other=0.75"],
        ["model=template", "model.comparison=dark_band"],
        ["model=template", "model.comparison=ms_ssim"],
        ["model=fourier", "model.normalise=true"],
    ],
    ids=" ".join,
)
def test_a_score_is_the_distance_to_its_class_in_units(options, dice_root, tmp_path):
    train(configured(dice_root, tmp_path, *options), tmp_path / "run")
    predictor, found = explained(tmp_path / "run", dice_root)
    own = next(one for one in found.distances if one.class_name == found.prediction.class_name)
    assert own.distance / own.unit == pytest.approx(found.prediction.score, rel=1e-4)
    assert (own.distance >= own.limit(predictor.threshold)) == found.prediction.anomalous


@pytest.mark.slow
def test_both_losses_of_a_template_ratio_give_the_score(dice_root, tmp_path):
    options = ["model=ae_classifier", "score=template_ratio", "model.class_quantile=null"]
    train(configured(dice_root, tmp_path, *options), tmp_path / "run")
    _, found = explained(tmp_path / "run", dice_root)
    assert -found.ratio == pytest.approx(found.prediction.score, rel=1e-6)
    assert found.reconstruction.shape == found.template.shape == (64, 64, 1)
    assert found.reconstruction.dtype == np.uint8


def test_a_network_without_grounds_still_gets_its_verdict_told(finished_run, dice_root):
    predictor, found = explained(finished_run, dice_root)
    bare = Bare(lambda photos: predictor.network(photos), predictor.settings)
    told = bare.explain(bare._read(found_path(dice_root)))
    assert told.prediction.score == found.prediction.score
    assert told.template is told.distances is None
