"""The detectors without gradients: templates and Fourier spectra, fitted in one pass."""

from __future__ import annotations

import pytest
import torch

from anodice.baselines.fourier import Fourier
from anodice.baselines.running_mean import running_mean, through_jpeg
from anodice.baselines.template import COMPARISONS, Template
from anodice.errors import AnodiceError
from anodice.thresholds.rules import Learned

SIZE = 64
CLASSES = ("left", "right", "none")


def _template(comparison="mse", *, in_channels=1, **changes):
    settings = {"own_other": None, "class_quantile": None} | changes
    return Template(comparison=comparison, classes=CLASSES, image_size=SIZE, in_channels=in_channels, **settings)


def _fourier(*, normalise=False, in_channels=1):
    return Fourier(classes=CLASSES, normalise=normalise, image_size=SIZE, in_channels=in_channels)


def _photos(count=12, seed=0, channels=1):
    """Two classes: a dark bar on the left or on the right of a bright noisy ground; the third class has no photo."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.8 + 0.05 * torch.randn(count, 1, SIZE, SIZE, generator=generator)
    classes = torch.arange(count) % 2
    images[classes == 0, :, 16:48, 12:24] -= 0.6
    images[classes == 1, :, 16:48, 40:46] -= 0.6
    return {"image": images.clamp(0, 1).repeat(1, channels, 1, 1), "class": classes}


def _fitted(detector, channels=1):
    photos = _photos(40, channels=channels)
    batches = [{name: value[k : k + 16] for name, value in photos.items()} for k in (0, 16, 32)]
    detector.fit(batches, [_photos(30, seed=1, channels=channels)])
    return detector.eval()


def _marked(photos):
    images = photos["image"].clone()
    images[:, :, 20:44, 28:38] = 0.05
    return images


DETECTORS = [
    *(pytest.param(lambda name=name: _template(name), id=name) for name in COMPARISONS),
    pytest.param(lambda: _template("mse", own_other=0.75, far_from="any"), id="any"),
    pytest.param(lambda: _template("mse", own_other=0.75), id="own_other"),
    pytest.param(lambda: _template("ssim", class_quantile=0.9), id="class_quantile"),
    pytest.param(_fourier, id="fourier"),
    pytest.param(lambda: _fourier(normalise=True), id="fourier normalised"),
]


@pytest.mark.parametrize("make", DETECTORS)
@torch.no_grad()
def test_normal_photos_are_taken_for_their_class(make):
    photos = _photos(seed=2)
    found = _fitted(make())(photos["image"])
    assert found.classes.tolist() == photos["class"].tolist()
    assert found.maps.shape == photos["image"].shape
    assert found.scores.dtype == torch.float64


@pytest.mark.parametrize("make", [p for p in DETECTORS if p.id != "wrapped_mse"])
@torch.no_grad()
def test_a_mark_raises_the_score(make):
    photos = _photos(seed=2)
    detector = _fitted(make())
    assert (detector(_marked(photos)).scores > detector(photos["image"]).scores.max()).all()


@pytest.mark.parametrize("make", DETECTORS)
@torch.no_grad()
def test_fitting_again_forgets_what_was_fitted(make):
    detector, photos = _fitted(make()), _photos(seed=2)
    once = detector(photos["image"]).scores
    other = {"image": 1 - _photos(seed=5)["image"], "class": _photos(seed=5)["class"]}
    detector.fit([other], [other])
    assert torch.equal(_fitted(detector)(photos["image"]).scores, once)


@pytest.mark.parametrize("make", DETECTORS)
@torch.no_grad()
def test_what_was_fitted_travels_in_the_state_dict(make):
    detector, restored, photos = _fitted(make()), make().eval(), _photos(seed=2)
    restored.load_state_dict(detector.state_dict())
    assert torch.equal(restored(photos["image"]).scores, detector(photos["image"]).scores)


@pytest.mark.parametrize("make", [_template, _fourier])
@torch.no_grad()
def test_colour_is_turned_to_grey(make):
    photos = _photos(seed=2)
    grey = _fitted(make())(photos["image"]).scores
    colour = _fitted(make(in_channels=3), channels=3)(photos["image"].repeat(1, 3, 1, 1)).scores
    torch.testing.assert_close(colour, grey, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("make", DETECTORS)
def test_an_unfitted_detector_refuses_to_score(make):
    with pytest.raises(AnodiceError, match="train the detector first"):
        make()(_photos()["image"])


@torch.no_grad()
def test_templates_are_the_means_of_the_classes():
    photos = _photos(40)
    templates = _fitted(_template()).templates
    for k in range(2):
        torch.testing.assert_close(templates[k], photos["image"][photos["class"] == k].mean(0))


@torch.no_grad()
def test_own_and_other_distances_put_the_classes_on_one_scale():
    detector, photos = _fitted(_template("mse", own_other=0.5)), _photos(40)
    for k in range(2):
        distances = (photos["image"] - detector.templates[k]).square().mean((1, 2, 3))
        own = photos["class"] == k
        expected = 0.5 * (distances[own].mean() + distances[~own].mean())
        torch.testing.assert_close(detector.scale.scale[k], expected, rtol=1e-3, atol=0)
    assert detector.scale.scale[2] == 1


@torch.no_grad()
def test_the_photos_of_the_training_lie_within_their_band():
    detector = _fitted(_template("dark_band"))
    scores = detector(_photos(40)["image"]).scores
    assert scores.max() <= 1e-6
    assert (scores > -1e-6).sum() >= 4  # both edges of both classes


@torch.no_grad()
def test_the_largest_distance_of_the_training_is_one():
    scores = _fitted(_fourier(normalise=True))(_photos(40)["image"]).scores
    assert scores.max().item() == pytest.approx(1, abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("far_from", "of"), [("all", torch.Tensor.amin), ("any", torch.Tensor.amax)])
def test_with_a_threshold_for_each_class_the_score_is_the_least_or_the_largest_quotient(far_from, of):
    detector, photos = _fitted(_template("mse", own_other=0.5, far_from=far_from)), _photos(seed=2)
    distances = torch.stack([(photos["image"] - t).square().mean((1, 2, 3)) for t in detector.templates[:2]], 1)
    quotients = distances.double() / detector.scale.scale[:2]
    found = detector(photos["image"])
    torch.testing.assert_close(found.scores, of(quotients, 1), rtol=1e-3, atol=0)
    assert torch.equal(found.classes, quotients.argmin(1))


@torch.no_grad()
def test_running_templates_are_made_in_the_order_of_the_records():
    photos = _photos(40)
    photos["index"] = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    detector = _template("absdiff")
    detector.fit([{name: value[:20] for name, value in photos.items()}, {n: v[20:] for n, v in photos.items()}], [])
    levels = (photos["image"][photos["index"].argsort()] * 255).round().to(torch.uint8)
    own = levels[photos["class"][photos["index"].argsort()] == 1][:, 0].numpy()
    assert torch.equal(detector.templates[1, 0], torch.from_numpy(through_jpeg(running_mean(own)).copy()) / 255)


@torch.no_grad()
@pytest.mark.parametrize("make", [lambda: _template("ncc"), _fourier], ids=["ncc", "fourier"])
def test_the_limits_are_the_highest_scores_of_the_training(make):
    detector, photos = _fitted(make()), _photos(40)
    assert detector.keeps_limits
    scores = detector(photos["image"]).scores
    expected = {name: scores[photos["class"] == k].max().item() for k, name in enumerate(CLASSES[:2])}
    assert detector.limits == pytest.approx(expected, rel=1e-6)
    learned = Learned(values=detector.limits).fit([], [], fitted_on="validation", split_digest="")
    names = [CLASSES[k] for k in photos["class"]]
    assert not learned.flags(scores, names).any()
    assert learned.flags(scores * 1.00001, names).sum() == 2


def test_not_every_comparison_keeps_limits():
    assert not _template("ssim").keeps_limits
    assert not _fourier(normalise=True).keeps_limits


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"comparison": "smi"}, "did you mean 'ssim'"),
        ({"own_other": 0.75, "class_quantile": 0.9}, "expected one of model.own_other and model.class_quantile"),
        ({"far_from": "some"}, "there is no model.far_from 'some'"),
        ({"far_from": "any"}, "expected model.own_other beside model.far_from=any"),
        ({"comparison": "dark_band", "own_other": 0.75}, "expected no model.own_other nor model.class_quantile"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(AnodiceError, match=message):
        _template(**settings)
