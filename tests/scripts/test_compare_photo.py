"""`scripts/compare_photo.py`: the worked table, the verdicts of both rules, boxes and their picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodice import Predictor
from anodice.prediction.explanation import ClassDistance, Explanation
from anodice.thresholds.rules import Manual

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_photo.py"


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("compare_photo", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("values", "any_of_them", "all_of_them"),
    [
        ([60.0, 90.0], "anomalous", "normal"),
        ([80.0, 90.0], "anomalous", "anomalous"),
        ([60.0, 70.0], "normal", "normal"),
    ],
)
def test_each_distance_stands_beside_its_threshold(script, finished_run, dice_root, values, any_of_them, all_of_them):
    prediction = Predictor.from_run(finished_run)(next((dice_root / "test_set" / "03").iterdir()))
    units = (80.0, 82.75)
    rows = tuple(ClassDistance(name, *pair) for name, *pair in zip(("03", "10"), values, units, strict=True))
    one = Manual(1.0).fit([], [], fitted_on="nothing", split_digest="")
    table, rules = script.distances(Explanation(prediction, distances=rows), one)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    own = [name == prediction.class_name for name in ("03", "10")]
    expected = [
        [name, f"{value:.4g}", f"{unit:.4g}", "beyond" if value >= unit else "inside", "taken for" if here else ""]
        for name, value, unit, here in zip(("03", "10"), values, units, own, strict=True)
    ]
    assert cells[2:] == expected
    beyond = sum(value >= unit for value, unit in zip(values, units, strict=True))
    assert rules.startswith(f"{beyond} of 2 beyond: beyond any is {any_of_them}, beyond all is {all_of_them}; ")


def test_a_photo_is_compared_with_the_templates_of_a_run(script, finished_run, dice_root, tmp_path, capsys):
    source = next((dice_root / "test_set" / "03").iterdir())
    pixels = np.asarray(Image.open(source).convert("L")).copy()
    side = len(pixels)
    pixels[side // 2 - side // 8 : side // 2 + side // 8, side // 4 : side // 2] = 0
    photo, picture = tmp_path / "marked.png", tmp_path / "out" / "marked.png"
    Image.fromarray(pixels).save(photo)
    script.main([f"run={finished_run}", f"photo={photo}", f"output={picture}"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"{photo}: ")
    assert printed.count("inside") + printed.count("| beyond |") == 11
    (box, *_) = [line for line in printed.splitlines() if " to " in line and line.startswith("  ")]
    (left, top), (right, bottom) = (map(int, corner.split(",")) for corner in box.split(" to "))
    assert left < 24 < right  # the middle of the mark, in the 64 pixels of the run
    assert top < 32 < bottom
    assert Image.open(picture).size == (1350, 525)


@pytest.mark.parametrize(
    ("threshold", "told"),
    [
        ("0", "11 of 11 beyond: beyond any is anomalous, beyond all is anomalous; thresholds of manual: 0"),
        ("1e9", "0 of 11 beyond: beyond any is normal, beyond all is normal; thresholds of manual: 1e+09"),
        ("normals_only", "; thresholds of normals_only: "),
    ],
)
def test_other_thresholds_are_named_or_given(script, finished_run, dice_root, tmp_path, capsys, threshold, told):
    photo = next((dice_root / "test_set" / "03").iterdir())
    script.main([f"run={finished_run}", f"photo={photo}", f"threshold={threshold}", f"output={tmp_path / 'a.png'}"])
    assert told in capsys.readouterr().out


def test_mistakes_are_sentences(script, finished_run, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no photo")
    with pytest.raises(SystemExit) as left:
        script.main([f"run={finished_run}", f"photo={tmp_path / 'text.png'}"])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("error: expected a photo, but ")
