"""Near duplicates: planted copies are found and named, distinct dice are left alone, the result is kept."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from anodice.data.decode import decode
from anodice.data.layouts import dice11
from anodice.data.records import Record, walk
from anodice.data.splitting.near_duplicates import Pair, group_ids, known_pairs, near_duplicate_pairs
from anodice.dice.renderer import CLASSES, render
from anodice.functional.registration import SIDE, find_copies

COUNT = 44


def _re_encoded(photo, quality):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _shifted(photo, x, y):
    return ndimage.shift(photo, (y, x), order=1, mode="nearest")


def _turned(photo, degrees):
    return np.asarray(Image.fromarray(photo).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=40))


COPIES = {
    "quality 95": lambda photo: _re_encoded(photo, 95),
    "quality 30": lambda photo: _re_encoded(photo, 30),
    "shift 4 -3": lambda photo: _shifted(photo, 4, -3),
    "shift -1 0": lambda photo: _shifted(photo, -1, 0),
    "shift -4 2": lambda photo: _shifted(photo, -4, 2),
    "turn 90": lambda photo: np.rot90(photo),
    "turn 180": lambda photo: np.rot90(photo, 2),
    "turn 270": lambda photo: np.rot90(photo, 3),
    "turn 5": lambda photo: _turned(photo, 5),
    "turn -2": lambda photo: _turned(photo, -2),
}


@pytest.fixture(scope="module")
def distinct():
    """Distinct drawn dice (44, 128, 128), four of each class."""
    generator = np.random.default_rng(0)
    return np.stack([render(CLASSES[i % len(CLASSES)], generator, size=SIDE).image for i in range(COUNT)])


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_planted_copies_are_found_and_nothing_else(distinct, make):
    copies = np.stack([make(photo) for photo in distinct[::4]])
    found = find_copies(np.concatenate([distinct, copies]))
    pairs = {frozenset(pair) for pair in zip(found.first.tolist(), found.second.tolist(), strict=True)}
    assert pairs == {frozenset((4 * k, COUNT + k)) for k in range(len(copies))}


def test_where_a_copy_lies_is_told(distinct):
    photo = distinct[1]
    for copy, angle, shift in (
        (_shifted(photo, 3, -2), 0, (3, -2)),
        (np.rot90(photo), -90, (0, 0)),
        (_turned(photo, 4), -4, (0, 0)),
    ):
        found = find_copies(np.concatenate([distinct, copy[None]]))
        sign = 1 if found.first[0] == 1 else -1
        assert sign * found.angle[0] == pytest.approx(angle, abs=0.7)
        np.testing.assert_allclose(sign * found.shift[0], shift, atol=0.3)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures_are_compared_too(distinct, count):
    assert len(find_copies(distinct[:count]).first) == 0
    assert len(find_copies(np.concatenate([distinct[:count], _re_encoded(distinct[0], 80)[None]])).first) == 1


def _write(root: Path, photos: dict[str, np.ndarray]) -> Path:
    for name, photo in photos.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(path, "PNG")
    for split in ("train_set", "test_set"):
        (root / split).mkdir(parents=True, exist_ok=True)
    return root


def _decoded(root: Path) -> list[Record]:
    found = walk(root, dice11(root)).records
    return [r.with_content(decode(root / r.path, image_size=SIDE, in_channels=1)[1]) for r in found]


def _pairs(root: Path, records: list[Record], cache_dir: Path) -> tuple[Pair, ...]:
    def pictures():
        return np.stack([decode(root / r.path, image_size=SIDE, in_channels=1)[0][..., 0] for r in records])

    return near_duplicate_pairs(records, pictures, cache_dir=cache_dir)


def _never():
    raise AssertionError("the photos were looked at again")


@pytest.fixture(scope="module")
def planted(distinct, tmp_path_factory):
    """A root of distinct dice with one copy of each kind in its test folder."""
    photos = {f"train_set/{i % 11:02d}/16_09_21_{i:03d}.png": photo for i, photo in enumerate(distinct)}
    photos |= {
        "test_set/00/exact.png": distinct[0],
        "test_set/01/coded.png": _re_encoded(distinct[1], 50),
        "test_set/02/moved.png": _shifted(distinct[2], 3, 1),
        "test_set/03/turned.png": np.rot90(distinct[3]),
        "test_set/05/16_09_21_900.png": np.clip(distinct[5] + 1.0, 0, 255).astype(np.uint8),
    }
    return _write(tmp_path_factory.mktemp("planted"), photos)


def test_each_kind_has_its_name(planted, tmp_path):
    records = _decoded(planted)
    pairs = _pairs(planted, records, tmp_path)
    kinds = {Path(records[p.second].path).stem: p.kind for p in pairs}
    assert kinds == {
        "exact": "exact",
        "coded": "re-encoded",
        "moved": "shifted",
        "turned": "turned",
        "16_09_21_900": "burst",
    }


def test_the_result_is_kept_and_a_damaged_one_is_made_anew(planted, tmp_path, caplog):
    records = _decoded(planted)
    assert known_pairs(records, cache_dir=tmp_path) is None
    pairs = _pairs(planted, records, tmp_path)
    assert known_pairs(records, cache_dir=tmp_path) == pairs
    assert near_duplicate_pairs(records, _never, cache_dir=tmp_path) == pairs
    assert known_pairs(records[1:], cache_dir=tmp_path) is None
    (file,) = (tmp_path / "near_duplicates").iterdir()
    file.write_text("[[1, 2")
    assert _pairs(planted, records, tmp_path) == pairs
    assert "damaged" in caplog.text
    assert known_pairs(records, cache_dir=tmp_path) == pairs


def test_next_frames_of_a_camera_are_a_burst_where_they_are_alike(distinct, tmp_path):
    photos = {f"train_set/{i % 11:02d}/16_09_21_{i:03d}.png": photo for i, photo in enumerate(distinct)}
    nudged = _shifted(distinct[5], 1, 0).copy()
    nudged[20:40, 60:64] //= 2  # something passes between the two
    photos |= {"train_set/ano/img_100_c.png": nudged, "train_set/ano/img_101_c.png": _shifted(nudged, 2, 0)}
    photos |= {"train_set/ano/img_102_c.png": distinct[7] // 2, "train_set/ano/img_200_c.png": distinct[9] // 2}
    root = _write(tmp_path / "root", photos)
    records = _decoded(root)
    pairs = _pairs(root, records, tmp_path)
    together = {frozenset(Path(records[i].path).stem for i in (p.first, p.second)): p.kind for p in pairs}
    assert together[frozenset(("img_100_c", "img_101_c"))] == "burst"
    assert not any("img_102_c" in names or "img_200_c" in names for names in together)


def test_photos_of_equal_pixels_are_paired_without_being_looked_at(tmp_path):
    records = [Record(f"{k}.png", "any", "00", False, None, None, "s", "", "same") for k in range(3)]
    pairs = near_duplicate_pairs(records, _never, cache_dir=tmp_path)
    assert [(pair.first, pair.second, pair.kind) for pair in pairs] == [(0, 1, "exact"), (0, 2, "exact")]


def test_groups_join_what_pairs_join_and_equal_pixels():
    records = [Record(f"{k}", "any", "00", False, None, None, "", "", content) for k, content in enumerate("aabcde")]
    groups = group_ids(records, [Pair(0, 2, "burst", 1.0), Pair(2, 4, "turned", 1.0, 90.0)])
    assert groups[0] == groups[1] == groups[2] == groups[4]
    assert len(set(groups.tolist())) == 3
    assert groups.dtype == np.int64
