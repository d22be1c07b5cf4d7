"""Detectors and data modules as a user of Lightning meets them: a plain Trainer, no Hydra, no program of ours."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch.utils.data import DataLoader

import anodice
from anodice.augmentation.defect_painter import DefectPainter
from anodice.baselines.template import Template
from anodice.data.layouts import dice11
from anodice.errors import AnodiceError
from anodice.evaluation.inference import score_records
from anodice.scoring.map_score import MapScore


def vae():
    score = anodice.ResidualScore(
        residual=anodice.TolerantL1(radius=2),
        smoothing=1.0,
        normalise=True,  # so that something has to be fitted
        border_radius=0.9,
        pooling=anodice.TopMean(fraction=0.01),
        image_size=64,
    )
    network = anodice.VAENetwork(in_channels=1, image_size=64, code=8, widths=[8, 16])
    return anodice.VAE(network, score=score, optimizer=partial(anodice.adamw, lr=2e-3, weight_decay=0, warm_up=0.1))


def template():
    return Template(comparison="mse", classes=list(dice11.__globals__["FACES"]), image_size=64, in_channels=1)


def local_memory():
    whole = MapScore(smoothing=0, border_radius=None, pooling=anodice.TopMean(fraction=0.01), image_size=64)
    memory = anodice.LocalMemory(
        patch_weight=0.2, views=50, augmentation=None, entries=4, radius=1, score=whole, image_size=64
    )
    painter = DefectPainter(image_size=64, stamps=36, share=0.5, seed=0)
    optimizer = partial(anodice.adamw, lr=2e-3, weight_decay=0, warm_up=0.1)
    network = anodice.UNet(in_channels=1, image_size=64, widths=[8, 16])
    return anodice.EncoderMemory(network, layers=[0, 1], memory=memory, painter=painter, optimizer=optimizer)


@pytest.fixture
def trainer(tmp_path):
    return pl.Trainer(
        max_epochs=2, accelerator="cpu", default_root_dir=tmp_path, logger=False, enable_progress_bar=False
    )


@pytest.fixture
def data(data_module, writable_dice):
    """With a copy of a training photo in the test folder."""
    source = sorted((writable_dice / "train_set" / "03").iterdir())[0]
    (writable_dice / "test_set" / "03" / "copy.png").write_bytes(source.read_bytes())
    return data_module(writable_dice, steps_per_epoch=2)


@pytest.mark.parametrize("made", [vae, template, local_memory])
def test_fit_validate_test_predict_and_load(made, data, trainer, tmp_path):
    detector = made()
    trainer.fit(detector, datamodule=data)
    assert detector.is_fitted
    (validated,) = trainer.validate(detector, datamodule=data, verbose=False)
    (tested,) = trainer.test(detector, datamodule=data, verbose=False)
    split, records = data.photos.split, data.photos.records
    scores = {
        name: score_records(detector, data, part)[0]
        for name, part in {"val": split.validation, "published": split.test}.items()
    }
    labels = {
        name: np.array([records[i].anomalous for i in part])
        for name, part in {"val": split.validation, "published": split.test}.items()
    }
    clean = np.array([i not in split.leaked for i in split.test])
    assert (~clean).sum() == 1
    parts = {
        "val/": (validated, scores["val"], labels["val"]),
        "test/": (tested, scores["published"][clean], labels["published"][clean]),
        "test/published/": (tested, scores["published"], labels["published"]),
    }
    for prefix, (found, values, truth) in parts.items():
        assert found[f"{prefix}auroc"] == pytest.approx(roc_auc_score(truth, values), abs=1e-6)
        assert found[f"{prefix}average_precision"] == pytest.approx(average_precision_score(truth, values), abs=1e-6)
    assert "test/f1_max" not in tested  # the best F1 on test photos is no result

    predicted = trainer.predict(detector, datamodule=data)
    assert torch.equal(torch.cat([p.scores for p in predicted]), torch.from_numpy(scores["published"]))
    assert predicted[0].maps.shape[1:] == (1, 64, 64)

    trainer.save_checkpoint(tmp_path / "kept.ckpt")
    again = type(detector).load_from_checkpoint(tmp_path / "kept.ckpt")
    assert (score_records(again, data, split.test)[0] == scores["published"]).all()
    photos = anodice.DiceDataModule.load_from_checkpoint(tmp_path / "kept.ckpt", batch_size=3)
    assert photos.photos.split == split
    assert (photos.batch_size, photos.split) == (3, data.split)


def test_validation_figures_do_not_depend_on_the_batches_and_see_no_sigmoid(data_module, dice_root, trainer):
    found = []
    for size in (1, 7, 100):
        detector = template()
        data = data_module(dice_root, batch_size=size)
        detector.fit(data.fit_batches(), data.held_out_batches())
        detector.scale = lambda scores, classes: scores * 1e6 - 500  # far outside [0, 1], on both sides of 0
        found.append(trainer.validate(detector, datamodule=data, verbose=False)[0])
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx(found[0])
    assert 0.5 < found[0]["val/auroc"] < 1


def test_a_detector_that_is_not_fitted_is_fitted_before_it_is_tested(data, trainer):
    detector = template()
    trainer.test(detector, datamodule=data, verbose=False)
    assert detector.is_fitted


def test_nothing_is_trained_without_gradients(data, trainer):
    detector = template()
    trainer.fit(detector, datamodule=data)
    assert (trainer.global_step, trainer.current_epoch) == (0, 1)
    assert {"val/auroc", "val/average_precision", "val/f1_max"} <= set(trainer.callback_metrics)


def test_plain_loaders_do_as_well(data, tmp_path):
    data.setup("fit")
    batches = [list(data.evaluation_batches(part)) for part in (data.photos.split.fit, data.photos.split.validation)]
    loaders = [DataLoader(part, batch_size=None) for part in batches]
    detector = template()
    trainer = pl.Trainer(accelerator="cpu", default_root_dir=tmp_path, logger=False, enable_progress_bar=False)
    trainer.fit(detector, *loaders)
    other = template()
    other.fit(data.fit_batches(), data.held_out_batches())
    assert torch.equal(detector.templates, other.templates)


def test_iterators_are_gone_through_as_often_as_needed(data):
    one, other = template(), template()
    one.fit(iter(data.fit_batches()), iter(data.held_out_batches()))
    other.fit(data.fit_batches(), data.held_out_batches())
    assert torch.equal(one.templates, other.templates)


def test_a_checkpoint_without_a_recipe_says_so(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "old.ckpt")
    with pytest.raises(AnodiceError, match="expected a checkpoint that tells how its detector was made"):
        anodice.VAE.load_from_checkpoint(tmp_path / "old.ckpt")


def test_a_checkpoint_that_names_something_else_builds_nothing(tmp_path):
    told = {"_target_": "anodice.models.vae.VAE", "network": {"_target_": "os.system", "command": "true"}}
    torch.save({"state_dict": {}, "hyper_parameters": told}, tmp_path / "foreign.ckpt")
    with pytest.raises(AnodiceError, match=r"in a recipe, got 'os\.system', which is not built"):
        anodice.VAE.load_from_checkpoint(tmp_path / "foreign.ckpt")
