"""Photos of any shape in one frame: nothing distorted unless asked for, and the way back to the photo."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from anodice.data.frame import FITS, Frame, check_tile
from anodice.errors import AnodiceError


@pytest.fixture
def disk():
    """A white disk of 40 pixels in the middle of a grey photo that is twice as wide as high."""
    y, x = np.mgrid[:100, :200]
    return Image.fromarray(np.where(np.hypot(x - 99.5, y - 49.5) < 20, 255, 90).astype(np.uint8))


def _sides(pixels):
    """Height and width of what is white."""
    rows, columns = np.nonzero(pixels > 170)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(("fit", "sides"), [("squash", (40, 20)), ("pad", (20, 20)), ("crop", (40, 40))])
def test_only_squashing_makes_a_disk_oval(disk, fit, sides):
    assert _sides(np.asarray(Frame(100, 100, fit).fitted(disk))) == pytest.approx(sides, abs=1)


def test_the_border_that_is_added_has_the_colour_of_the_photos_edge(disk):
    framed = np.asarray(Frame(100, 100, "pad").fitted(disk.convert("RGB")))
    assert framed.shape == (100, 100, 3)
    assert (framed[:25] == 90).all()
    assert (framed[75:] == 90).all()


def test_squares_are_the_same_whatever_the_fit(disk):
    square = disk.crop((50, 0, 150, 100))
    framed = [np.asarray(Frame(32, 32, fit).fitted(square)) for fit in FITS]
    assert np.array_equal(framed[0], framed[1])
    assert np.array_equal(framed[0], framed[2])


@pytest.mark.parametrize("fit", FITS)
def test_masks_lie_where_the_photo_does(disk, fit):
    frame = Frame(100, 100, fit)
    white = np.asarray(frame.fitted(disk)) > 170
    mask = frame.mask(np.asarray(disk) > 170)
    assert mask[white].all()
    assert mask.sum() < 1.3 * white.sum()


@pytest.mark.parametrize("fit", FITS)
def test_a_box_in_the_frame_is_told_in_the_photos_pixels(disk, fit):
    frame = Frame(100, 100, fit)
    rows, columns = np.nonzero(np.asarray(frame.fitted(disk)) > 170)
    box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert frame.to_photo(box, disk.size) == pytest.approx((80, 30, 120, 70), abs=2)


def test_unknown_fits_and_tiles_are_refused():
    with pytest.raises(AnodiceError, match=r"data.shape_to_square.*pad"):
        Frame(10, 10, "paddd")
    for tile in (2, [2], [0, 1], ["1", 1]):
        with pytest.raises(AnodiceError, match=r"expected data.tile to be null or \[ROWS,COLUMNS\]"):
            check_tile(tile)
