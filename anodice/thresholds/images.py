"""The scored images that a threshold rule looks at."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anodice.errors import AnodiceError
from anodice.metrics.bootstrap import numbered
from anodice.metrics.sweep import scored

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Images:
    """Columns of N scored images.

    Attributes:
        score: (N,) finite, higher = more anomalous.
        label: (N,) true = anomalous.
        group: (N,) numbers from 0; images that are one piece of evidence (copies, frames of a burst) share one.
        session: (N,) numbers from 0, -1 where nobody knows in which session the photo was taken.
        predicted: (N,) the class that the detector takes each image for, empty where it tells none apart.
    """

    score: Scores
    label: Labels
    group: NDArray[np.intp]
    session: NDArray[np.intp]
    predicted: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        groups: Iterable[Hashable] | None = None,
        sessions: Iterable[str] | None = None,
    ) -> Images:
        """Check and number the columns; None: no classes, each image a group by itself, no session known.

        Raises:
            AnodiceError: lengths that differ, a score that is not finite, a label that is not 0 or 1.
        """
        score, label = scored(scores, labels)
        names = np.full(score.size, "") if sessions is None else np.array([*sessions], dtype=str)
        found = cls(
            score,
            label,
            numbered(range(score.size) if groups is None else groups),
            np.where(names == "", -1, numbered(names.tolist())),
            np.full(score.size, "") if classes is None else np.asarray(classes, dtype=str),
        )
        for field in fields(cls):
            length = getattr(found, field.name).size
            if length != score.size:
                raise AnodiceError(
                    f"expected one {field.name} for each of {score.size} images, got {length}; pass all for the same "
                    "images."
                )
        return found

    def where(self, keep: NDArray[np.bool_]) -> Images:
        """The rows for which `keep` (N,) holds."""
        return Images(*(getattr(self, field.name)[keep] for field in fields(self)))

    @property
    def normals(self) -> Images:
        return self.where(~self.label)

    @property
    def anomalies(self) -> Images:
        return self.where(self.label)


NO_IMAGES = Images(np.zeros(0), np.zeros(0, bool), np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.str_))
"""For rules that look at none."""
