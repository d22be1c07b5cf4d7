"""The ways to split: near duplicates stay together, every photo has its place, and mistakes are named."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from anodice.app.recipe import make, recipe
from anodice.data.records import Record
from anodice.data.splitting.split import make_split
from anodice.data.splitting.strategies import Clean, Folds, HeldOutSessions, Published, Whole
from anodice.errors import AnodiceError

CLASSES = ("00", "05")


def _record(split, class_name, content, session="s"):
    anomalous = class_name == "ano"
    return Record(f"{split}/{class_name}/{content}", split, class_name, anomalous, None, None, session, "", content)


def _photos(split="train"):
    """20 normal training photos of each of two classes and 8 anomalies, of three sessions, and some test photos."""
    records = [_record(split, c, f"{c}-{k}", f"day{k % 3}") for c in CLASSES for k in range(20)]
    records += [_record(split, "ano", f"bad-{k}", f"day{k % 2}") for k in range(8)]
    records += [_record("test", c, f"test-{c}-{k}", f"day{k % 3}") for c in CLASSES for k in range(4)]
    return [*records, *(_record("test", "ano", f"test-bad-{k}", "day0") for k in range(4))]


def _groups(records, *together):
    """The groups of records, one each but for these sets of pixels; equal pixels share one."""
    named = {content: f"group {k}" for k, contents in enumerate(together) for content in contents}
    names = [named.get(r.content, r.content) for r in records]
    return np.array([names.index(name) for name in names], dtype=np.int64)


def _clean(**changes):
    return Clean(**({"validation_fraction": 0.2} | changes))


def _folds(fold=1, folds=4, **changes):
    return Folds(fold=fold, folds=folds, **({"validation_fraction": 0.2} | changes))


def _sessions(*names, **changes):
    return HeldOutSessions(test=list(names), **({"validation_fraction": 0.2} | changes))


def _split(splitting, records, *together):
    return splitting(records, groups=lambda: _groups(records, *together))


def _contents(records, part):
    return {records[i].content for i in part}


PAIRS = [(f"00-{k}", f"00-{k + 1}") for k in range(0, 20, 2)]
LEAKS = [("05-3", "05-4", "test-05-1"), ("bad-2", "test-bad-0")]
EVERY = [_clean(), _folds(), _sessions("day1")]


def test_published_looks_for_no_groups():
    def never():
        raise AssertionError

    records = _photos()
    given = {"validation_fraction": 0.2, "test_fraction": 0.2, "seed": 3}
    assert Published(**given)(records, groups=never) == make_split(records, **given)


@pytest.mark.parametrize("splitting", EVERY, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("seed", range(4))
def test_no_group_straddles(splitting, seed):
    records = _photos()
    split = _split(replace(splitting, seed=seed), records, *PAIRS, *LEAKS)
    groups = _groups(records, *PAIRS, *LEAKS)
    parts = [{int(groups[i]) for i in part} for part in (split.fit, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert all(parts)
    assert split.leaked == frozenset()
    assert not any(records[i].anomalous for i in split.fit)


@pytest.mark.parametrize("splitting", EVERY, ids=lambda s: type(s).__name__)
def test_names_and_order_do_not_matter(splitting):
    records = _photos()
    shuffled = [replace(r, path=f"{i}") for i, r in enumerate(records)]
    random.Random(0).shuffle(shuffled)
    assert _split(splitting, records, *PAIRS).digest == _split(splitting, shuffled, *PAIRS).digest
    assert _split(splitting, records, *PAIRS).digest != _split(replace(splitting, seed=1), records, *PAIRS).digest


@pytest.mark.parametrize("splitting", EVERY, ids=lambda s: type(s).__name__)
def test_photos_with_two_labels_are_not_trained_on_and_copies_once(splitting):
    records = [*_photos(), _record("train", "ano", "00-0", "day2")]
    records += [replace(r, path=f"{r.path}-copy") for r in _photos() if r.split == "train"]
    split = _split(splitting, records)
    trained = [records[i].content for i in (*split.fit, *split.validation)]
    assert "00-0" not in trained
    assert len(trained) == len(set(trained))


def test_clean_tests_on_the_published_test_and_leaves_out_what_is_near_it():
    records = _photos()
    split = _split(_clean(), records, *PAIRS, *LEAKS)
    assert split.test == tuple(i for i, r in enumerate(records) if r.split == "test")
    left = _contents(records, range(len(records))) - _contents(records, (*split.fit, *split.validation, *split.test))
    assert left == {"05-3", "05-4", "bad-2"}
    normals = Counter(records[i].class_name for i in split.validation if not records[i].anomalous)
    assert normals == {"00": 6, "05": 6}


def test_clean_divides_photos_without_a_published_split():
    records = [r for r in _photos("any") if r.split == "any"]
    split = _split(_clean(), records, *PAIRS)
    counts = [Counter(records[i].class_name for i in part) for part in (split.fit, split.validation, split.test)]
    assert counts[2] == {"00": 4, "05": 4, "ano": 4}
    assert counts[1] == {"00": 4, "05": 5, "ano": 4}
    assert counts[0] == {"00": 12, "05": 11}


def test_normal_photos_near_an_anomalous_one_are_not_fitted():
    records = _photos()
    split = _split(_clean(), records, ("00-1", "bad-1"), ("05-1", "bad-3"))
    assert {"00-1", "05-1"} <= _contents(records, split.validation)


def test_every_distinct_photo_is_tested_in_one_fold():
    records = _photos()
    tested = [_contents(records, _split(_folds(k, 4), records, *PAIRS, *LEAKS).test) for k in range(4)]
    assert sum(map(len, tested)) == len(set.union(*tested)) == len(records)


@pytest.mark.parametrize("fold", range(4))
def test_folds_hold_like_shares_of_each_class(fold):
    records = _photos()
    counts = Counter(records[i].class_name for i in _split(_folds(fold, 4), records, *PAIRS).test)
    assert counts == {"00": 6, "05": 6, "ano": 3}


@pytest.mark.parametrize(("fold", "folds"), [(0, 1), (0, 2.0), (2, 2), (-1, 3), (None, 3)])
def test_folds_that_are_none_are_refused(fold, folds):
    with pytest.raises(AnodiceError, match=r"expected split.folds? to be"):
        Folds(fold=fold, folds=folds)


def test_more_folds_than_groups_are_refused():
    records = [_record("train", "00", f"{k}") for k in range(4)]
    with pytest.raises(AnodiceError, match=r"at least 5 groups of photos \(split.folds\), got 4; set fewer"):
        _split(_folds(0, 5), records)


def test_held_out_sessions_are_the_test_whatever_is_published():
    records = _photos()
    split = _split(_sessions("day1"), records)
    assert _contents(records, split.test) == {r.content for r in records if r.session == "day1"}
    trained = _contents(records, (*split.fit, *split.validation))
    assert trained == {r.content for r in records if r.session != "day1"}


def test_a_session_that_reads_as_a_number_is_found():
    records = [replace(r, session=r.session.replace("day", "26_01_2")) for r in _photos()]
    split = _split(_sessions(260121), records)  # what the command line makes of 26_01_21
    assert _contents(records, split.test) == {r.content for r in records if r.session == "26_01_21"}


def test_a_session_without_anomalies_is_named(caplog):
    records = _photos()
    _split(_sessions("day2"), records)
    assert "hold no anomalous photos" in caplog.text


def test_wrong_sessions_are_answered_by_those_there_are():
    with pytest.raises(AnodiceError, match=r"no shooting session 'day9'; did you mean .* Known: day0, day1, day2"):
        _split(_sessions("day9"), _photos())
    with pytest.raises(AnodiceError, match=r"a session with normal photos beside .*day0, day1, day2"):
        _split(_sessions("day0", "day1", "day2"), _photos())
    for wrong in ("day1", [], None):
        with pytest.raises(AnodiceError, match=r"split.test to be a list of sessions"):
            HeldOutSessions(test=wrong)


def test_too_few_groups_are_refused():
    records = [_record("train", "00", "a"), _record("train", "00", "b")]
    with pytest.raises(AnodiceError, match=r"at least 2 groups of normal photos to train on .* got 1 from 2 photos"):
        _split(_clean(), records, ("a", "b"))


@pytest.mark.parametrize("splitting", [Published(validation_fraction=0.2), *EVERY], ids=lambda s: type(s).__name__)
def test_fewer_photos_of_each_class_are_fitted_and_nothing_else_changes(splitting):
    records = _photos()
    whole, few = (_split(replace(splitting, fit_per_class=limit), records, *PAIRS) for limit in (None, 3))
    assert Counter(records[i].class_name for i in few.fit) == {"00": 3, "05": 3}
    assert set(few.fit) < set(whole.fit)
    assert (few.validation, few.test, few.leaked) == (whole.validation, whole.test, whole.leaked)


@pytest.mark.parametrize("fit_per_class", [0, -3, 2.5, "3"])
def test_a_number_of_photos_to_fit_that_is_none_is_refused(fit_per_class):
    with pytest.raises(AnodiceError, match=rf"split\.fit_per_class to be a whole number .* got {fit_per_class!r}"):
        _clean(fit_per_class=fit_per_class)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
@pytest.mark.parametrize("kind", [Published, _clean, _folds, lambda **changes: _sessions("day1", **changes)])
def test_a_share_to_validate_outside_its_range_is_refused_at_once(kind, fraction):
    with pytest.raises(AnodiceError, match=r"split\.validation_fraction between 0 and 1"):
        kind(validation_fraction=fraction)


@pytest.mark.parametrize("kind", [Published, Clean])
def test_a_share_to_test_outside_its_range_is_refused(kind):
    with pytest.raises(AnodiceError, match=r"split\.test_fraction between 0 and 1"):
        _split(kind(test_fraction=1.0), _photos())


@pytest.mark.parametrize("splitting", [Published(), *EVERY], ids=lambda s: type(s).__name__)
def test_a_checkpoint_can_tell_how_the_photos_were_split(splitting):
    assert make(recipe(splitting)) == splitting


def test_the_whole_split_learns_from_every_normal_training_photo_and_tests_as_published():
    records = [*_photos(), _record("train", "00", "00-3"), _record("train", "05", "test-05-1")]
    whole, published = (_split(kind(validation_fraction=0.2), records) for kind in (Whole, Published))
    assert whole.fit == tuple(i for i, r in enumerate(records) if r.split == "train" and not r.anomalous)
    assert (whole.validation, whole.test, whole.leaked) == (published.validation, published.test, published.leaked)
    assert whole.digest != published.digest
