"""What is said of a folder of photos at the start of a training."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
from PIL import Image

from anodice.data.layouts import folder
from anodice.reporting.data_summary import describe


def test_description_is_a_table_of_parts_and_classes(data_module, dice_root):
    lines = describe(data_module(dice_root).photos).splitlines()
    assert lines[0] == f"photos under {dice_root}"
    table = [line.split() for line in lines[1:5]]
    classes = [f"{k:02d}" for k in range(11)]
    assert table == [
        [*classes, "ano", "total"],
        ["fit", *["4"] * 11, "0", "44"],
        ["validation", *["2"] * 11, "12", "34"],
        ["test", *["2"] * 11, "8", "30"],
    ]
    assert lines[5] == "  skipped: no file"
    assert lines[6].startswith("audit: 0 of 78 training photos are exact copies")


def test_description_tells_how_many_files_were_skipped_and_why(data_module, writable_dice):
    folder = writable_dice / "train_set" / "03"
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "._a.png").write_bytes(b"x")
    (folder / "notes.png").write_text("not a photo")
    (folder / "broken.png").write_bytes(next(folder.glob("1*.png")).read_bytes()[:900])
    text = describe(data_module(writable_dice).photos)
    assert "skipped: 2 x hidden file, such as train_set/03/.DS_Store" in text
    assert "skipped: 1 x not an image (expected JPEG, PNG, BMP, TIFF, WEBP), such as train_set/03/notes.png" in text
    assert "skipped: 1 x cannot be decoded (" in text
    assert "such as train_set/03/broken.png" in text


def test_copies_and_leaks_are_in_the_description(data_module, writable_dice):
    photo = next((writable_dice / "train_set" / "05").iterdir())
    shutil.copy(photo, photo.with_name("copy.png"))
    shutil.copy(photo, writable_dice / "test_set" / "05" / "leak.png")
    module = data_module(writable_dice)
    assert "1 of 79 training photos are exact copies" in describe(module.photos)
    assert [module.photos.records[i].path for i in module.photos.split.leaked] == ["test_set/05/leak.png"]


def _dishes(root, count):
    """Four photos of each of so many dishes, and two anomalies."""
    random = np.random.default_rng(0)
    for path in [*(f"good/dish{k}/{n}" for k in range(count) for n in range(4)), "bad/0", "bad/1"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(root / f"{path}.png")
    return partial(folder, normal=["good"], anomalous=["bad"], test_normal=[], test_anomalous=[])


def test_the_table_of_many_classes_has_two_columns(data_module, tmp_path):
    text = describe(data_module(tmp_path, layout=_dishes(tmp_path, 80), image_size=16).photos).splitlines()
    assert [line.split() for line in text[1:5]] == [
        ["normal", "anomalous", "total"],
        ["fit", "160", "0", "160"],
        ["validation", "80", "1", "81"],
        ["test", "80", "1", "81"],
    ]


def test_the_table_of_few_classes_names_them(data_module, tmp_path):
    text = describe(data_module(tmp_path, layout=_dishes(tmp_path, 2), image_size=16).photos)
    assert text.splitlines()[1].split() == ["dish0", "dish1", "bad", "total"]
