"""When a detector is fitted, what that leaves alone, and that its checkpoint makes it again."""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader

from anodice.augmentation.defect_painter import DefectPainter
from anodice.baselines.fourier import Fourier
from anodice.baselines.template import Template
from anodice.models.conv_ae import ConvAENetwork
from anodice.models.defect_unet import UNet
from anodice.models.detector import Detector, Scored
from anodice.models.memory_detector import EncoderMemory
from anodice.models.optimizers import adam
from anodice.models.patchcore import PatchMemory
from anodice.models.reconstruction import ReconstructionDetector
from anodice.models.vae import VAE, VAENetwork
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import Max, Mean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import L1, TolerantL1

SIZE = 32


class _Brightness(Detector):
    """Learns nothing; the score is the mean grey level."""

    def __init__(self, *, image_size=SIZE, in_channels=1):
        super().__init__(image_size=image_size, in_channels=in_channels)

    def assess(self, images):
        return Scored(images, images.double().mean((1, 2, 3)))


def _score(*, residual=None, normalise=True):
    settings = {"smoothing": 0.0, "border_radius": None, "pooling": Mean(), "image_size": SIZE}
    return ResidualScore(residual=residual or L1(), normalise=normalise, **settings)


def _autoencoder(score=None):
    torch.manual_seed(0)
    network = ConvAENetwork(in_channels=1, image_size=SIZE, code=4, widths=(4, 8))
    return ReconstructionDetector(network, score=score or _score(), optimizer=partial(adam, lr=1e-3))


def _vae():
    torch.manual_seed(0)
    network = VAENetwork(in_channels=1, image_size=SIZE, code=4, widths=(4, 8))
    score = _score(residual=TolerantL1(radius=1))
    return VAE(network, beta=0.5, warm_up_steps=3, score=score, optimizer=partial(adam, lr=1e-3))


def _encoder_memory():
    torch.manual_seed(0)
    score = MapScore(smoothing=1.0, border_radius=0.9, pooling=Max(), image_size=SIZE)
    return EncoderMemory(
        UNet(in_channels=1, image_size=SIZE, widths=(4, 8)),
        layers=[0, 1],
        memory=PatchMemory(coreset=0.05, photos=8, neighbours=3, score=score, image_size=SIZE),
        painter=DefectPainter(image_size=SIZE, stamps=36, share=0.5, seed=0),
        optimizer=partial(adam, lr=1e-3),
    )


def _template(class_quantile=0.9):
    return Template(comparison="mse", classes=("a", "b"), class_quantile=class_quantile, image_size=SIZE, in_channels=1)


def _fourier():
    return Fourier(classes=("a", "b"), normalise=True, image_size=SIZE, in_channels=1)


fitted_ones = pytest.mark.parametrize("make", [_autoencoder, _vae, _encoder_memory, _template, _fourier])


