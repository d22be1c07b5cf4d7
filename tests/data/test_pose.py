"""Objects at any angle are turned to one pose, with their masks; what has no axis stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from anodice.data.layouts import mvtec
from anodice.data.pose import LongAxis
from anodice.errors import AnodiceError
from anodice.objects.dataset import write_object
from anodice.objects.drawing import draw


def _drawn(kind, count, size=96):
    return np.stack([draw(kind, np.random.default_rng(k), size=size).image for k in range(count)])


def _likeness(photos):
    """Mean correlation of each photo with the mean of the others."""
    flat = photos.reshape(len(photos), -1).astype(float)
    others = (flat.sum(0) - flat) / (len(flat) - 1)
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(flat, others, strict=True)])


def test_bolts_at_any_angle_come_to_lie_alike():
    bolts = _drawn("bolts", 12)
    assert _likeness(bolts) < 0.6
    turned = LongAxis()(bolts)
    assert _likeness(turned) > 0.9
    thickness = (turned < 150).sum(1)
    assert (thickness[:, :30].max(1) > thickness[:, 60:].max(1) + 2).all()  # the head is on the left
    assert (LongAxis()(bolts[3:4]) == turned[3]).all()


def test_round_objects_stay_as_they_are():
    jars = _drawn("jars", 3)
    assert np.array_equal(LongAxis()(jars), jars)
    flat = np.full((1, 32, 32), 90, np.uint8)
    assert np.array_equal(LongAxis()(flat), flat)


def test_colours_are_turned_as_grey_is():
    grey = _drawn("bolts", 2)
    assert np.array_equal(LongAxis()(np.repeat(grey[..., None], 3, 3))[..., 1], LongAxis()(grey))


def test_masks_are_turned_along(data_module, tmp_path):
    root = write_object(tmp_path / "bolts", kind="bolts", train=8, test_good=1, test_flawed=2, size=96)
    module = data_module(root, layout=mvtec, image_size=96, orientation=LongAxis())
    photos = module.photos
    assert photos.turned
    for i in photos.split.test:
        mask = photos.mask(i)
        if photos.records[i].class_name == "head_scratch":
            _, columns = np.nonzero(mask)
            assert columns.max() < 48  # heads lie to the left
        assert mask is None or 3 <= mask.sum() < 600


def test_other_photos_are_refused():
    with pytest.raises(AnodiceError, match=r"expected square photos .* got uint8 \(2, 8, 9\)"):
        LongAxis()(np.zeros((2, 8, 9), np.uint8))
