"""Templates as an earlier project made them, against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anodice.baselines.running_mean import running_mean, through_jpeg


def _photos(count, size=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def test_each_step_is_opencvs_weighted_sum():
    photos = _photos(300)
    mean = photos[0]
    for number, photo in enumerate(photos[1:], start=2):
        mean = cv2.addWeighted(photo, 1 / number, mean, 1 - 1 / number, 0.0)
    np.testing.assert_array_equal(running_mean(photos), mean)


def test_late_photos_move_nothing_and_the_order_matters():
    dark, light = np.zeros((600, 4, 4), dtype=np.uint8), np.full((600, 4, 4), 200, dtype=np.uint8)
    assert running_mean(np.concatenate([dark, light])).max() == 0  # the mean is 100
    assert running_mean(np.concatenate([light, dark])).min() == 200


def test_the_file_is_that_of_opencv():
    photo = cv2.GaussianBlur(_photos(1, size=128)[0], (9, 9), 0)
    three = cv2.cvtColor(photo, cv2.COLOR_GRAY2BGR)
    back = cv2.imdecode(cv2.imencode(".jpg", three)[1], cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(through_jpeg(photo), back[..., 0])
    assert (through_jpeg(photo) != photo).any()


def test_without_a_photo_there_is_no_mean():
    with pytest.raises(ValueError, match="at least one photo"):
        running_mean([])
