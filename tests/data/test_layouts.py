"""The layouts: which folders are read as what, and what a wrong one is told. Photos are drawn noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodice.data.layouts import dice6, dice11, dsm, folder, mvtec, mvtec_ad2, visa
from anodice.data.records import walk
from anodice.errors import AnodiceError

ELEVEN = tuple(f"{k:02d}" for k in range(11))
NONE = {"anomalous": [], "test_normal": [], "test_anomalous": []}


@pytest.fixture
def put(tmp_path):
    """Writes one photo of noise into each of the folders, under a root of the test's own, which it returns."""

    def write(*folders):
        for k, name in enumerate(folders):
            path = tmp_path / "root" / name
            path.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(k).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(noise).save(path / "a.jpg")
        return tmp_path / "root"

    return write


def _read(root, layout):
    """Folder -> split, class and anomalous, of every photo that is found."""
    records = walk(root, layout).records
    return {str(Path(r.path).parent): (r.split, r.class_name, r.anomalous) for r in records}


def _dice(names):
    return [f"{split}/{name}" for split in ("train_set", "test_set") for name in (*names, "ano")]


def test_eleven_classes_in_order(put):
    layout = dice11(put(*_dice(ELEVEN)))
    assert (layout.classes, layout.upright) == (ELEVEN, True)
    assert [f.class_name for f in layout.folders] == [*ELEVEN, "ano"] * 2
    assert [f.face for f in layout.folders[:12]] == [1, 2, 2, 3, 3, 4, 5, 6, 6, 6, 6, None]


def test_eleven_classes_may_be_spelled_without_zero(put):
    root = put(*_dice([str(k) for k in range(11)]))
    read = _read(root, dice11(root))
    assert [read[f"train_set/{k}"] for k in range(11)] == [("train", name, False) for name in ELEVEN]
    assert read["test_set/ano"] == ("test", "ano", True)
    assert walk(root, dice11(root)).unread == ()


def test_both_spellings_together_are_one_class(put):
    root = put(*_dice(ELEVEN), "train_set/5")
    read = _read(root, dice11(root))
    assert read["train_set/5"] == read["train_set/05"] == ("train", "05", False)


@pytest.mark.parametrize("spelling", ["{:02d}", "{}"])
def test_eleven_classes_fold_to_six_faces_that_lie_as_they_were(put, spelling):
    root = put(*_dice([spelling.format(k) for k in range(11)]))
    layout = dice6(root)
    assert (layout.classes, layout.upright) == (tuple("123456"), False)
    read = _read(root, layout)
    assert [read[f"train_set/{spelling.format(k)}"][1] for k in range(11)] == list("12233456666")
    assert read["train_set/ano"] == ("train", "ano", True)
    assert {r.class_name: r.face for r in walk(root, layout).records if not r.anomalous} == {
        c: int(c) for c in "123456"
    }


def test_six_faces_are_read_upright(put):
    root = put(*_dice("123456"))
    layout = dice6(root)
    assert (layout.classes, layout.upright) == (tuple("123456"), True)
    read = _read(root, layout)
    assert [read[f"test_set/{c}"] for c in "123456"] == [("test", c, False) for c in "123456"]
    assert len(read) == 14


@pytest.mark.parametrize("layout", [dice11, dice6])
def test_classes_of_dice_are_known_without_a_root(tmp_path, layout):
    missing = tmp_path / "missing"
    assert layout(missing).classes
    with pytest.raises(AnodiceError, match=r"expected train_set/ and test_set/ in .* does not exist .*DICE_ROOT"):
        walk(missing, layout(missing))


def test_dishes(put):
    root = put(
        *("DSM-100/images/pea", "DSM-100/images/12", "DSM-50/images/rice"),
        *("DSM-100/ANO-DSM/uncorrect-meals/images/pea", "DSM-100/ANO-DSM/unknown-meals/images/x"),
    )
    layout = dsm(root, meals=100)
    assert layout.classes == ("12", "pea")
    assert _read(root, layout) == {
        "DSM-100/images/12": ("any", "12", False),
        "DSM-100/images/pea": ("any", "pea", False),
        "DSM-100/ANO-DSM/uncorrect-meals/images/pea": ("any", "uncorrect-meals", True),
        "DSM-100/ANO-DSM/unknown-meals/images/x": ("any", "unknown-meals", True),
    }
    assert _read(root, dsm(root, meals=50)) == {"DSM-50/images/rice": ("any", "rice", False)}


def test_dishes_that_are_kept_for_the_test(put):
    root = put("DSM-50/images/pea", "test-images/correct/pea", "test-images/correct/new", "test-images/incorrect/pea")
    layout = dsm(root, meals=50)
    assert layout.classes == ("pea",)  # nothing is known of the new one
    read = _read(root, layout)
    assert read["test-images/correct/new"] == ("test", "new", False)
    assert read["test-images/incorrect/pea"] == ("test", "incorrect", True)
    assert walk(root, layout).empty == (
        "DSM-50/ANO-DSM/uncorrect-meals/images",
        "DSM-50/ANO-DSM/unknown-meals/images",
    )


