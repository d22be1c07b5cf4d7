"""The figures draw what they are given, also at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anodice.metrics.detection_limit import Limit
from anodice.reporting.plots.curves import precision_recall, score_histogram
from anodice.reporting.plots.gallery import gallery
from anodice.reporting.plots.heat_maps import HeatMap, heat_maps
from anodice.reporting.plots.panels import panels
from anodice.thresholds.rules import F1Max

SCORES = np.array([0.1, 0.2, 0.3, 5.0, 6.0])
LABELS = np.array([False, False, False, True, True])


def fitted():
    return {"f1_max": F1Max().fit(SCORES, LABELS, fitted_on="validation", split_digest="")}


def test_histogram_shows_the_threshold_and_both_classes():
    axis = score_histogram(SCORES, LABELS, fitted(), title="validation").axes[0]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["normal (3)", "anomalous (2)", "f1_max 2.65"]
    assert axis.get_xscale() == "log"


@pytest.mark.parametrize("scores", [np.zeros(5), np.array([-1.0, 0, 1, 2, 3]), np.array([1e-9, 1e-9, 1e-9, 1, 1])])
def test_histogram_of_odd_scores(scores):
    axis = score_histogram(scores, LABELS, {}, title="odd").axes[0]
    counts = [sum(patch.get_height() for patch in container) for container in axis.containers]
    assert counts == [3, 2]  # no image falls outside the bins
    assert axis.get_xscale() == ("log" if scores[0] == 1e-9 else "linear")


def test_precision_recall_passes_through_the_thresholds_point():
    axis = precision_recall(SCORES, LABELS, fitted(), title="validation").axes[0]
    point = next(line for line in axis.lines if line.get_marker() == "o")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (1.0, 1.0)
    assert "AP 1.0000" in axis.get_title()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("reconstructs", [True, False])
def test_panels_have_a_row_per_image_on_one_colour_scale(channels, reconstructs):
    images, maps = np.random.default_rng(0).random((3, channels, 8, 8)), np.zeros((3, 1, 8, 8))
    reconstructions = images if reconstructs else None
    figure = panels(images, reconstructions, maps, ["a", "b", "c"], scale=(0.0, 2.0), masks=[None] * 3)
    columns = 3 if reconstructs else 2
    assert len(figure.axes) == 3 * columns + 1
    assert {axis.images[0].get_clim() for axis in figure.axes[columns - 1 : 3 * columns : columns]} == {(0.0, 2.0)}


def test_panels_outline_the_marked_defects_on_input_and_map():
    images, maps, mask = np.zeros((3, 1, 8, 8)), np.zeros((3, 1, 8, 8)), np.zeros((8, 8), dtype=bool)
    mask[0, 0] = True  # at the border
    masks = [mask, None, np.zeros((8, 8), dtype=bool)]
    figure = panels(images, images, maps, ["a", "b", "c"], scale=(0.0, 1.0), masks=masks)
    assert [len(axis.collections) for axis in figure.axes[:9]] == [1, 0, 1, 0, 0, 0, 0, 0, 0]
    assert figure.axes[0].get_xlim() == (-0.5, 7.5)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("reconstructs", [True, False])
def test_gallery_shows_every_image_with_its_words_on_one_colour_scale(count, reconstructs):
    images, maps = np.zeros((count, 1, 8, 8)), np.zeros((count, 1, 8, 8))
    captions = [f"image {k}" for k in range(count)]
    reconstructions = images if reconstructs else None
    figure = gallery("errors", images, reconstructions, maps, [None] * count, captions, scale=(0.0, 2.0))
    columns = 3 if reconstructs else 2
    assert len(figure.axes) == count * columns + 1
    assert {"errors", *captions} <= {text.get_text() for text in figure.texts}
    assert {axis.images[0].get_clim() for axis in figure.axes[columns - 1 : count * columns : columns]} == {(0.0, 2.0)}
    boxes = [axis.get_position() for axis in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)


def test_heat_maps_write_each_share_and_end_the_lines_where_nothing_is_found():
    recall = np.array([[0.0, 0.25], [np.nan, np.nan]])
    found = {0.5: [Limit(0.5, math.inf, 3.0, math.inf), None], 0.95: [Limit(0.95, 0.0, 0.0, 2.0), None]}
    figure = heat_maps([HeatMap("blot", "diameter", [2, 4], [10, 20], recall, found)], title="found")
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "25", "n/a", "n/a"]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines if line.get_linestyle() in ("-", "--")] == [0, 1]
    figure.canvas.draw()
