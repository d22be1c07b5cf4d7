"""The figures draw what they are given, also at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from anodice.figures.curves import precision_recall, score_histogram
from anodice.figures.panels import panels
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
    assert score_histogram(scores, LABELS, {}, title="odd").axes[0].get_title() == "odd"


def test_precision_recall_passes_through_the_thresholds_point():
    axis = precision_recall(SCORES, LABELS, fitted(), title="validation").axes[0]
    point = next(line for line in axis.lines if line.get_marker() == "o")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (1.0, 1.0)
    assert "AP 1.0000" in axis.get_title()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("reconstructs", [True, False])
def test_panels_have_a_row_per_image_on_one_colour_scale(channels, reconstructs):
    images, maps = np.random.default_rng(0).random((3, channels, 8, 8)), np.zeros((3, 1, 8, 8))
    figure = panels(images, images if reconstructs else None, maps, ["a", "b", "c"], scale=(0.0, 2.0))
    columns = 3 if reconstructs else 2
    assert len(figure.axes) == 3 * columns + 1
    assert {axis.images[0].get_clim() for axis in figure.axes[columns - 1 : 3 * columns : columns]} == {(0.0, 2.0)}