def test_the_other_dishes_are_not_there(put):
    root = put("DSM-50/images/pea")
    with pytest.raises(AnodiceError, match=r"expected DSM-100/images/ in .*found DSM-50/ \(did you mean DSM-50/images"):
        walk(root, dsm(root, meals=100))


def test_there_are_two_sets_of_dishes(tmp_path):
    with pytest.raises(AnodiceError, match=r"data.layout.meals 50 or 100 .* got 7"):
        dsm(tmp_path, meals=7)


def test_an_object_with_its_defects_and_masks(put):
    root = put("train/good", "test/good", "test/cut", "test/hole", "ground_truth/cut")
    (root / "ground_truth/cut/a.jpg").rename(root / "ground_truth/cut/a_mask.png")
    layout = mvtec(root)
    assert layout.classes == ("good",)
    assert _read(root, layout) == {
        "train/good": ("train", "good", False),
        "test/good": ("test", "good", False),
        "test/cut": ("test", "cut", True),
        "test/hole": ("test", "hole", True),
    }
    masks = {r.path: r.mask for r in walk(root, layout).records if r.mask is not None}
    assert masks == {"test/cut/a.jpg": "ground_truth/cut/a_mask.png"}


def test_defects_among_the_training_photos_are_named(put):
    root = put("train/good", "train/cut", "test/good")
    assert walk(root, mvtec(root)).unread == ("train/cut",)


def test_the_folder_of_all_objects_points_at_one(put):
    root = put("bottle/train/good", "bottle/test/good")
    with pytest.raises(AnodiceError, match=r"expected train/ and test/ .*bottle has that layout"):
        walk(root, mvtec(root))


def test_folders_normals_by_class_and_flat_anomalies(put):
    root = put(*(f"normal_dice/{k}" for k in range(11)), "anomalous_dice", "normal_dice_20211008/0")
    layout = folder(root, **NONE | {"normal": ["normal_dice"], "anomalous": ["anomalous_dice/"]})
    assert layout.classes == tuple(str(k) for k in range(11))
    read = _read(root, layout)
    assert len(read) == 12
    assert read["normal_dice/10"] == ("any", "10", False)
    assert read["anomalous_dice"] == ("any", "anomalous_dice", True)


def test_folders_two_flat_ones(put):
    root = put("Defected", "Normal")
    layout = folder(root, **NONE | {"normal": ["Normal"], "anomalous": ["Defected"]})
    assert layout.classes == ("Normal",)
    assert _read(root, layout) == {"Normal": ("any", "Normal", False), "Defected": ("any", "Defected", True)}


def test_folders_a_split_of_the_normals_and_anomalies_without_one(put):
    root = put(*(f"normal_dice/{split}/{k}" for split in ("train", "val", "test") for k in (0, 2, 10)), "bad/12")
    lists = {"normal": ["normal_dice/train", "normal_dice/val"], "test_normal": ["normal_dice/test"]}
    layout = folder(root, **NONE | lists | {"anomalous": ["bad"]})
    assert layout.classes == ("0", "2", "10")
    read = _read(root, layout)
    assert read["normal_dice/val/10"] == ("train", "10", False)
    assert read["normal_dice/test/0"] == ("test", "0", False)
    assert read["bad/12"] == ("any", "12", True)


def test_folders_all_normals_in_one_class(put):
    root = put("dice/0", "defect/anomalous_dice")
    layout = folder(root, **NONE | {"normal": ["dice"], "anomalous": ["defect"]})
    assert _read(root, layout) == {
        "dice/0": ("any", "0", False),
        "defect/anomalous_dice": ("any", "anomalous_dice", True),
    }


def test_folders_with_a_test_of_their_own(put):
    root = put(*(f"{name}/{kind}" for name in ("dices", "dice_test") for kind in ("normal", "abnormal")), "dices/ab")
    layout = folder(
        root,
        normal=["dices/normal"],
        anomalous=["dices/abnormal"],
        test_normal=["dice_test/normal"],
        test_anomalous=["dice_test/abnormal"],
    )
    assert _read(root, layout) == {
        "dices/normal": ("train", "normal", False),
        "dices/abnormal": ("train", "abnormal", True),
        "dice_test/normal": ("test", "normal", False),
        "dice_test/abnormal": ("test", "abnormal", True),
    }


def test_a_folder_with_photos_and_subfolders_is_a_class_and_has_classes(put):
    root = put("good", "good/pea", "good/.cache", "good/__MACOSX")
    (root / "good" / "readme.txt").write_text("good ones")
    assert folder(root, **NONE | {"normal": ["good"]}).classes == ("good", "pea")
    (root / "good" / "a.jpg").unlink()
    layout = folder(root, **NONE | {"normal": ["good"]})
    assert layout.classes == ("pea",)
    assert walk(root, layout).empty == ()


