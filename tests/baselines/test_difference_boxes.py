"""Boxes around what differs: where, how large at least, and of what."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu
from skimage.metrics import structural_similarity

from anodice.baselines.difference_boxes import difference_boxes
from anodice.errors import AnodiceError


def _pictures():
    """A grey template with noise, and the same with a dark square of 12 pixels and a dark one of 2."""
    template = np.random.default_rng(0).integers(150, 200, (64, 64)).astype(np.uint8)
    photo = template.copy()
    photo[10:22, 30:42] = 0
    photo[50:52, 5:7] = 0
    return photo, template


def test_boxes_surround_what_differs_the_largest_first():
    found = difference_boxes(*_pictures())
    # A window of 7 pixels sees three farther on each side.
    assert found.boxes[0] == (27, 7, 45, 25)
    assert len(found.boxes) == 2
    left, top, right, bottom = found.boxes[1]
    assert 2 <= left <= 5 < 7 <= right <= 10
    assert 47 <= top <= 50 < 52 <= bottom <= 55


def test_the_cut_is_otsus_of_the_similarity_in_8_bits():
    photo, template = _pictures()
    found = difference_boxes(photo, template)
    _, whole = structural_similarity(photo, template, full=True, data_range=255)
    assert np.array_equal(found.similarity, np.clip(255 * whole, 0, 255).astype(np.uint8))
    assert found.cut == threshold_otsu(found.similarity)


@pytest.mark.parametrize(("least_area", "count"), [(323, 1), (324, 0)])
def test_parts_that_are_too_small_get_no_box(least_area, count):
    photo, template = _pictures()
    photo[50:52, 5:7] = template[50:52, 5:7]
    template[:] = 150  # flat, so that the part is the whole square of 18 x 18 pixels around the dark one
    photo[:] = 150
    photo[10:22, 30:42] = 0
    assert len(difference_boxes(photo, template, least_area=least_area).boxes) == count


def test_parts_that_touch_at_a_corner_share_a_box():
    template = np.full((48, 48), 150, dtype=np.uint8)
    photo = template.copy()
    photo[10:16, 10:16] = photo[22:28, 22:28] = 0  # seen as 7 to 19 and as 19 to 31
    assert difference_boxes(photo, template).boxes == ((7, 7, 31, 31),)
    photo[10:16, 10:16], photo[9:15, 9:15] = 150, 0
    assert sorted(difference_boxes(photo, template).boxes) == [(6, 6, 18, 18), (19, 19, 31, 31)]


def test_equal_pictures_have_no_boxes():
    _, template = _pictures()
    found = difference_boxes(template, template)
    assert (found.cut, found.boxes) == (None, ())
    assert (found.similarity == 255).all()


@pytest.mark.parametrize("shape", [(32, 64), (64, 64, 1)])
def test_pictures_of_other_shapes_are_refused(shape):
    with pytest.raises(AnodiceError, match="expected two grey pictures of one shape"):
        difference_boxes(np.zeros(shape, dtype=np.uint8), _pictures()[1])
