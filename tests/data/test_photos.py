"""What is known of the photos of a folder: those of the test that are nearly photos to learn from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodice.data.photos import near_leaks
from anodice.data.splitting.strategies import Clean
from anodice.evaluation.inference import ScoredPhotos
from anodice.evaluation.pixel_metrics import pixel_figures


def _turned(source: Path, target: Path) -> None:
    Image.fromarray(np.rot90(np.asarray(Image.open(source)))).save(target)


@pytest.fixture
def leaking(writable_dice):
    """A drawn set with a copy of a training photo, and quarters of a turn of others and of a test photo, in test."""
    train, test = writable_dice / "train_set", writable_dice / "test_set"
    first, second, *_ = sorted((train / "03").iterdir())
    shutil.copy(first, test / "03" / "copy.png")
    _turned(second, test / "03" / "normal.png")
    _turned(sorted((train / "ano").iterdir())[0], test / "ano" / "anomalous.png")
    _turned(sorted((test / "04").iterdir())[0], test / "04" / "within.png")
    return writable_dice


def test_near_leaks_are_near_copies_of_photos_to_fit_or_validate(leaking, data_module):
    photos = data_module(leaking).photos
    found = near_leaks(photos)
    assert {photos.records[i].path for i in found} == {"test_set/03/normal.png", "test_set/ano/anomalous.png"}
    assert {photos.records[i].path for i in photos.split.leaked} == {"test_set/03/copy.png"}
    everything = (*photos.split.validation, *photos.split.test)
    zeros = np.zeros((len(everything), 64, 64), dtype=np.float32)
    scored = ScoredPhotos(everything, np.zeros(len(everything)), np.full(len(everything), ""), zeros)
    figures = pixel_figures(scored, photos, near_leaked=found)
    # 22 normal and 8 anomalous photos were there before.
    assert [figures[part]["normals"] for part in ("published", "clean", "distinct")] == [25, 24, 23]
    without = [figures[part]["images_without_masks"] for part in ("published", "clean", "distinct")]
    assert without == [1, 1, 0]


def test_a_split_that_keeps_near_copies_together_has_no_near_leaks(leaking, data_module):
    photos = data_module(leaking, split=Clean()).photos
    assert near_leaks(photos) == frozenset()
