"""The detectors: what they accept, the maps and scores they give, the weight of the KL term."""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from anodice.baselines.autoencoders import DenseVAENetwork
from anodice.errors import AnodiceError
from anodice.models.conv_ae import ConvAENetwork
from anodice.models.inception import InceptionCAENetwork
from anodice.models.inception_cae import InceptionCAE
from anodice.models.optimizers import adam
from anodice.models.reconstruction import ReconstructionDetector
from anodice.models.vae import VAE, VAENetwork
from anodice.scoring.nearest_neighbour import NearestNeighbour
from anodice.scoring.pooling import Max, Mean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import L1

SIZE = 64


def _score(image_size=SIZE, **changes):
    settings = {"residual": L1(), "smoothing": 1.0, "normalise": False, "border_radius": 0.9, "pooling": Max()}
    return ResidualScore(**(settings | changes), image_size=image_size)


def _conv_ae(*, image_size=SIZE, in_channels=1, code=16, sigmoid=False, score=None, loss="l1", channels_last=True):
    torch.manual_seed(0)
    network = ConvAENetwork(in_channels=in_channels, image_size=image_size, code=code, sigmoid=sigmoid)
    score = score or _score(image_size)
    return ReconstructionDetector(network, loss=loss, score=score, optimizer=adam, channels_last=channels_last)


def _vae(*, image_size=SIZE, in_channels=1, code=16, noise_scale=0.02, score=None, **changes):
    torch.manual_seed(0)
    network = VAENetwork(in_channels=in_channels, image_size=image_size, code=code, noise_scale=noise_scale)
    settings = {"beta": 2.0, "warm_up_steps": 10} | changes
    return VAE(network, score=score or _score(image_size), optimizer=adam, **settings)


def test_what_is_logged_of_a_training_are_means_over_the_images_of_the_last_epoch(monkeypatch):
    detector, losses = _conv_ae(), []
    detector.optimizer = partial(adam, lr=0.001)

    def loss_terms(batch):
        terms = ReconstructionDetector.loss_terms(detector, batch)
        losses.append((len(batch["image"]), terms["loss"].item()))
        return terms

    monkeypatch.setattr(detector, "loss_terms", loss_terms)
    batches = [{"image": _images(count=count, seed=count)} for count in (6, 2)]
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(max_epochs=2, accelerator="cpu", **quiet)
    trainer.fit(detector, DataLoader(batches, batch_size=None))
    expected = sum(count * loss for count, loss in losses[2:]) / 8
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(expected)


def test_a_weight_penalty_is_the_sum_of_squared_weights_without_biases_and_norms():
    detector, batch = _conv_ae().eval(), {"image": _images()}
    plain = detector.loss_terms(batch)["loss"]
    detector.weight_penalty = 0.01
    weights = [p for name, p in detector.network.named_parameters() if p.ndim > 1]
    expected = plain + 0.01 * sum(p.square().sum() for p in weights)
    torch.testing.assert_close(detector.loss_terms(batch)["loss"], expected)


both = pytest.mark.parametrize("make", [_conv_ae, _vae])


def _images(count=6, channels=1, seed=1):
    return torch.rand(count, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def _batches(seed):
    return [{"image": images} for images in _images(seed=seed).split(2)]


def _at_step(detector, step, monkeypatch):
    monkeypatch.setattr(type(detector), "global_step", step)
    return detector


@both
@pytest.mark.parametrize(("size", "cure"), [(100, "96 or 112"), (8, "16"), (129, "128 or 144")])
def test_sizes_that_the_network_cannot_take_are_refused(make, size, cure):
    with pytest.raises(AnodiceError, match=rf"multiple of 16 .* got {size}; set data.image_size={cure}\."):
        make(image_size=size, score=_score())


@both
@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (2, 1, 96, 96), (2, 1, 64, 96), (1, 64, 64)])
def test_images_of_another_shape_are_refused(make, shape):
    with pytest.raises(AnodiceError, match=r"expected images of shape \(N, 1, 64, 64\), got"):
        make().eval()(torch.zeros(shape))


