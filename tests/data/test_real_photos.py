"""The real photos that DICE_ROOT names: all of them are used, apart, and audited."""

from __future__ import annotations

import pytest

from anodice.data.datamodule import DiceDataModule
from anodice.data.layouts import ANOMALIES, dice11
from anodice.data.splitting.strategies import Published


@pytest.fixture(scope="module")
def photos(real_dice_root, tmp_path_factory):
    split = Published(validation_fraction=0.1, test_fraction=0.2)
    cache = str(tmp_path_factory.mktemp("cache"))
    module = DiceDataModule(str(real_dice_root), dice11, split=split, image_size=32, cache_dir=cache)
    return module.photos


def _files(photos, classes):
    """The paths of the files in these class folders that are not hidden, relative to the root."""
    root = photos.walked.root
    found = (path for c in classes for path in root.glob(f"*_set/{c}/*") if path.is_file())
    return {path.relative_to(root).as_posix() for path in found if not path.name.startswith(".")}


def test_every_file_is_a_record_or_skipped_for_a_reason(photos):
    used = {record.path for record in photos.records}
    skipped = {path: reason for path, reason in photos.skipped if reason != "hidden file"}
    assert _files(photos, [*photos.classes, ANOMALIES]) == used | skipped.keys()
    assert not used & skipped.keys()
    assert all(skipped.values())


def test_all_anomalies_are_used_whatever_their_extension(photos):
    assert _files(photos, ["ano"]) == {record.path for record in photos.records if record.anomalous} != set()


def test_every_class_has_photos_to_fit_to_validate_and_to_test(photos):
    classes = {*photos.classes, ANOMALIES}
    in_part = [{photos.records[i].class_name for i in part} for part in (photos.split.fit, photos.split.validation)]
    assert in_part == [classes - {ANOMALIES}, classes]
    assert {photos.records[i].class_name for i in photos.split.test} == classes


def test_parts_share_no_pixels(photos):
    split = photos.split
    clean_test = [i for i in split.test if i not in split.leaked]
    parts = [{photos.records[i].content for i in part} for part in (split.fit, split.validation, clean_test)]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_each_distinct_training_photo_is_fitted_or_validated_once(photos):
    conflicting = {path for pair in photos.audit.conflicts for path in pair}
    distinct = {r.content for r in photos.records if r.split == "train"}
    left_out = {r.content for r in photos.records if r.path in conflicting}
    used = [photos.records[i].content for i in (*photos.split.fit, *photos.split.validation)]
    assert sorted(used) == sorted(distinct - left_out)


def test_the_audit_finds_copies_and_leaks(photos):
    assert photos.audit.training_copies != ()
    assert set(photos.audit.leaked) == {photos.records[i].path for i in photos.split.leaked} != set()
