"""What predicting asks of a network, whatever it runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Outputs(NamedTuple):
    """What a network says of N photos.

    Attributes:
        maps: (N, H, W) float32.
        scores: (N,) float64.
        classes: (N,) int64; None where the detector tells no classes apart.
    """

    maps: NDArray[np.float32]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64] | None


Network = Callable[[NDArray[np.uint8]], Outputs]
"""Photos (N, S, S, C) uint8, upright -> `Outputs`."""
