"""The painter of defects: a mask that tells exactly what changed, for every kind, with and without marks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from anodice.dice.defects import DEFECTS, VISIBLE, paint, suitable
from anodice.dice.drawing.marks import Marks, Pip, pixels
from anodice.dice.renderer import CLASSES, render
from anodice.errors import AnodiceError

PHOTOS = {die_class: render(die_class, np.random.default_rng(21)) for die_class in CLASSES}
PAIRS = [(die_class, kind) for die_class, photo in PHOTOS.items() for kind in suitable(photo.marks)]


def _difference(defect, image):
    return np.abs(defect.image.astype(int) - image.astype(int))


def _check(defect, image):
    difference = _difference(defect, image)
    assert defect.image.dtype == np.uint8
    assert defect.mask.dtype == bool
    assert defect.image.shape == defect.mask.shape == image.shape
    assert defect.mask.any()
    assert difference[defect.mask].min() > VISIBLE
    assert difference[~defect.mask].max() <= VISIBLE


@pytest.mark.parametrize(("die_class", "kind"), PAIRS)
def test_every_kind_on_every_suitable_class_marks_what_changed(die_class, kind):
    photo = PHOTOS[die_class]
    before = photo.image.copy()
    for seed in range(3):
        defect = paint(photo.image, np.random.default_rng(seed), kind=kind, marks=photo.marks)
        assert defect.kind == kind
        _check(defect, photo.image)
        assert defect.mask.mean() < 0.5
    assert np.array_equal(photo.image, before)


def test_every_kind_suits_some_class():
    assert {kind for _, kind in PAIRS} == set(DEFECTS)


@pytest.mark.parametrize(("die_class", "kind"), PAIRS)
def test_marks_are_found_in_the_photo_when_none_are_given(die_class, kind):
    photo = PHOTOS[die_class]
    _check(paint(photo.image, np.random.default_rng(4), kind=kind), photo.image)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("kind", DEFECTS)
def test_other_sizes_scale_the_defect(kind, size):
    die_class = next(c for c, k in PAIRS[::-1] if k == kind)
    photo = render(die_class, np.random.default_rng(2), size=size)
    shares = []
    for seed in range(4):
        defect = paint(photo.image, np.random.default_rng(seed), kind=kind, marks=photo.marks)
        _check(defect, photo.image)
        shares.append(defect.mask.mean())
    assert 0.0005 < np.mean(shares) < 0.4


def test_same_seed_same_defect_and_another_seed_another():
    image = PHOTOS["03"].image
    first, again, other = (paint(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.kind == again.kind
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.image, other.image)


def test_kinds_are_drawn_among_the_suitable_ones():
    photo = PHOTOS["08"]
    kinds = {paint(photo.image, np.random.default_rng(seed), marks=photo.marks).kind for seed in range(150)}
    assert kinds == set(suitable(photo.marks))


def test_a_missing_pip_leaves_the_face_and_spares_the_others():
    photo = PHOTOS["01"]
    defect = paint(photo.image, np.random.default_rng(0), kind="missing_pip", marks=photo.marks)
    x, y = pixels(128)
    greys = sorted(defect.image[np.hypot(x - pip.x, y - pip.y) < pip.radius].mean() for pip in photo.marks.pips)
    assert greys[0] < 40
    assert greys[1] > 190


@pytest.mark.parametrize("die_class", ["03", "04", "06"])
def test_a_missing_pip_never_makes_a_normal_face(die_class):
    photo = PHOTOS[die_class]
    for seed in range(12):
        defect = paint(photo.image, np.random.default_rng(seed), kind="missing_pip", marks=photo.marks)
        assert not defect.mask[60:68, 60:68].any()


def test_engraved_letters_stay_on_the_logo():
    photo = PHOTOS["09"]
    defect = paint(photo.image, np.random.default_rng(0), kind="engraved_letters", marks=photo.marks)
    assert photo.image[defect.mask].mean() < 80
    assert defect.image[defect.mask].mean() > photo.image[defect.mask].mean() + 30


def test_a_blurred_photo_gets_softer_paint():
    photo = PHOTOS["00"]
    blurred = np.rint(ndimage.gaussian_filter(photo.image.astype(float), 2)).astype(np.uint8)
    steps = []
    for image in (photo.image, blurred):
        defect = paint(image, np.random.default_rng(3), kind="extra_dot", marks=photo.marks)
        change = defect.image.astype(float) - image
        steps.append(np.abs(np.diff(change, axis=0)).max())
    assert steps[1] < 0.7 * steps[0]


def test_a_face_without_marks_takes_the_kinds_that_need_none():
    image = np.full((96, 96), 210, np.uint8)
    for seed in range(20):
        defect = paint(image, np.random.default_rng(seed))
        assert defect.kind in suitable(Marks())
        _check(defect, image)


def test_unfit_kinds_are_refused():
    with pytest.raises(AnodiceError, match="no kind of defect 'scrach'; did you mean 'scratch'"):
        paint(PHOTOS["00"].image, np.random.default_rng(0), kind="scrach")
    with pytest.raises(AnodiceError, match="'cut_logo' needs a mark that this face has not; choose one of: pen_cross"):
        paint(PHOTOS["00"].image, np.random.default_rng(0), kind="cut_logo")
    # Taking away a pip that is not there changes nothing.
    nowhere = Marks(pips=(Pip(x=32, y=32, radius=8),))
    with pytest.raises(AnodiceError, match="no defect could be seen"):
        paint(np.full((64, 64), 200, np.uint8), np.random.default_rng(0), kind="missing_pip", marks=nowhere)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((128, 128), np.float32), "type uint8, not float32"),
        (np.zeros((128, 128, 3), np.uint8), r"not \(128, 128, 3\)"),
        (np.zeros((32, 32), np.uint8), r"not \(32, 32\)"),
        (np.zeros((128, 64), np.uint8), r"not \(128, 64\)"),
    ],
)
def test_unfit_images_are_refused(image, message):
    with pytest.raises(AnodiceError, match=message):
        paint(image, np.random.default_rng(0))