@both
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_a_detector_gives_a_map_and_a_score_for_each_image(make, channels):
    maps, scores, classes = make(in_channels=channels).eval()(_images(channels=channels))
    assert classes is None
    assert (maps.shape, maps.dtype) == ((6, 1, SIZE, SIZE), torch.float32)
    assert (scores.shape, scores.dtype) == ((6,), torch.float64)


@both
@torch.no_grad()
def test_the_batch_size_does_not_change_the_scores(make):
    detector = make().eval()
    together = detector(_images())[1]
    for size in (1, 4):
        apart = torch.cat([detector(images)[1] for images in _images().split(size)])
        torch.testing.assert_close(apart, together, rtol=0, atol=1e-5)


@both
@torch.no_grad()
def test_the_memory_format_does_not_change_the_scores(make):
    last, first = make(channels_last=True).eval(), make(channels_last=False).eval()
    torch.testing.assert_close(last(_images())[1], first(_images())[1], rtol=0, atol=1e-5)


@both
@torch.no_grad()
def test_scores_under_autocast_are_those_without(make):
    detector = make().eval()
    expected = detector(_images())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps, scores, _ = detector(_images())
    assert torch.equal(maps, expected[0])
    assert torch.equal(scores, expected[1])


@both
@torch.no_grad()
def test_reconstructions_stay_between_black_and_white(make):
    detector = make().eval()
    detector.network.decoder.convolutions[-1].weight.mul_(1000)
    reconstructions = detector.reconstruct(_images())
    assert (reconstructions.amin(), reconstructions.amax()) == (0, 1)


@both
@torch.no_grad()
def test_shuffled_columns_change_the_score(make):
    detector = make(score=_score(smoothing=0.0, border_radius=None, pooling=Mean())).eval()
    columns = torch.randperm(SIZE, generator=torch.Generator().manual_seed(2))
    difference = detector(_images())[1] - detector(_images()[..., columns])[1]
    assert (difference.abs() > 1e-6).all()


@both
@torch.no_grad()
def test_an_unfitted_detector_refuses_to_score(make):
    with pytest.raises(AnodiceError, match="train the detector first"):
        make(score=_score(normalise=True)).eval()(_images())


@both
@torch.no_grad()
def test_fitting_again_forgets_what_was_fitted(make):
    detector = make(score=_score(normalise=True)).eval()
    detector.fit([], _batches(seed=3))
    once = detector(_images())[1]
    detector.fit([], _batches(seed=4))
    detector.fit([], _batches(seed=3))
    torch.testing.assert_close(detector(_images())[1], once)
    assert detector.score.statistics.count == 6


@both
@torch.no_grad()
def test_weights_and_what_was_fitted_travel_in_the_state_dict(make):
    detector = make(score=_score(normalise=True)).eval()
    detector.fit([], _batches(seed=3))
    restored = make(score=_score(normalise=True)).eval()
    torch.nn.init.zeros_(restored.network.decoder.linear[0].weight)
    restored.load_state_dict(detector.state_dict())
    assert torch.equal(restored(_images())[1], detector(_images())[1])


@both
def test_description_tells_parameters_and_bottleneck(make):
    text = make().describe()
    assert f"{sum(p.numel() for p in make().parameters()):,} parameters" in text
    assert "code of 16 numbers for an image of 4,096 (1 : 256)" in text


@both
def test_losses_are_the_logged_terms(make):
    detector = make().eval()
    assert tuple(detector.loss_terms({"image": _images()})) == detector.loss_names


@both
def test_painted_images_are_reconstructed_to_the_clean_ones(make):
    detector = make().eval()
    torch.manual_seed(0)
    painted = detector.loss_terms({"image": _images(), "clean": torch.zeros_like(_images())})
    torch.manual_seed(0)
    assert painted["loss"] != detector.loss_terms({"image": _images()})["loss"]


def test_a_score_that_the_detector_cannot_serve_is_refused():
    message = "ConvAENetwork can serve, but NearestNeighbour needs its features; use model=inception_cae"
    with pytest.raises(AnodiceError, match=message):
        _conv_ae(score=NearestNeighbour(image_size=SIZE))


