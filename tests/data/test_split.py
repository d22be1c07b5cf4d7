"""The split: disjoint by pixels, stratified, seeded, the same whatever the files are called."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from anodice.data.records import Record
from anodice.data.split import make_split, write_split
from anodice.errors import AnodiceError

CLASSES = ("00", "05", "10")


def _record(split, class_name, content, name=None):
    return Record(f"{split}/{class_name}/{name or content}", split, class_name, None, "s", "", content)


def _photos():
    """Ten normal training photos of each of three classes, four training anomalies, a few test photos."""
    records = [_record("train", c, f"{c}-{k}") for c in CLASSES for k in range(10)]
    records += [_record("train", "ano", f"bad-{k}") for k in range(4)]
    records += [_record("test", c, f"test-{c}") for c in CLASSES]
    return [*records, _record("test", "ano", "test-bad")]


def _split(records, *, validation_fraction=0.3, seed=0):
    return make_split(records, validation_fraction=validation_fraction, seed=seed)


def _contents(records, part):
    return {records[i].content for i in part}


def _parts(records, split):
    return [_contents(records, part) for part in (split.fit, split.validation, split.test)]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_parts_share_no_pixels(seed):
    records = _photos()
    fit, validation, test = _parts(records, _split(records, seed=seed))
    assert not fit & validation
    assert not test & (fit | validation)
    assert len(fit | validation | test) == len(records)


def test_fit_holds_normal_training_photos_only():
    records = _photos()
    assert all(records[i].split == "train" and not records[i].anomalous for i in _split(records).fit)


def test_each_class_gives_its_share_to_validation():
    records = _photos()
    counts = Counter(records[i].class_name for i in _split(records).validation)
    assert counts == {"00": 3, "05": 3, "10": 3, "ano": 4}


@pytest.mark.parametrize(("fraction", "held_out"), [(0.001, 1), (0.999, 9)])
def test_each_class_is_in_fit_and_in_validation_at_any_fraction(fraction, held_out):
    records = _photos()
    split = _split(records, validation_fraction=fraction)
    assert Counter(records[i].class_name for i in split.fit) == dict.fromkeys(CLASSES, 10 - held_out)
    assert Counter(records[i].class_name for i in split.validation) == dict.fromkeys(CLASSES, held_out) | {"ano": 4}


def test_training_anomalies_are_all_in_validation_after_the_normals():
    records = _photos()
    anomalous = [records[i].anomalous for i in _split(records).validation]
    assert anomalous == [False] * 9 + [True] * 4


def test_test_is_every_test_photo_copies_too():
    records = [*_photos(), _record("test", "00", "test-00", "again")]
    assert [records[i].path for i in _split(records).test] == [r.path for r in records if r.split == "test"]


@pytest.mark.parametrize("seed", range(5))
def test_one_of_each_set_of_copies_is_used(seed):
    records = _photos()
    records += [replace(r, path=f"{r.path}-copy-{k}") for r in records if r.split == "train" for k in range(2)]
    split = _split(records, seed=seed)
    used = Counter(records[i].content for i in (*split.fit, *split.validation))
    assert used == dict.fromkeys({r.content for r in records if r.split == "train"}, 1)


def test_copies_weigh_nothing_in_the_share_of_a_class():
    records = [*_photos(), *(_record("train", "00", "00-0", f"copy-{k}") for k in range(90))]
    counts = Counter(records[i].class_name for i in _split(records).validation)
    assert counts["00"] == 3


def test_the_same_seed_gives_the_same_split():
    assert _split(_photos(), seed=3) == _split(_photos(), seed=3)


def test_seeds_zero_and_one_give_different_splits():
    records = _photos()
    zero, one = _split(records, seed=0), _split(records, seed=1)
    assert _contents(records, zero.validation) != _contents(records, one.validation)
    assert zero.digest != one.digest


def test_classes_are_drawn_independently():
    records = _photos()
    chosen = {c: set() for c in CLASSES}
    for index in _split(records).validation:
        if not records[index].anomalous:
            chosen[records[index].class_name].add(records[index].content.split("-")[1])
    assert len({frozenset(numbers) for numbers in chosen.values()}) > 1


@pytest.mark.parametrize("shuffle", range(3))
def test_file_names_and_their_order_do_not_matter(shuffle):
    records = _photos()
    renamed = [replace(r, path=f"{shuffle}-{i}") for i, r in enumerate(records)]
    random.Random(shuffle).shuffle(renamed)
    first, second = _split(records), _split(renamed)
    assert _parts(records, first) == _parts(renamed, second)
    assert first.digest == second.digest


def test_leaked_are_the_test_photos_with_pixels_of_the_training_folder():
    records = _photos()
    leaked = [_record("test", "00", "00-4", "a"), _record("test", "ano", "bad-1", "b")]
    split = _split([*records, *leaked])
    assert split.leaked == {len(records), len(records) + 1}


def test_photos_with_two_labels_are_in_neither_fit_nor_validation():
    conflicting = [_record("train", "ano", "00-0", "x"), _record("test", "ano", "05-1", "y")]
    records = [*_photos(), *conflicting]
    fit, validation, _ = _parts(records, _split(records))
    assert not {"00-0", "05-1"} & (fit | validation)


def test_a_training_folder_without_anomalies_is_split():
    records = [r for r in _photos() if not r.anomalous]
    assert len(_split(records).validation) == 9


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_fractions_that_leave_a_part_empty_are_refused(fraction):
    with pytest.raises(AnodiceError, match=r"data.validation_fraction between 0 and 1 \(exclusive\), got"):
        _split(_photos(), validation_fraction=fraction)


def test_a_class_with_one_distinct_photo_is_refused():
    records = [*_photos(), _record("train", "07", "lonely", "a"), _record("train", "07", "lonely", "b")]
    with pytest.raises(AnodiceError, match=r"at least 2 distinct normal photos of class 07 .*, got 1"):
        _split(records)


@pytest.mark.parametrize("kept", ["train/ano", "test/00"])
def test_no_usable_normal_training_photo_is_refused(kept):
    records = [r for r in _photos() if r.path.startswith(kept)]
    with pytest.raises(AnodiceError, match="expected normal training photos"):
        _split(records)


def test_split_json_holds_the_hashes_of_each_part_and_the_digest(tmp_path):
    records = [*_photos(), _record("test", "00", "00-4", "leak")]
    split = _split(records)
    write_split(tmp_path / "split.json", split, records)
    written = json.loads((tmp_path / "split.json").read_text())
    parts = {"fit": split.fit, "validation": split.validation, "test": split.test, "leaked": split.leaked}
    expected = {name: sorted(_contents(records, part)) for name, part in parts.items()}
    assert written == {**expected, "digest": split.digest}
    assert written["leaked"] == ["00-4"]
