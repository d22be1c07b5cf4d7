"""Files are whole or as they were, and what is read is what was written."""

from __future__ import annotations

import errno
import json
import os

import pytest

from anodice.app import files
from anodice.errors import AnodiceError


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(AnodiceError, match=r"write .*a\.json, which the system refuses \(full\); it is left as it was"):
        _written_half(path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def _written_half(path):
    with files.replacing(path) as beside:
        beside.write_text("half")
        raise OSError(errno.ENOSPC, "full")


def test_a_checksum_tells_a_flipped_bit_and_what_is_noted_of_others_stays(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(bytes(1000))
    files.note_checksums(tmp_path, "a", "b", "not there")
    (tmp_path / "a").write_bytes(bytes(999) + b"\1")
    files.note_checksums(tmp_path, "b")
    with pytest.raises(AnodiceError, match=r"a as it was written, but its checksum differs.*delete .*checksums\.json"):
        files.check(tmp_path, "a")
    assert files.check(tmp_path, "b") == tmp_path / "b"
    files.forget_checksums(tmp_path, "a")
    assert files.check(tmp_path, "a").is_file()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Expecting value"),
        (b'{"a": 1', "Expecting"),
        (b"[1]", "list where an object belongs"),
        (b'{"b": 1}', "a is missing"),
        (b'{"a": true}', "a is True"),
        (b'{"a": {"b": 2}}', "a is {'b': 2}"),
        (b"\xff\xfe\x00", "invalid start byte"),
        (b"[" * 100_000, "maximum recursion"),
    ],
)
def test_another_content_is_a_sentence(content, told, tmp_path):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(AnodiceError, match=rf"x\.json as it was written, which is damaged \(.*{told}"):
        files.read_json(tmp_path, "x.json", {"a": int})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}'])
def test_damaged_checksums_are_a_sentence(content, tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "checksums.json").write_bytes(content)
    with pytest.raises(AnodiceError, match=r"checksums in .*checksums\.json"):
        files.check(tmp_path, "a")


def test_what_a_killed_writer_left_is_removed_and_what_is_being_built_stays(tmp_path):
    old, new, other = (tmp_path / name for name in (".building-old", ".building-new", "kept"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "pixels.npy").write_bytes(b"half")
    for path in (old / "pixels.npy", old, other / "pixels.npy", other, new):
        os.utime(path, (0, 0))
    files.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".building-new", "kept"}


def test_a_place_that_cannot_be_written_to_is_told_with_its_key(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AnodiceError, match=r"expected to write to .*file/x, .*with paths\.cache_dir=DIR"):
        files.make_folder(tmp_path / "file" / "x", "paths.cache_dir")
