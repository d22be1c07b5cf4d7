"""Bootstrap resamples of scores, in which the images of a group come and go together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anodice.thresholds.extreme_values import FEWEST
from anodice.thresholds.images import Images

RESAMPLES = 200


def resamples(images: Images, seed: int) -> Iterator[NDArray[np.float64]]:
    """The rising scores as they are, then `RESAMPLES` times those of as many groups, drawn with replacement.

    Where groups differ in size, so do the resamples; those of fewer than `FEWEST` scores are left out.
    """
    order = np.argsort(images.score, kind="stable")
    rising = images.score[order]
    numbers, group = np.unique(images.group[order], return_inverse=True)
    yield rising
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, numbers.size, numbers.size), minlength=numbers.size)
        scores = np.repeat(rising, drawn[group])
        if scores.size >= FEWEST:
            yield scores
