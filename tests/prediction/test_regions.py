"""The parts of a map that raise the alarm."""

from __future__ import annotations

import numpy as np

from anodice.evaluation.map_scale import CALM, MapScale, fit_map_scale
from anodice.prediction.regions import MOST, regions


def anomaly_map() -> np.ndarray:
    values = np.zeros((10, 20), dtype=np.float32)
    values[1:3, 2:5] = 0.5
    values[1, 2] = 0.9
    values[6, 10], values[7, 11] = 0.7, 0.6  # touch by a corner
    values[9, 19] = 0.4
    return values


def test_regions_are_boxes_areas_and_peaks_the_highest_first():
    found = regions(anomaly_map(), 0.5, (20, 10))
    assert [(r.box, r.area) for r in found] == [((2, 1, 5, 3), 6), ((10, 6, 12, 8), 2)]
    assert np.allclose([r.peak for r in found], [0.9, 0.7])


def test_a_pixel_at_the_threshold_counts():
    assert len(regions(anomaly_map(), float(np.float32(0.9)), (20, 10))) == 1
    assert regions(anomaly_map(), 0.91, (20, 10)) == ()


def test_boxes_are_in_pixels_of_the_photo():
    found = regions(anomaly_map(), 0.65, (60, 15))
    assert [(r.box, r.area) for r in found] == [((6, 1, 9, 3), 4), ((30, 9, 33, 11), 4)]


def test_no_more_than_so_many_are_told():
    specks = np.zeros((20, 20), dtype=np.float32)
    specks[::2, ::2] = np.arange(100, dtype=np.float32).reshape(10, 10) + 1
    found = regions(specks, 0.5, (20, 20))
    assert [r.peak for r in found] == list(range(100, 100 - MOST, -1))


def test_the_pixel_threshold_leaves_nine_normal_maps_of_ten_without_a_pixel():
    maps = [np.full((4, 4), k, dtype=np.float32) for k in range(101)]
    scale = fit_map_scale(maps, colours=(0.0, 2.0))
    assert CALM == 0.9
    assert scale == MapScale(0.0, 2.0, pixel_threshold=90.0, fitted_on="validation: 101 normal")
    assert MapScale.from_dict(scale.as_dict()) == scale


def test_without_normal_maps_no_pixel_is_strange():
    scale = fit_map_scale([], colours=(0.0, 1.0))
    assert regions(anomaly_map(), scale.pixel_threshold, (20, 10)) == ()
