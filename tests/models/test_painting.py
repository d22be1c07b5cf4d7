"""The detectors that learn from painted defects."""

from __future__ import annotations

import pytest
import torch

from anodice.augmentation.defect_painter import DefectPainter
from anodice.baselines.classifiers import DefectCNN
from anodice.baselines.cnn import CNN
from anodice.models.defect_unet import DefectUNet, UNet
from anodice.models.optimizers import adam
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import Max

SIZE = 64


def _painter(share):
    return DefectPainter(image_size=SIZE, stamps=36, share=share, seed=0)


def _cnn(share=0.5):
    torch.manual_seed(0)
    return CNN(DefectCNN(in_channels=1, image_size=SIZE), painter=_painter(share), optimizer=adam)


def _unet(share=0.5):
    torch.manual_seed(0)
    network = UNet(in_channels=1, image_size=SIZE, widths=(8, 16, 16))
    score = MapScore(smoothing=0.0, border_radius=None, pooling=Max(), image_size=SIZE)
    return DefectUNet(network, painter=_painter(share), score=score, optimizer=adam)


both = pytest.mark.parametrize("make", [_cnn, _unet])


def _batch(count=8):
    images = 0.7 + 0.1 * torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return {"image": images, "index": torch.arange(count)}


@both
def test_losses_are_the_logged_terms(make):
    terms = make().loss_terms(_batch())
    assert tuple(terms) == make().loss_names
    assert all(term.isfinite() for term in terms.values())


@both
def test_validation_paints_the_same_defects_in_each_epoch(make):
    detector, found = make().eval(), []
    for epoch in range(2):
        torch.manual_seed(epoch)  # as it stands after other draws
        state = torch.get_rng_state()
        found.append(detector.paint(_batch()))
        assert torch.equal(torch.get_rng_state(), state)
    (images, masks), (others, other_masks) = found
    assert masks.any()
    assert torch.equal(images, others)
    assert torch.equal(masks, other_masks)


@both
def test_validation_paints_other_defects_on_other_photos(make):
    detector, batch = make().eval(), _batch()
    masks = detector.paint(batch)[1]
    assert not torch.equal(detector.paint(batch | {"index": batch["index"] + 1})[1], masks)


@both
def test_training_paints_others_each_time(make):
    detector = make().train()
    first, second = (detector.paint(_batch())[1] for _ in range(2))
    assert not torch.equal(first, second)


@both
@pytest.mark.slow
def test_it_learns_to_tell_painted_photos_from_others(make):
    detector = make().train()
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.003)
    for _ in range(150):
        optimizer.zero_grad()
        detector.loss_terms(_batch(32))["loss"].backward()
        optimizer.step()
    # Many defects are faint: of few images chance decides how many.
    painted, _ = make(share=1.0).eval().paint(_batch(256))
    with torch.no_grad():
        scores = [detector.eval()(images.contiguous()).scores for images in (painted, _batch(256)["image"])]
    assert (scores[0][:, None] > scores[1]).double().mean() > 0.62


@torch.no_grad()
def test_the_score_of_the_cnn_is_its_logit_and_the_map_its_evidence():
    detector, images = _cnn().eval(), _batch()["image"]
    found = detector(images)
    assert found.scores.dtype == torch.float64
    torch.testing.assert_close(found.scores, detector.network(images).double())
    torch.testing.assert_close(found.maps, detector.network.logits_and_map(images)[1])


def test_images_painted_by_the_augmentation_are_painted_anew_on_their_clean_ones():
    batch = _batch() | {"clean": _batch()["image"], "image": torch.zeros(8, 1, SIZE, SIZE)}
    painted, masks = _unet(share=0.0).eval().paint(batch)
    assert torch.equal(painted, batch["clean"])
    assert not masks.any()


@pytest.mark.parametrize("size", [32, 64, 96])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_map_has_the_size_of_the_image(size, channels):
    network = UNet(in_channels=channels, image_size=size, widths=(4, 8, 8))
    assert network(torch.rand(2, channels, size, size)).shape == (2, 1, size, size)
