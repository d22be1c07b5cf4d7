"""Photos that arrive in a watched folder, each once."""

from __future__ import annotations

import itertools

from anodice.prediction.arriving import arriving


def test_a_file_comes_once_and_not_before_it_has_stopped_growing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12")

    def happen(_seconds):
        look = next(looks)
        if look == 0:
            (tmp_path / "b.png").write_bytes(b"1")
        if look == 1:
            (tmp_path / "b.png").write_bytes(b"12")
        if look == 2:
            (tmp_path / "old.png").write_bytes(b"1")

    looks = itertools.count()
    known = {str(tmp_path / "old.png")}
    found = [
        [p.name for p in files] for files in itertools.islice(arriving(tmp_path, known, seconds=0, wait=happen), 6)
    ]
    assert found == [[], ["a.png"], [], ["b.png"], [], []]
    assert known == {str(tmp_path / name) for name in ("a.png", "b.png", "old.png")}
