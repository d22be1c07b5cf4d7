"""The ratio of the reconstruction's loss to the template's."""

from __future__ import annotations

import pytest
import torch
from skimage.metrics import structural_similarity

from anodice.scoring.score import Seen
from anodice.scoring.template_ratio import TemplateRatio

SIZE = 32


def _see(images):
    """A stand-in for a network: knows the class by the first pixel, and reconstructs everything half as bright."""
    return Seen(images, reconstructions=images / 2, classes=(images[:, 0, 0, 0] > 0.5).long())


def _photos(seed):
    generator = torch.Generator().manual_seed(seed)
    images = 0.2 * torch.rand(12, 1, SIZE, SIZE, generator=generator)
    classes = torch.arange(12) % 2
    images[classes == 1, :, :, : SIZE // 2] += 0.7
    return {"image": images, "class": classes}


def _dissimilarity(a, b):
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, whole = structural_similarity(a, b, full=True, **settings)
    return 1 - whole[5:-5, 5:-5].mean()


def test_ratio_is_that_of_the_two_ssim_losses():
    score, photos = TemplateRatio(classes=["a", "b"], image_size=SIZE, in_channels=1), _photos(0)
    score.fit(_see, [photos], [])
    for k in range(2):
        expected = photos["image"][photos["class"] == k].mean(0)
        torch.testing.assert_close(score.templates[k], expected)
    probe = _photos(1)
    maps, scores = score(_see(probe["image"]))
    assert maps.shape == probe["image"].shape
    for image, k, found in zip(probe["image"][:, 0].double().numpy(), probe["class"], scores, strict=True):
        template = score.templates[k, 0].double().numpy()
        assert found.item() == pytest.approx(
            -_dissimilarity(image, image / 2) / _dissimilarity(image, template), rel=1e-3
        )


def test_a_mark_raises_the_score():
    score, photos = TemplateRatio(classes=["a", "b"], image_size=SIZE, in_channels=1), _photos(0)
    score.fit(_see, [photos], [])
    marked = photos["image"].clone()
    marked[:, :, 10:20, 20:30] = 0.7
    marked_score, plain_score = (score(_see(images))[1] for images in (marked, photos["image"]))
    assert (marked_score > plain_score).all()


def test_it_is_fitted_once_it_has_templates_and_they_travel_in_the_state_dict():
    score, other = (TemplateRatio(classes=["a", "b"], image_size=SIZE, in_channels=1) for _ in range(2))
    assert not score.is_fitted
    score.fit(_see, [_photos(0)], [])
    assert score.is_fitted
    other.load_state_dict(score.state_dict())
    seen = _see(_photos(1)["image"])
    assert torch.equal(other(seen)[1], score(seen)[1])
