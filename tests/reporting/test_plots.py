"""The figures draw what they are given, also at the edges."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from anodice.metrics.detection_limit import Limit
from anodice.metrics.sweep import Confusion
from anodice.reporting.plots.curves import (
    by_group,
    confusion_matrix,
    over_threshold,
    precision_recall,
    roc,
    score_histogram,
)
from anodice.reporting.plots.gallery import card, gallery
from anodice.reporting.plots.heat_maps import HeatMap, heat_maps
from anodice.reporting.plots.latent import latent_space, templates
from anodice.thresholds.f1 import F1Max

SCORES = np.array([0.1, 0.2, 0.3, 5.0, 6.0])
LABELS = np.array([False, False, False, True, True])


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def fitted():
    return {"f1_max": F1Max().fit(SCORES, LABELS, fitted_on="validation", split_digest="")}


def test_histogram_shows_the_threshold_and_both_classes():
    figure = score_histogram(SCORES, LABELS, fitted(), title="validation")
    assert legend_of(figure) == ["normal (3)", "anomalous (2)", "f1_max 2.65"]
    assert figure.axes[0].get_xscale() == "log"


def test_histogram_counts_plainly_with_ticks_that_do_not_overlap():
    scores = np.concatenate([np.full(1000, 0.1), np.geomspace(0.2, 9, 30)])
    figure = score_histogram(scores, scores > 5, {}, title="many")
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()][-3:] == ["200", "500", "1000"]
    boxes = [t.get_window_extent() for t in axis.get_xticklabels() if t.get_text() and 0.1 <= float(t.get_text()) <= 9]
    assert len(boxes) >= 5
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_histogram_has_its_legend_beside_the_bars():
    figure = score_histogram(SCORES, LABELS, fitted(), title="validation")
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().x0 >= figure.axes[0].get_window_extent().x1


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
    assert axis.figure.get_suptitle() == "validation\naverage precision 1.0000"


def test_roc_passes_through_the_thresholds_point():
    scores = np.array([0.1, 0.2, 0.3, 0.25, 6.0])
    figure = roc(scores, LABELS, fitted(), title="test")
    point = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (0.0, 0.5)
    assert "f1_max: 0 false alarms, 1 misses" in legend_of(figure)
    assert figure.get_suptitle() == "test\nAUROC 0.8333"


def test_f1_precision_and_recall_over_the_threshold():
    axis = over_threshold(SCORES, LABELS, fitted(), title="test").axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    assert lines["F1"].get_ydata().max() == 1
    place = lines["F1"].get_ydata().argmax()
    assert lines["F1"].get_xdata()[place] == lines["f1_max 2.65"].get_xdata()[0] == 2.65
    assert lines["recall"].get_ydata()[-1] == 1
    assert lines["precision"].get_ydata()[-1] == pytest.approx(0.4)


def test_confusion_matrix_tells_counts_shares_and_accuracy():
    axis = confusion_matrix(Confusion(tp=3, fp=1, fn=1, tn=15), title="test").axes[0]
    words = [text.get_text() for text in axis.texts]
    assert words == ["15\n93.8 %", "1\n6.2 %", "1\n25.0 %", "3\n75.0 %"]
    assert axis.figure.get_suptitle() == "test\naccuracy 0.900"


def test_groups_have_a_row_each_with_false_alarms_and_misses():
    flags, groups = np.array([True, False, False, True, False]), np.array(["00", "00", "01", "ano", "ano"])
    threshold = fitted()["f1_max"]
    axis = by_group(SCORES, LABELS, flags, groups, threshold=threshold, what="class", title="test").axes[0]
    words = [text.get_text() for text in axis.get_yticklabels()]
    assert words == ["00: 1 of 2 falsely flagged", "01: 0 of 1 falsely flagged", "ano: 1 of 2 missed"]
    assert [line.get_xdata().tolist() for line in axis.lines[:6:2]] == [[0.1, 0.2], [0.3], []]
    assert axis.lines[-1].get_xdata()[0] == threshold.value


def test_latent_space_names_classes_and_labels():
    codes = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    labels = np.array([False, False, False, False, True, True])
    figure = latent_space(codes, ["00", "00", "01", "01", "ano", "ano"], labels, title="codes")
    assert legend_of(figure) == ["00", "01", "normal (4)", "anomalous (2)"]


def test_templates_stand_under_their_names_on_one_scale_of_grey():
    figure = templates(np.stack([np.zeros((4, 4)), np.ones((4, 4))]), ["00", "01"], title="templates")
    assert [axis.get_title() for axis in figure.axes] == ["00", "01"]
    assert {axis.images[0].get_clim() for axis in figure.axes} == {(0.0, 1.0)}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("reconstructs", [True, False])
def test_a_card_shows_one_photo_under_its_words(channels, reconstructs):
    image = np.random.default_rng(0).random((channels, 8, 8))
    reconstruction = image if reconstructs else None
    words = f"{'folder/' * 20}photo.png\nscore 1"
    figure = card(image, reconstruction, np.zeros((8, 8)), None, words, scale=(0.0, 2.0))
    assert len(figure.axes) == (3 if reconstructs else 2)
    assert figure.axes[-1].images[0].get_clim() == (0.0, 2.0)
    path, score = figure.texts[0].get_text().splitlines()
    assert (path[0], path[-9:], score) == ("…", "photo.png", "score 1")
    figure.draw_without_rendering()
    assert figure.texts[0].get_window_extent().x1 <= figure.bbox.x1


def test_marked_defects_are_outlined_on_input_and_map():
    image, mask = np.zeros((1, 8, 8)), np.zeros((8, 8), dtype=bool)
    mask[0, 0] = True  # at the border
    for marked, outlines in ((mask, [1, 0, 1]), (None, [0, 0, 0]), (np.zeros((8, 8), dtype=bool), [0, 0, 0])):
        figure = card(image, image, image[0], marked, "a", scale=(0.0, 1.0))
        assert [len(axis.collections) for axis in figure.axes] == outlines
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