@torch.no_grad()
def test_a_score_of_features_needs_no_reconstruction():
    network = InceptionCAENetwork(in_channels=1, image_size=SIZE, filters=(4, 8), code=None)
    detector = InceptionCAE(network, score=NearestNeighbour(image_size=SIZE), optimizer=adam).eval()
    network.decoder.register_forward_hook(lambda *_: pytest.fail("it was reconstructed"))
    assert not detector.is_fitted
    detector.fit(_batches(seed=3), [])
    normals = torch.cat([batch["image"] for batch in _batches(seed=3)])
    assert detector(normals).scores.max() < 1e-6 < detector(1 - normals).scores.min()


@torch.no_grad()
def test_a_vae_can_have_any_network_with_its_loss():
    network = DenseVAENetwork(in_channels=1, image_size=SIZE, code=3)
    detector = VAE(network, beta=2.0, warm_up_steps=0, score=_score(), optimizer=adam).eval()
    terms = detector.loss_terms({"image": _images()})
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 2 * terms["kl"])
    torch.testing.assert_close(detector.reconstruct(_images()), network(_images()))
    assert "code of 3 numbers" in detector.describe()


def test_a_network_without_a_bottleneck_is_told():
    network = InceptionCAENetwork(in_channels=1, image_size=SIZE, filters=(8, 16), code=None)
    assert (
        "no bottleneck: such a network can copy its input"
        in InceptionCAE(network, score=_score(), optimizer=adam).describe()
    )
    assert "no bottleneck" not in _conv_ae().describe()


def test_the_loss_is_known_by_name_and_by_function():
    detector = _conv_ae(loss="mse").eval()
    assert detector.loss == "mse"
    images = _images()
    expected = detector.cost(detector.network(images), images)
    torch.testing.assert_close(expected, (detector.network(images) - images).square().mean())
    torch.testing.assert_close(detector.loss_terms({"image": images})["loss"], expected)


def test_bce_needs_outputs_between_black_and_white():
    with pytest.raises(AnodiceError, match=r"model.network.sigmoid=true with model.loss=bce"):
        _conv_ae(loss="bce")
    assert _conv_ae(loss="bce", sigmoid=True).loss_terms({"image": _images()})["loss"].isfinite()


@both
@pytest.mark.parametrize("code", [0, 4096])
def test_a_code_that_does_not_squeeze_is_refused(make, code):
    message = rf"code between 1 and 4095, fewer numbers .*, got {code}; set model\.network\.code"
    with pytest.raises(AnodiceError, match=message):
        make(code=code)


def _weight_of_kl(detector):
    torch.nn.init.constant_(detector.network.encoder.linear[0].bias, 3.0)  # far from the prior: it can be told
    terms = detector.loss_terms({"image": _images()})
    return ((terms["loss"] - terms["reconstruction"]) / terms["kl"]).item()


@pytest.mark.parametrize(("step", "beta"), [(0, 0.0), (5, 1.0), (9, 1.8), (10, 2.0), (1000, 2.0)])
def test_beta_rises_over_the_warm_up(monkeypatch, step, beta):
    detector = _at_step(_vae(noise_scale=0.5), step, monkeypatch).train()
    assert _weight_of_kl(detector) == pytest.approx(beta, abs=0.01)


@pytest.mark.parametrize("step", [0, 5, 1000])
def test_validation_uses_the_full_beta_at_any_step(monkeypatch, step):
    detector = _at_step(_vae(noise_scale=0.5), step, monkeypatch).eval()
    assert _weight_of_kl(detector) == pytest.approx(2.0, abs=0.01)


def test_without_warm_up_beta_is_full_from_the_first_step(monkeypatch):
    detector = _at_step(_vae(noise_scale=0.5, warm_up_steps=0), 0, monkeypatch).train()
    assert _weight_of_kl(detector) == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, "model.beta of at least 0, got -1.0"),
        ({"warm_up_steps": -1}, "model.warm_up_steps of at least 0, got -1"),
        ({"noise_scale": 0}, "model.network.noise_scale above 0 grey levels, got 0"),
        ({"noise_scale": -0.1}, "model.network.noise_scale above 0 grey levels, got -0.1"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(AnodiceError, match=message):
        _vae(**settings)