def test_the_root_itself_may_be_the_folder(put):
    root = put("0", "10", "9")
    assert folder(root, **NONE | {"normal": ["."]}).classes == ("0", "9", "10")


def test_missing_folders_are_named_with_the_nearest(put):
    root = put("normal_dice/0", "anomalous_dice")
    layout = folder(root, **NONE | {"normal": ["normal-dice"], "anomalous": ["anomalous_dice", "odd"]})
    with pytest.raises(AnodiceError, match=r"expected normal-dice/ and odd/ in .*\(did you mean normal_dice/\?\)"):
        walk(root, layout)


def test_folders_without_a_photo_are_refused(put):
    root = put("bad")
    (root / "good" / "pea").mkdir(parents=True)
    with pytest.raises(AnodiceError, match=r"expected normal photos under .*good, found none"):
        walk(root, folder(root, **NONE | {"normal": ["good"], "anomalous": ["bad"]}))


@pytest.mark.parametrize(
    ("lists", "sentence"),
    [
        ({"normal": []}, "at least one folder in data.layout.normal, got none"),
        (
            {"normal": "good"},
            r"data.layout.normal to be a list of folders, got 'good'; write data.layout.normal=\[good\]",
        ),
        ({"normal": None}, "data.layout.normal to be a list of folders, got None"),
        ({"normal": ["/good"]}, "folders inside data.root in data.layout.normal, got /good"),
        ({"normal": ["a"], "anomalous": ["../b"]}, "inside data.root in data.layout.anomalous, got ../b"),
        ({"normal": ["a"], "anomalous": ["a/b"]}, "that lie apart, got a and a/b"),
        ({"normal": ["a", "a/"]}, "that lie apart, got a and a"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(tmp_path, lists, sentence):
    with pytest.raises(AnodiceError, match=sentence):
        folder(tmp_path, **NONE | lists)


def test_an_object_of_mvtec_ad_2(put):
    root = put("train/good", "validation/good", "test_public/good", "test_public/bad", "test_public/ground_truth/bad")
    (root / "test_public/ground_truth/bad/a.jpg").rename(root / "test_public/ground_truth/bad/a_mask.png")
    walked = walk(root, mvtec_ad2(root))
    assert _read(root, mvtec_ad2(root)) == {
        "train/good": ("train", "good", False),
        "validation/good": ("train", "good", False),
        "test_public/good": ("test", "good", False),
        "test_public/bad": ("test", "bad", True),
    }
    assert [r.mask for r in walked.records if r.anomalous] == ["test_public/ground_truth/bad/a_mask.png"]
    assert walked.unread == ()


@pytest.fixture
def visa_root(put):
    """Two photos of VisA's candle in one folder, of which the table says that they are of two splits."""
    root = put("candle/Data/Images/Normal", "candle/Data/Images/Anomaly", "candle/Data/Masks/Anomaly", "split_csv")
    (root / "candle/Data/Images/Normal/b.jpg").write_bytes((root / "split_csv/a.jpg").read_bytes())
    (root / "candle/Data/Masks/Anomaly/a.jpg").rename(root / "candle/Data/Masks/Anomaly/a.png")
    images, mask = "candle/Data/Images", "candle/Data/Masks/Anomaly/a.png"
    rows = ["object,split,label,image,mask", f"candle,train,normal,{images}/Normal/a.jpg,"]
    rows += [f"candle,test,normal,{images}/Normal/b.jpg,", f"candle,test,anomaly,{images}/Anomaly/a.jpg,{mask}"]
    (root / "split_csv/1cls.csv").write_text("\n".join(rows) + "\n")
    return root


def test_the_table_of_visa_divides_a_folder(visa_root):
    walked = walk(visa_root, visa(visa_root, kind="candle"))
    told = {Path(r.path).name if not r.anomalous else "bad": (r.split, r.class_name, r.mask) for r in walked.records}
    assert told == {
        "a.jpg": ("train", "candle", None),
        "b.jpg": ("test", "candle", None),
        "bad": ("test", "anomaly", "candle/Data/Masks/Anomaly/a.png"),
    }
    assert walked.unread == ()


def test_other_tables_and_objects_are_refused(visa_root, tmp_path):
    with pytest.raises(AnodiceError, match=r"data.layout.kind.*candle"):
        visa(visa_root, kind="candel")
    with pytest.raises(AnodiceError, match="expected split_csv/ and candle/Data/Images/ in"):
        walk(tmp_path / "missing", visa(tmp_path / "missing", kind="candle"))
    (visa_root / "split_csv/1cls.csv").write_text("object,split\ncandle,train\n")
    with pytest.raises(AnodiceError, match=r"expected the columns .* got object, split"):
        visa(visa_root, kind="candle")
