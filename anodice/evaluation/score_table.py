"""One row per scored image: what every figure is computed from, and what `scores.csv` holds."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anodice.app.files import replacing
from anodice.data.records import UNKNOWN, Record
from anodice.data.splitting.split import Split
from anodice.thresholds.threshold import Threshold

COLUMNS = (
    *("path", "split", "class", "face", "session", "label", "score", "verdict", "leaked", "content", "predicted"),
    *("group", "near_leaked"),
)


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Columns of equal length N over the validation and test images.

    Attributes:
        path: relative to the data root.
        split: `validation` or `test`.
        class_name: `00`..`10` or `ano`.
        face: 1..6, 0 where it is not known (every anomaly).
        session: shooting session.
        label: true for anomalous.
        score: float64, higher is more anomalous.
        leaked: true for a test image whose pixels also occur in the training folder.
        content: pixel hash; copies share it.
        predicted: the class that the detector takes the image for; empty where it tells no classes apart.
        group: the piece of evidence that the image belongs to; copies, near copies and frames of a burst share it.
        near_leaked: true for a test image, beside the leaked ones, that is a near copy of one that was fitted or
            validated; None where nobody has looked, as in runs of before.
    """

    path: np.ndarray
    split: np.ndarray
    class_name: np.ndarray
    face: np.ndarray
    session: np.ndarray
    label: np.ndarray
    score: np.ndarray
    leaked: np.ndarray
    content: np.ndarray
    predicted: np.ndarray
    group: np.ndarray
    near_leaked: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.path)

    def where(self, keep: np.ndarray) -> ScoreTable:
        """The rows for which `keep` (N,) bool holds."""
        columns: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: values[keep] for name, values in columns.items() if values is not None})

    @property
    def validation(self) -> ScoreTable:
        return self.where(self.split == "validation")

    @property
    def published(self) -> ScoreTable:
        """All test images."""
        return self.where(self.split == "test")

    @property
    def known_session(self) -> np.ndarray:
        """The shooting sessions, empty where they are not known."""
        return np.where(self.session == UNKNOWN, "", self.session)

    @property
    def clean_words(self) -> str:
        """What to call the images of `clean`: `clean test` where any of the test were left out, else `test`."""
        return "clean test" if self.published.leaked.any() else "test"

    @property
    def clean(self) -> ScoreTable:
        """The test images whose pixels do not occur in the training folder."""
        return self.where((self.split == "test") & ~self.leaked)

    @property
    def distinct(self) -> ScoreTable | None:
        """The clean test without near copies of images that were fitted or validated; None where they are not known."""
        if self.near_leaked is None:
            return None
        return self.where((self.split == "test") & ~self.leaked & ~self.near_leaked)

    def errors(self, threshold: Threshold) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the misses and those of the false alarms at a threshold, each the farthest from it first."""
        flags = threshold.flags(self.score, self.predicted)
        rising = np.argsort(self.score - threshold.values(self.score, self.predicted), kind="stable")
        falling = rising[::-1]
        return rising[(self.label & ~flags)[rising]], falling[(flags & ~self.label)[falling]]


def score_table(
    records: Sequence[Record],
    split: Split,
    scores: ArrayLike,
    predicted: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    near_leaked: Collection[int] | None = None,
) -> ScoreTable:
    """The table of the validation and the test images.

    Args:
        scores: (N,), of validation first, then of test.
        predicted: (N,), the classes that they are taken for, or empty strings.
        groups: one per record, the same for copies, near copies and frames of a burst; without them only exact copies
            are taken together.
        near_leaked: the records of the test that `ScoreTable.near_leaked` tells of; None where nobody has looked.
    """
    indices = (*split.validation, *split.test)
    chosen = [records[i] for i in indices]
    return ScoreTable(
        path=np.array([r.path for r in chosen]),
        split=np.array(["validation"] * len(split.validation) + ["test"] * len(split.test)),
        class_name=np.array([r.class_name for r in chosen]),
        face=np.array([0 if r.face is None else r.face for r in chosen]),
        session=np.array([r.session for r in chosen]),
        label=np.array([r.anomalous for r in chosen], dtype=bool),
        score=np.asarray(scores, dtype=np.float64),
        leaked=np.array([False] * len(split.validation) + [i in split.leaked for i in split.test], dtype=bool),
        content=np.array([r.content for r in chosen]),
        predicted=np.asarray(predicted),
        group=np.array([r.content for r in chosen] if groups is None else [str(groups[i]) for i in indices]),
        near_leaked=None if near_leaked is None else np.array([i in near_leaked for i in indices], dtype=bool),
    )


def write_scores(path: Path, table: ScoreTable, threshold: Threshold) -> None:
    """Write `scores.csv`; label, verdict and leaks are 0 or 1, and scores are read back to the last digit."""
    verdicts = threshold.flags(table.score, table.predicted)
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for k in range(len(table)):
            writer.writerow(
                [
                    table.path[k],
                    table.split[k],
                    table.class_name[k],
                    table.face[k] if table.face[k] > 0 else "",
                    table.session[k],
                    int(table.label[k]),
                    repr(float(table.score[k])),
                    int(verdicts[k]),
                    int(table.leaked[k]),
                    table.content[k],
                    table.predicted[k],
                    table.group[k],
                    "" if table.near_leaked is None else int(table.near_leaked[k]),
                ]
            )


def same_images(first: ScoreTable, second: ScoreTable) -> tuple[ScoreTable, ScoreTable] | None:
    """The clean test rows of two runs, those that are clean in both, image by image in the same order.

    Images are known by their pixels, so photos that were moved or renamed are still the same.

    Returns:
        None where the runs were not tested on the same images, or call one of them differently.
    """
    sides = [
        table.published.where(np.lexsort((table.published.path, table.published.content))) for table in (first, second)
    ]
    one, other = sides
    if not (np.array_equal(one.content, other.content) and np.array_equal(one.label, other.label)):
        return None
    clean = ~(one.leaked | other.leaked)
    return one.where(clean), other.where(clean)
