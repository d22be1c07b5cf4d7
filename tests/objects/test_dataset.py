"""Sets of drawn objects on disk: the layout of MVTec AD, masks, the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodice.data.layouts import mvtec
from anodice.data.records import walk
from anodice.errors import AnodiceError
from anodice.objects.dataset import cached_object, write_object

SMALL = {"train": 3, "test_good": 2, "test_flawed": 1, "size": 32}


def test_the_layout_is_that_of_mvtec_ad_with_a_mask_for_each_flaw(tmp_path):
    root = write_object(tmp_path / "rulers", kind="rulers", **SMALL)
    walked = walk(root, mvtec(root))
    assert (walked.skipped, walked.empty, walked.unread) == ((), (), ())
    flaws = [record for record in walked.records if record.anomalous]
    assert [record.class_name for record in flaws] == ["burn", "chip", "extra_mark", "missing_mark", "scratch"]
    assert sum(record.split == "train" for record in walked.records) == 3
    assert len(walked.records) == 3 + 2 + 5
    for record in flaws:
        with Image.open(root / record.path) as photo, Image.open(root / record.mask) as mask:
            assert photo.size == mask.size == (96, 32)
            assert set(np.unique(np.asarray(mask))) == {0, 255}


def test_a_larger_set_holds_the_smaller_one_and_the_cache_tells_sets_apart(tmp_path):
    small = cached_object(cache_dir=str(tmp_path), kind="weave", seed=1, **SMALL)
    large = cached_object(cache_dir=str(tmp_path), kind="weave", seed=1, **SMALL | {"train": 4})
    assert small != large
    names = [path.relative_to(small) for path in small.rglob("*.png")]
    assert all((small / name).read_bytes() == (large / name).read_bytes() for name in names)
    other = cached_object(cache_dir=str(tmp_path), kind="weave", seed=2, **SMALL)
    first = Path("train/good/000.png")
    assert (small / first).read_bytes() != (other / first).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"kind": "jar"}, "did you mean 'jars'"), ({"train": -1}, "train .* got -1"), ({"size": 8}, "at least 32")],
)
def test_impossible_sets_are_refused(tmp_path, change, message):
    with pytest.raises(AnodiceError, match=message):
        write_object(tmp_path / "set", **{"kind": "jars"} | SMALL | change)
