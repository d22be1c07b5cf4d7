"""Whether two networks say the same of the same photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anodice.prediction.network import Network
from anodice.prediction.predictor import BATCH
from anodice.prediction.settings import Settings

TOLERANCE = 1e-4
"""Of a score: grey levels or whatever its scale is, and of scores beyond 1 this share of them."""


@dataclass(frozen=True)
class Agreement:
    """How far the scores and verdicts of two networks lie apart.

    Attributes:
        photos: how many were scored.
        largest: the largest difference of two scores of a photo.
        share: the largest difference, each divided by the first network's score where that is beyond 1 or -1.
        verdicts: how many differ at the run's threshold.
    """

    photos: int
    largest: float
    share: float
    verdicts: int

    @property
    def holds(self) -> bool:
        """Whether the scores agree within `TOLERANCE`."""
        return self.share <= TOLERANCE

    def sentence(self) -> str:
        """The figures in words."""
        return (
            f"{self.photos} photos: largest score difference {self.largest:.2g} ({self.share:.2g} in units of the "
            f"score where that is beyond 1), {self.verdicts} verdicts changed"
        )


def agreement(first: Network, second: Network, photos: NDArray[np.uint8], settings: Settings) -> Agreement:
    """Score photos (N, S, S, C), upright, with both; N at least 1."""
    ours, theirs = (_scored(network, photos, settings) for network in (first, second))
    scores, others = ours[0], theirs[0]
    difference = np.abs(scores - others)
    return Agreement(
        photos=len(photos),
        largest=float(difference.max()),
        share=float((difference / np.maximum(1, np.abs(scores))).max()),
        verdicts=int(np.count_nonzero(ours[1] != theirs[1])),
    )


def _scored(
    network: Network, photos: NDArray[np.uint8], settings: Settings
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and verdicts."""
    parts = [network(np.ascontiguousarray(photos[k : k + BATCH])) for k in range(0, len(photos), BATCH)]
    scores = np.concatenate([part.scores for part in parts])
    names = np.concatenate([settings.names(part) for part in parts])
    return scores, settings.threshold.flags(scores, names)
