"""The audit: copies, leaks into the test photos, photos with two labels, and the sentence on them."""

from __future__ import annotations

from anodice.data.records import Record
from anodice.data.splitting.audit import audit, session_warning, sessions
from anodice.data.splitting.near_duplicates import Pair


def _records(*photos):
    """Records from `split/class/name content`."""
    records = []
    for path, content in (photo.split() for photo in photos):
        split, class_name, _ = path.split("/")
        records.append(Record(path, split, class_name, class_name == "ano", None, None, "s", "", content))
    return records


def test_every_training_copy_after_the_first_is_named():
    found = audit(_records("train/00/a A", "train/00/b A", "train/01/c A", "train/01/d D"))
    assert found.training_copies == ("train/00/b", "train/01/c")
    assert found.training == 4


def test_copies_among_the_test_photos_are_named():
    found = audit(_records("train/00/a A", "test/00/b B", "test/00/c B"))
    assert (found.test_copies, found.test) == (("test/00/c",), 2)
    assert found.training_copies == ()


def test_test_photos_that_are_in_the_training_folder_leaked():
    found = audit(_records("train/00/a A", "train/ano/x X", "test/00/b A", "test/ano/y X", "test/00/c C"))
    assert found.leaked == ("test/00/b", "test/ano/y")


def test_photos_filed_as_normal_and_as_anomalous_conflict():
    found = audit(_records("train/00/a A", "train/ano/x A", "test/ano/y C", "test/01/c C", "train/ano/z Z"))
    assert found.conflicts == (("train/00/a", "train/ano/x"), ("test/01/c", "test/ano/y"))


def test_two_normal_classes_are_no_conflict():
    assert audit(_records("train/00/a A", "train/01/b A")).conflicts == ()


def test_sentence_tells_the_counts():
    sentence = audit(_records("train/00/a A", "train/00/b A", "train/00/c C", "test/00/d C", "test/00/e E")).sentence()
    assert "1 of 3 training photos are exact copies" in sentence
    assert "1 of 2 test photos are copies of training photos" in sentence
    assert "anomalous" not in sentence


def test_sentence_names_a_conflict():
    sentence = audit(_records("train/00/a A", "train/ano/x A")).sentence()
    assert "filed as normal and as anomalous" in sentence
    assert "train/00/a and train/ano/x" in sentence


def test_without_a_published_split_copies_are_counted_and_nothing_leaks():
    found = audit(_records("any/00/a A", "any/00/b A", "any/ano/x X"))
    assert (found.training, found.test, found.training_copies) == (3, 0, ("any/00/b",))
    assert found.sentence() == "audit: 1 of 3 photos are exact copies of others (one of each is used)."


def test_photos_without_a_split_that_are_test_photos_are_copies_of_these():
    found = audit(_records("any/00/a A", "any/00/b B", "test/00/c A"))
    assert (found.training_copies, found.leaked) == (("any/00/a",), ())


def test_near_duplicates_of_training_photos_are_counted_once_they_are_known():
    records = _records("train/00/a A", "train/00/x X", "test/00/b B", "test/00/c A", "test/00/d D")
    assert audit(records).nearly_leaked is None
    assert "near" not in audit(records).sentence()
    pairs = [Pair(0, 2, "shifted", 1.0), Pair(0, 3, "exact", 0.0), Pair(2, 4, "burst", 1.0)]
    found = audit(records, pairs)
    assert found.nearly_leaked == ("test/00/b",)
    assert "1 more are near duplicates of training photos" in found.sentence()


def test_near_duplicates_with_two_labels_conflict():
    records = _records("train/ano/x X", "train/00/a A", "train/00/b B")
    pairs = [Pair(0, 1, "turned", 1.0, 90.0), Pair(1, 2, "burst", 1.0)]
    assert audit(records, pairs).near_conflicts == (("train/00/a", "train/ano/x"),)


def _of_sessions(*counts):
    """Records of sessions with so many normal and anomalous photos."""
    made = []
    for day, (normals, anomalies) in enumerate(counts):
        classes = ["00"] * normals + ["ano"] * anomalies
        made += [
            Record(f"{day}-{k}", "train", c, c == "ano", None, None, f"day{day}", "", "") for k, c in enumerate(classes)
        ]
    return made


def test_sessions_are_counted_by_class():
    found = sessions(_of_sessions((30, 2), (5, 0)))
    assert [(s.name, s.classes, s.normals, s.anomalies) for s in found] == [
        ("day0", {"00": 30, "ano": 2}, 30, 2),
        ("day1", {"00": 5}, 5, 0),
    ]


def test_anomalies_of_sessions_with_few_normals_are_warned_of():
    warning = session_warning(_of_sessions((30, 2), (3, 7)))
    assert "7 of 9 anomalous photos come from sessions with fewer than 20 normal photos (day1)" in warning
    assert session_warning(_of_sessions((30, 2), (30, 7))) is None


def test_names_that_tell_no_sessions_give_no_warning():
    assert session_warning(_of_sessions((1, 0), (0, 1), (1, 0))) is None
