"""The auto-encoder with a classifier: its losses, its classes, the scale of each class."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from anodice.baselines.autoencoders import PooledAE
from anodice.baselines.classifiers import AEWithFaceCNN
from anodice.errors import AnodiceError
from anodice.models.ae_classifier import AEClassifier, AEClassifierNetwork
from anodice.models.optimizers import adam
from anodice.scoring.pooling import Mean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import L1
from anodice.scoring.template_ratio import TemplateRatio

SIZE = 32
CLASSES = ("1", "2", "3")


def _made(**changes):
    torch.manual_seed(0)
    score = ResidualScore(
        residual=L1(), smoothing=0.0, normalise=False, border_radius=None, pooling=Mean(), image_size=SIZE
    )
    shape = {"classes": changes.pop("classes", CLASSES), "code": changes.pop("code", 8)}
    network = changes.pop("network", None) or AEClassifierNetwork(in_channels=1, image_size=SIZE, **shape)
    settings = {"class_weight": 0.1, "class_quantile": None, "score": score} | changes
    return AEClassifier(network, **settings, loss="l1", optimizer=adam)


def _batch(count=30, seed=1):
    images = torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    return {"image": images, "class": torch.arange(count) % 3}


def test_loss_is_reconstruction_and_weighted_cross_entropy():
    detector, batch = _made().eval(), _batch()
    terms = detector.loss_terms(batch)
    assert tuple(terms) == detector.loss_names
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 0.1 * terms["classification"])
    difference = detector.network(batch["image"]) - batch["image"]
    torch.testing.assert_close(terms["reconstruction"], difference.abs().mean())
    logits = detector.network.both(batch["image"])[1]
    torch.testing.assert_close(terms["classification"], F.cross_entropy(logits, batch["class"]))


@torch.no_grad()
def test_classes_are_those_of_the_head():
    detector, batch = _made().eval(), _batch()
    found = detector(batch["image"]).classes
    assert torch.equal(found, detector.network.both(batch["image"])[1].argmax(1))


@torch.no_grad()
def test_one_pass_of_the_network_gives_map_score_and_class():
    score = TemplateRatio(classes=CLASSES, image_size=SIZE, in_channels=1)
    detector, batch, passes = _made(score=score, class_quantile=0.5).eval(), _batch(), []
    detector.fit([batch], [batch])
    detector.network.encoder.register_forward_hook(lambda *_: passes.append(1))
    detector(batch["image"])
    assert len(passes) == 1


@torch.no_grad()
def test_an_auto_encoder_with_a_classifier_beside_it_can_be_its_network():
    torch.manual_seed(0)
    autoencoder = PooledAE(in_channels=1, image_size=SIZE)
    pair = AEWithFaceCNN(autoencoder=autoencoder, in_channels=1, image_size=SIZE, classes=CLASSES)
    detector, images = _made(network=pair).eval(), _batch()["image"]
    found = detector(images)
    assert torch.equal(found.classes, pair.classifier(images).argmax(1))
    torch.testing.assert_close(found.maps, (pair.autoencoder(images) - images).abs())
    assert detector.classes == CLASSES


@torch.no_grad()
def test_scores_are_divided_by_the_quantile_of_the_class_they_are_taken_for():
    plain, scaled, batch = _made().eval(), _made(class_quantile=0.5).eval(), _batch(300)
    for detector in (plain, scaled):
        detector.network.head.weight.mul_(1000)  # so that the classes differ
        detector.network.head.bias.copy_(-detector.network.both(batch["image"])[1].median(0).values)
    scaled.fit([], [{name: value[k : k + 50] for name, value in batch.items()} for k in range(0, 300, 50)])
    scores, classes = plain(batch["image"])[1:]
    found = scaled(batch["image"]).scores
    assert len(set(classes.tolist())) > 1
    for k in classes.unique():
        own = classes == k
        if own.sum() >= 10:
            torch.testing.assert_close(found[own], scores[own] / scores[own].quantile(0.5), rtol=1e-5, atol=0)


@torch.no_grad()
def test_the_ratio_of_the_web_page_can_be_its_score():
    score = TemplateRatio(classes=CLASSES, image_size=SIZE, in_channels=1)
    detector, batch = _made(score=score).eval(), _batch()
    detector.fit([batch], [])
    torch.testing.assert_close(score.templates[1], batch["image"][1::3].mean(0))
    assert (detector(batch["image"]).scores < 0).all()


def test_the_classifier_beside_an_auto_encoder_can_have_its_own_rate():
    autoencoder = PooledAE(in_channels=1, image_size=SIZE)
    pair = AEWithFaceCNN(autoencoder=autoencoder, in_channels=1, image_size=SIZE, classes=CLASSES)
    rest, own = _made(network=pair, classifier_lr=1e-5).parameter_groups()
    assert [id(p) for p in own["params"]] == [id(p) for p in pair.classifier.parameters()]
    assert own["lr"] == 1e-5
    assert len(rest["params"]) + len(own["params"]) == len(list(pair.parameters()))
    optimizer, _ = adam([rest, own], 10, lr=5e-4, eps=1e-7)
    assert [group["lr"] for group in optimizer.param_groups] == [5e-4, 1e-5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": ("good",)}, r"at least 2 classes to tell apart, got 1 \(good\); use model=conv_ae"),
        ({"classifier_lr": 1e-5}, "expected a network with its own classifier for model.classifier_lr"),
        ({"class_weight": 0.0}, "model.class_weight above 0"),
        ({"class_quantile": 2.0}, r"model.class_quantile in \[0, 1\]"),
        ({"code": 0}, r"code between 1 and 1023.* set model\.network\.code"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(AnodiceError, match=message):
        _made(**settings)
