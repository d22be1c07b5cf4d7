"""The split: disjoint by pixels, stratified, seeded, the same whatever the files are called."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from anodice.data.records import Record
from anodice.data.splitting.split import make_split, with_fewer_to_fit, write_split
from anodice.errors import AnodiceError

CLASSES = ("00", "05", "10")


def _record(split, class_name, content, name=None):
    path, anomalous = f"{split}/{class_name}/{name or content}", class_name in ("ano", "odd")
    return Record(path, split, class_name, anomalous, None, None, "s", "", content)


def _photos():
    """Ten normal training photos of each of three classes, four training anomalies, a few test photos."""
    records = [_record("train", c, f"{c}-{k}") for c in CLASSES for k in range(10)]
    records += [_record("train", "ano", f"bad-{k}") for k in range(4)]
    records += [_record("test", c, f"test-{c}") for c in CLASSES]
    return [*records, _record("test", "ano", "test-bad")]


def _split(records, *, validation_fraction=0.3, test_fraction=0.2, seed=0):
    fractions = {"validation_fraction": validation_fraction, "test_fraction": test_fraction}
    return make_split(records, seed=seed, **fractions)


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


@pytest.mark.parametrize(("fraction", "held_out"), [(0.001, 3), (0.999, 9)])
def test_each_class_is_in_fit_and_in_validation_at_any_fraction(fraction, held_out):
    records = _photos()
    split = _split(records, validation_fraction=fraction)
    assert Counter(records[i].class_name for i in split.fit) == dict.fromkeys(CLASSES, 10 - held_out)
    assert Counter(records[i].class_name for i in split.validation) == dict.fromkeys(CLASSES, held_out) | {"ano": 4}


def test_a_fraction_holds_where_it_is_enough_for_a_threshold():
    records = [_record("train", c, f"{c}-{k}") for c in CLASSES for k in range(100)]
    assert len(_split(records, validation_fraction=0.1).validation) == 30
    assert len(_split(records, validation_fraction=0.05).validation) == 24  # 25 of 300, class by class


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
    with pytest.raises(AnodiceError, match=r"split\.validation_fraction between 0 and 1 \(exclusive\), got"):
        _split(_photos(), validation_fraction=fraction)


def test_fractions_that_leave_nothing_to_fit_are_refused():
    with pytest.raises(AnodiceError, match=r"below 1 together, got 0.5 and 0.5"):
        _split(_unsplit(), validation_fraction=0.5, test_fraction=0.5)
    with pytest.raises(AnodiceError, match=r"split\.test_fraction between 0 and 1 \(exclusive\), got 0"):
        _split(_photos(), test_fraction=0)


@pytest.mark.parametrize(
    ("seed", "digest"), [(0, "bf9cd2ad9ecc91bb"), (1, "580e3820397412c7"), (42, "4b38ce61b679f28c")]
)
def test_published_splits_stay_as_they_were_drawn_in_earlier_versions(seed, digest):
    assert _split(_photos(), seed=seed).digest == digest


def test_a_class_with_one_distinct_photo_is_divided_with_others_like_it():
    lonely = [_record("train", f"{k}", f"lonely-{k}") for k in range(20, 30)]
    records = [*_photos(), *lonely]
    fit, validation, _ = _parts(records, _split(records))
    assert len({r.content for r in lonely} & validation) == 3
    assert len({r.content for r in lonely} & fit) == 7


def test_a_single_photo_beside_other_classes_is_fitted():
    records = [*_photos(), _record("train", "07", "lonely", "a"), _record("train", "07", "lonely", "b")]
    assert "lonely" in _contents(records, _split(records).fit)


def test_too_few_normal_photos_are_refused():
    records = [_record("train", "07", "one", "a"), _record("train", "07", "one", "b"), _record("train", "ano", "x")]
    with pytest.raises(AnodiceError, match=r"at least 2 distinct normal photos \(one to fit, .*\), got 1; add"):
        _split(records)
    records = [_record("any", "07", "one"), _record("any", "07", "two"), _record("any", "ano", "x")]
    with pytest.raises(AnodiceError, match=r"at least 3 distinct normal photos \(one to fit, .* test\), got 2; add"):
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


def _unsplit():
    """Ten normal photos of each of three classes and nine anomalies of two kinds, without a published split."""
    records = [_record("any", c, f"{c}-{k}") for c in ("pea", "soup", "10") for k in range(10)]
    return records + [_record("any", kind, f"{kind}-{k}") for kind, n in (("ano", 6), ("odd", 3)) for k in range(n)]


@pytest.mark.parametrize("seed", range(4))
def test_photos_without_a_published_split_are_divided_by_class(seed):
    records = _unsplit()
    split = _split(records, seed=seed)
    for part, count in ((split.fit, 5), (split.validation, 3), (split.test, 2)):
        normal = Counter(records[i].class_name for i in part if not records[i].anomalous)
        assert normal == {"pea": count, "soup": count, "10": count}
    assert sorted((*split.fit, *split.validation, *split.test)) == list(range(len(records)))
    assert split.leaked == frozenset()


def test_anomalies_without_a_published_split_go_to_validation_and_test_by_halves():
    records = _unsplit()
    split = _split(records)
    kinds = [
        Counter(records[i].class_name for i in part if records[i].anomalous) for part in (split.validation, split.test)
    ]
    assert kinds == [{"ano": 3, "odd": 2}, {"ano": 3, "odd": 1}]
    assert not any(records[i].anomalous for i in split.fit)


def test_each_seed_divides_in_its_own_way():
    digests = {_split(_unsplit(), seed=seed).digest for seed in (0, 0, 1, 2)}
    assert len(digests) == 3


@pytest.mark.parametrize("shuffle", range(3))
def test_names_and_order_of_photos_without_a_published_split_do_not_matter(shuffle):
    records = [r for r in _unsplit() if not r.anomalous]
    renamed = [replace(r, path=f"{shuffle}-{i}") for i, r in enumerate(records)]
    random.Random(shuffle).shuffle(renamed)
    assert _split(records).digest == _split(renamed).digest


def test_copies_never_straddle():
    copies = [_record("any", c, f"pea-{k}", f"copy-{k}") for c in ("pea", "soup") for k in range(10)]
    records = [*_unsplit(), *copies]
    split = _split(records)
    parts = _parts(records, split)
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(_unsplit())
    assert len(split.fit) + len(split.validation) + len(split.test) == len(_unsplit())


def test_what_is_also_a_published_test_photo_is_only_tested():
    published = [_record("test", "pea", f"pea-{k}", "t") for k in range(3)]
    records = [*_unsplit(), *published]
    split = _split(records)
    fit, validation, test = _parts(records, split)
    assert not {"pea-0", "pea-1", "pea-2"} & (fit | validation)
    assert {"pea-0", "pea-1", "pea-2"} <= test
    assert split.leaked == frozenset()


def test_photos_with_two_labels_and_no_published_split_are_in_no_part():
    records = [*_unsplit(), _record("any", "odd", "pea-4", "x")]
    assert all("pea-4" not in part for part in _parts(records, _split(records)))


def test_many_small_classes_are_divided_together():
    records = [_record("any", f"dish{k}", f"{k}-{n}") for k in range(30) for n in range(1 + k % 2)]
    split = _split(records, validation_fraction=0.1, test_fraction=0.2)
    assert [len(part) for part in (split.fit, split.validation, split.test)] == [24, 12, 9]


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize("fractions", [(0.1, 0.2), (0.45, 0.5), (0.9, 0.05), (0.05, 0.9)])
def test_every_part_of_a_small_class_gets_a_photo(count, fractions):
    records = [_record("any", "soup", f"{k}") for k in range(count)]
    split = _split(records, validation_fraction=fractions[0], test_fraction=fractions[1])
    assert min(len(split.fit), len(split.validation), len(split.test)) >= 1
    assert len(split.fit) + len(split.validation) + len(split.test) == count


def test_anomalies_alone_may_lack_a_published_split():
    records = [r for r in _photos() if not r.anomalous] + [_record("any", "odd", f"odd-{k}") for k in range(4)]
    split = _split(records)
    assert sum(records[i].anomalous for i in split.validation) == sum(records[i].anomalous for i in split.test) == 2


def test_fewer_photos_to_fit_leave_validation_and_test_alone():
    records = _photos()
    whole = _split(records)
    few = with_fewer_to_fit(whole, records, per_class=2, seed=0)
    assert Counter(records[i].class_name for i in few.fit) == dict.fromkeys(CLASSES, 2)
    assert set(few.fit) < set(whole.fit)
    assert (few.validation, few.test, few.leaked) == (whole.validation, whole.test, whole.leaked)
    assert few.digest != whole.digest
    assert with_fewer_to_fit(whole, records, per_class=2, seed=0) == few
    assert with_fewer_to_fit(whole, records, per_class=2, seed=1).fit != few.fit
    assert with_fewer_to_fit(whole, records, per_class=100, seed=0) == whole