def _photos(count=24, seed=0):
    """Photos of two classes, every third an anomaly with a bright square."""
    images = 0.5 + 0.1 * torch.randn(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    classes, labels = torch.arange(count) % 2, torch.arange(count) % 3 == 2
    images[classes == 0, :, :16] -= 0.3
    images[labels, :, 8:14, 8:14] += 0.2
    return {
        "image": images.clamp(0, 1),
        "label": labels,
        "class": torch.where(labels, -1, classes),
        "index": torch.arange(count),
    }


def _loader(photos, size=5):
    count = len(photos["image"])
    batches = [{name: value[k : k + size] for name, value in photos.items()} for k in range(0, count, size)]
    return DataLoader(batches, batch_size=None)


def _normals(photos):
    return {name: value[~photos["label"]] for name, value in photos.items()}


def _trainer(**changes):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    settings = {"max_epochs": 2, "num_sanity_val_steps": 0, "enable_checkpointing": False, "accelerator": "cpu"}
    return pl.Trainer(**(quiet | settings | changes))


def _fitted(make):
    detector = make()
    detector.fit(_loader(_normals(_photos())), _loader(_normals(_photos(seed=1))))
    return detector.eval()


@fitted_ones
@torch.no_grad()
def test_iterators_of_batches_fit_as_well(make):
    detector = make()
    detector.fit(iter(_loader(_normals(_photos()))), iter(_loader(_normals(_photos(seed=1)))))
    images = _photos(seed=2)["image"]
    assert torch.equal(detector.eval()(images).scores, _fitted(make)(images).scores)


@fitted_ones
def test_fitting_takes_a_detector_as_in_evaluation_and_leaves_it_as_it_was(make):
    for training in (True, False):
        detector = make().train(training)
        assert not detector.is_fitted
        batches = [_loader(_normals(_photos(seed=seed))) for seed in (0, 1)]
        weights = {name: value.clone() for name, value in detector.named_parameters()}
        detector.fit(*batches)
        assert detector.is_fitted
        assert detector.training == training
        assert all(torch.equal(value, weights[name]) for name, value in detector.named_parameters())
        images = _photos(seed=2)["image"]
        with torch.no_grad():
            assert torch.equal(detector.eval()(images).scores, _fitted(make)(images).scores)


@pytest.mark.parametrize(("make", "by_gradients"), [(_autoencoder, True), (_template, False), (_fourier, False)])
def test_detectors_without_gradients_optimise_nothing(make, by_gradients):
    assert make().automatic_optimization == by_gradients


def test_a_step_of_validation_returns_nothing():
    assert _Brightness().validation_step(_photos()) is None


@pytest.mark.parametrize("make", [lambda: _template(class_quantile=None), _fourier, _encoder_memory])
def test_a_training_without_validation_fits_when_it_ends(make):
    detector = make()
    _trainer(max_epochs=1).fit(detector, _loader(_normals(_photos())))
    assert detector.is_fitted


def test_each_validation_of_a_training_fits_anew():
    detector, trainer, counts = _autoencoder(), _trainer(), []
    fit = detector.fit
    detector.fit = lambda *batches: (counts.append(trainer.current_epoch), fit(*batches))
    trainer.fit(detector, _loader(_normals(_photos())), _loader(_photos(seed=1)))
    assert counts == [0, 1]
    assert detector.score.statistics.count == 16


def test_an_encoders_memory_is_filled_once_it_is_trained():
    detector, trainer, filled = _encoder_memory(), _trainer(), []
    fit = detector.fit
    detector.fit = lambda *batches: (filled.append(trainer.global_step), fit(*batches))
    trainer.fit(detector, _loader(_normals(_photos())), _loader(_photos(seed=1)))
    assert filled == [trainer.global_step] == [8]


@pytest.mark.parametrize("make", [_template, _encoder_memory])
def test_a_further_training_fits_to_its_own_photos_and_weights(make):
    detector = make()
    loaders = [(_loader(_normals(_photos(seed=seed))), _loader(_photos(seed=seed + 1))) for seed in (0, 7)]
    for training, validation in loaders:
        _trainer(max_epochs=1).fit(detector, training, validation)
    scores = detector.eval()(_photos(seed=2)["image"]).scores
    detector.fit(loaders[1][0], _loader(_normals(_photos(seed=8))))
    assert torch.equal(detector(_photos(seed=2)["image"]).scores, scores)


def test_the_highest_f1_of_validation_is_that_of_its_best_cut():
    detector, photos = _Brightness(), _photos(40)
    (figures,) = _trainer().validate(detector, _loader(photos, size=3), verbose=False)
    scores, labels = detector(photos["image"]).scores, photos["label"]
    assert figures["val/f1_max"] == pytest.approx(max(f1_score(labels, scores >= cut) for cut in scores), abs=1e-6)


def test_each_validation_starts_from_nothing():
    detector, trainer = _Brightness(), _trainer()
    trainer.validate(detector, _loader(_photos(40, seed=3)), verbose=False)
    (again,) = trainer.validate(detector, _loader(_photos(40)), verbose=False)
    (alone,) = _trainer().validate(_Brightness(), _loader(_photos(40)), verbose=False)
    assert again == alone


def test_validation_of_normals_alone_tells_no_figures():
    assert _trainer().validate(_Brightness(), _loader(_normals(_photos())), verbose=False) == [{}]


@pytest.mark.parametrize("use", ["validate", "test", "predict"])
def test_an_unfitted_detector_fits_itself_to_the_data_before_it_scores(use, data_module, dice_root):
    data = data_module(dice_root)
    detector, told = (Template(comparison="mse", classes=data.classes, image_size=64, in_channels=1) for _ in range(2))
    getattr(_trainer(), use)(detector, datamodule=data)
    told.fit(data.fit_batches(), data.held_out_batches())
    assert torch.equal(detector.templates, told.templates)
    detector.fit = lambda *_: pytest.fail("fitted again")
    getattr(_trainer(), use)(detector, datamodule=data)


@fitted_ones
def test_a_checkpoint_tells_how_to_make_its_detector_again(make, tmp_path):
    detector = make()
    trainer = _trainer(max_epochs=1)
    trainer.fit(detector, _loader(_normals(_photos())), _loader(_photos(seed=1)))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    torch.manual_seed(99)
    images = _photos(seed=2)["image"]
    for kind in (type(detector), Detector):
        restored = kind.load_from_checkpoint(tmp_path / "a.ckpt")
        assert type(restored) is type(detector)
        assert not restored.training
        assert restored.describe() == detector.describe()
        with torch.no_grad():
            for mine, theirs in zip(detector.eval()(images), restored(images), strict=True):
                assert (mine is theirs is None) or torch.equal(mine, theirs)


def test_parts_can_be_given_in_place_of_those_of_the_checkpoint(tmp_path):
    detector, trainer = _autoencoder(_score(normalise=False)), _trainer(max_epochs=1)
    trainer.fit(detector, _loader(_normals(_photos())), _loader(_photos(seed=1)))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    other = _score(residual=TolerantL1(radius=2), normalise=False)
    restored = ReconstructionDetector.load_from_checkpoint(tmp_path / "a.ckpt", score=other, loss="mse")
    assert restored.score is other
    assert restored.loss == "mse"
    images = _photos(seed=2)["image"]
    assert torch.equal(restored.reconstruct(images), detector.eval().reconstruct(images))


def test_a_detector_of_ones_own_is_loaded_by_its_own_class(tmp_path):
    trainer = _trainer(max_epochs=1)
    trainer.fit(_Brightness(), _loader(_photos()), _loader(_photos()))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert isinstance(_Brightness.load_from_checkpoint(tmp_path / "a.ckpt"), _Brightness)
