"""Files of results are replaced whole."""

from __future__ import annotations

import json

import pytest
from matplotlib.figure import Figure
from PIL import Image

from anodice.app.files import write_json
from anodice.errors import AnodiceError
from anodice.reporting.run_files import check_formats, save_figures, score_figures
from tests.tables import fitted_to, made_up


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"f1": 0.5})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"f1": float("nan")})
    assert json.loads(path.read_text()) == {"f1": 0.5}


def test_figures_are_saved_at_150_dots_per_inch_and_as_svg_on_request(tmp_path):
    save_figures(tmp_path / "figures", {"a": Figure(figsize=(2, 1))}, formats=["png", "svg"])
    assert Image.open(tmp_path / "figures" / "a.png").size == (300, 150)
    assert (tmp_path / "figures" / "a.svg").read_text().startswith("<?xml")


def test_an_unknown_format_is_refused():
    with pytest.raises(AnodiceError, match="'svgg'; did you mean 'svg'"):
        check_formats(["png", "svgg"])


def test_pictures_of_scores_tell_the_run_and_show_the_clean_test():
    table = made_up(leaked=10)
    figures = score_figures(table, fitted_to(table), title="vae on dice11, seed 0: a_run")
    assert set(figures) == {
        *(f"{part}_{name}" for part in ("validation", "test") for name in CURVES),
        *("test_confusion", "test_by_class", "test_by_session"),
    }
    assert all("a_run" in figure.get_suptitle() for figure in figures.values())
    legend = [text.get_text() for text in figures["test_scores"].legends[0].get_texts()]
    assert legend[:2] == ["normal (50)", "anomalous (20)"]
    assert "clean test: 50 normal, 20 anomalous images" in figures["test_scores"].get_suptitle()


CURVES = ("scores", "precision_recall", "roc", "over_threshold")


def test_without_anomalies_there_are_no_curves():
    table = made_up()
    table = table.where((table.split == "validation") | ~table.label)
    figures = score_figures(table, fitted_to(table), title="a run")
    assert {name for name in figures if name.startswith("test")} == {
        *("test_scores", "test_confusion", "test_by_session"),
    }
