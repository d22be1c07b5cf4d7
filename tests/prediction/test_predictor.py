"""Scoring new photos with a run folder alone, whatever they are given as."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anodice import Predictor
from anodice.errors import AnodiceError
from anodice.evaluation.run_results import read_scores
from anodice.prediction.prediction import Unreadable
from anodice.thresholds.threshold import Threshold


@pytest.fixture(scope="module")
def moved(finished_run, tmp_path_factory) -> Path:
    """The run folder at another place, with a config that names photos that are gone."""
    run = Path(shutil.copytree(finished_run, tmp_path_factory.mktemp("moved") / "elsewhere"))
    config = run / "config.yaml"
    root = next(line for line in config.read_text().splitlines() if line.startswith("  root:"))
    config.write_text(config.read_text().replace(root, "  root: /nowhere"))
    (run / "checksums.json").unlink()
    return run


@pytest.fixture(scope="module")
def predictor(moved) -> Predictor:
    return Predictor.from_run(moved)


@pytest.fixture(scope="module")
def photo(dice_root) -> Path:
    return sorted((dice_root / "test_set" / "05").iterdir())[0]


def test_scores_verdicts_and_classes_are_those_of_the_evaluation(predictor, moved, dice_root):
    told = read_scores(moved)
    found = predictor([dice_root / path for path in told.path])
    assert [one.score for one in found] == pytest.approx(told.score.tolist(), rel=1e-6)
    assert [one.class_name for one in found] == told.predicted.tolist()
    assert [one.anomalous for one in found] == (told.score >= predictor.threshold.value).tolist()
    assert {one.class_name: one.face for one in found}["10"] == 6
    assert {one.cut for one in found} == {predictor.threshold.value}


def test_a_folder_and_a_pattern_mean_their_photos_in_order(predictor, dice_root):
    folder = dice_root / "test_set" / "ano"
    names = [one.name for one in predictor(folder)]
    assert names == [str(path) for path in sorted(folder.iterdir())]
    assert [one.name for one in predictor(f"{folder}/*.png")] == names
    assert [one.name for one in predictor(str(dice_root / "test_set" / "a*"))] == names
    assert len(predictor([folder, dice_root / "test_set" / "05"])) == len(names) + 2


def test_pictures_arrays_and_tensors_score_as_the_file(predictor, photo):
    expected = predictor(photo).score
    with Image.open(photo) as image:
        assert predictor(image).score == expected
        grey = np.asarray(image.convert("L"))
    given = [
        grey,
        grey[:, :, None],
        np.repeat(grey[:, :, None], 3, 2),
        (grey / 255).astype(np.float32),
        grey.astype(np.uint16) * 257,
        grey.astype(np.int64),
        torch.from_numpy(grey.copy()),
        torch.from_numpy(grey.copy())[None] / 255,
        torch.from_numpy(grey.copy())[None].repeat(3, 1, 1),
    ]
    assert [predictor(one).score for one in given] == [expected] * len(given)
    many = [predictor(np.stack([grey, grey])[..., None]), predictor(torch.from_numpy(np.stack([grey] * 2))[:, None])]
    assert [[one.score for one in found] for found in many] == [[expected] * 2] * 2
    assert [one.name for one in predictor([grey, grey])] == ["photo 1", "photo 2"]


def test_a_photo_of_another_size_is_brought_to_that_of_the_run_and_its_boxes_are_its_own(predictor, dice_root):
    path = sorted((dice_root / "test_set" / "ano").iterdir())[0]
    with Image.open(path) as image:
        large = image.resize((256, 128), Image.Resampling.NEAREST)
    found = predictor(large)
    assert (found.size, found.photo.shape, found.map.shape) == ((256, 128), (64, 64, 1), (64, 64))
    strange = predictor(path)
    if strange.regions:
        left, top, right, bottom = strange.regions[0].box
        assert 0 <= left < right <= 64
        assert 0 <= top < bottom <= 64


def test_another_threshold_of_the_run_or_a_value(moved, photo):
    thresholds = json.loads((moved / "threshold.json").read_text())
    by_name = Predictor.from_run(moved, threshold="flag_everything")
    assert by_name.threshold.value == thresholds["flag_everything"]["value"]
    assert by_name(photo).anomalous
    assert not Predictor.from_run(moved, threshold=1e9)(photo).anomalous
    own = Threshold(1e9, "mine", 0, 0, "nothing", "")
    assert Predictor.from_run(moved, threshold=own)(photo).threshold == own
    with pytest.raises(AnodiceError, match="there is no threshold of the run 'f1_mx'; did you mean 'f1_max'"):
        Predictor.from_run(moved, threshold="f1_mx")
    with pytest.raises(AnodiceError, match=r"the run has no threshold normals_only: .*expected at least 10 normal"):
        Predictor.from_run(without_normals_only(moved), threshold="normals_only")


def without_normals_only(run: Path) -> Path:
    copy = Path(shutil.copytree(run, run.parent / "refused", dirs_exist_ok=True))
    found = json.loads((copy / "threshold.json").read_text())
    why = "expected at least 10 normal scores to fit a tail to, got 2"
    found["normals_only"] = {"value": None, "rule": "normals_only", "reason": why}
    (copy / "threshold.json").write_text(json.dumps(found))
    return copy


def test_the_threshold_of_an_evaluation_is_known_by_its_folder(moved, tmp_path):
    run = Path(shutil.copytree(moved, tmp_path / "run"))
    found = json.loads((run / "threshold.json").read_text())
    found["f1_max"]["value"] = 12.5
    (run / "evaluations" / "mine_1").mkdir(parents=True)
    (run / "evaluations" / "mine_1" / "threshold.json").write_text(json.dumps(found))
    assert Predictor.from_run(run, threshold="mine_1").threshold.value == 12.5


def test_streaming_keeps_the_order_and_tells_what_is_no_photo(predictor, dice_root, tmp_path):
    photos = sorted((dice_root / "train_set").rglob("*.png"))[:70]  # more than two batches
    text = tmp_path / "text.png"
    text.write_text("no photo")
    found = list(predictor.stream([*photos[:40], text, *photos[40:]]))
    assert [one.name for one in found] == [str(p) for p in (*photos[:40], text, *photos[40:])]
    assert found[40] == Unreadable(str(text), "cannot be decoded (cannot identify image file)")
    assert sum(isinstance(one, Unreadable) for one in found) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.zeros((4, 4, 2)), "expected photo of shape"),
        (np.zeros((0, 4)), "expected photo of shape"),
        (np.full((4, 4), 1.5), r"others of \[0, 1\], got float64 from 1.5 to 1.5"),
        (np.full((4, 4), np.nan), "got float64 from nan to nan"),
        (np.full((4, 4), 300), "got int64 from 300 to 300"),
        (np.zeros((4, 4), dtype=complex), "got complex128"),
        (7, "expected photos as paths, pictures, arrays or tensors, got int"),
        ("nowhere/at_all.png", "expected photos at .*at_all.png, which does not exist"),
        ([np.zeros((4, 4)), "a.png"], "expected paths alone or pictures alone"),
    ],
)
def test_what_is_no_photo_is_a_sentence(predictor, given, told):
    with pytest.raises(AnodiceError, match=told):
        predictor(given)


def test_a_file_that_is_no_photo_is_a_sentence(predictor, tmp_path):
    (tmp_path / "text.png").write_text("no photo")
    with pytest.raises(AnodiceError, match=r"text\.png cannot be decoded .*; give a JPEG, PNG, BMP, TIFF or WEBP"):
        predictor(tmp_path / "text.png")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("prediction.json", None, r"which is missing; make it again with python evaluate\.py run="),
        ("prediction.json", "{", "which is damaged"),
        ("prediction.json", "[]", "it holds list where an object belongs"),
        ("threshold.json", None, "which is missing"),
        ("checkpoints/best.ckpt", "no checkpoint", "expected a checkpoint in"),
    ],
)
def test_a_damaged_run_is_a_sentence(moved, tmp_path, name, content, told):
    run = Path(shutil.copytree(moved, tmp_path / "run"))
    (run / name).unlink() if content is None else (run / name).write_text(content)
    with pytest.raises(AnodiceError, match=told):
        Predictor.from_run(run)


def test_a_run_folder_from_a_stranger_executes_nothing(moved, tmp_path):
    run = Path(shutil.copytree(moved, tmp_path / "run"))
    mark = tmp_path / "executed"
    config = (run / "config.yaml").read_text()
    foreign = config.replace("anodice.baselines.template.Template", "pathlib.Path.touch")
    assert foreign != config
    (run / "config.yaml").write_text(foreign.replace("  comparison: mse", f"  self: {mark}"))
    with pytest.raises(AnodiceError, match=r"got 'pathlib\.Path\.touch', which is not built"):
        Predictor.from_run(run)
    (run / "config.yaml").write_text(config)
    torch.save({"state_dict": _Payload(mark)}, run / "checkpoints" / "best.ckpt")
    with pytest.raises(AnodiceError, match="which cannot be loaded"):
        Predictor.from_run(run)
    assert not mark.exists()


class _Payload:
    """Touches a file where a pickle of it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


def test_pictures_of_a_prediction(predictor, dice_root):
    strange = predictor(sorted((dice_root / "test_set" / "ano").iterdir())[0])
    assert strange.overlay().size == (256, 256)
    assert strange.sentence() in strange.figure().get_suptitle()


def test_a_notebook_shows_a_picture(predictor, photo, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    predictor(photo).show()
    (picture,) = shown
    assert picture.data.startswith(b"\x89PNG")
