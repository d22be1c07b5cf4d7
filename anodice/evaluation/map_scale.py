"""How the anomaly maps of a run are read: one colour scale, and the pixels that count as strange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anodice.errors import AnodiceError

CALM = 0.9
"""Share of held-out normal photos without a pixel above the pixel threshold.

Of the regions of drawn anomalies of validation, 90 % then meet a defect, and every photo that is flagged has one; with
a share of 0.75 it is 81 %, and with 1 a sixth of the photos have none (a VAE trained for four epochs).
"""


@dataclass(frozen=True)
class MapScale:
    """What the maps of a run are shown and judged by.

    Attributes:
        lowest, highest: the map values shown as the lowest and the highest colour.
        pixel_threshold: pixels of at least this value are strange.
        fitted_on: the images that the pixel threshold was fitted to, in words.
    """

    lowest: float
    highest: float
    pixel_threshold: float
    fitted_on: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which keeps the floats exactly."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> MapScale:
        """The inverse of `as_dict`.

        Raises:
            AnodiceError: other keys or other values.
        """
        try:
            scale = cls(**found)
        except TypeError as error:
            raise AnodiceError(f"expected the scale of a run's maps, got {dict(found)}; evaluate it again.") from error
        if not all(map(np.isfinite, (scale.lowest, scale.highest, scale.pixel_threshold))):
            raise AnodiceError(f"expected finite numbers for a run's maps, got {dict(found)}; evaluate it again.")
        return scale


def fit_map_scale(maps: Iterable[NDArray[np.float32]], *, colours: tuple[float, float]) -> MapScale:
    """The scale of a run from the maps (H, W) of held-out normal photos; with none of them no pixel is strange.

    Args:
        colours: the map values shown as the lowest and the highest colour.
    """
    highest = [float(one.max()) for one in maps]
    threshold = float(np.quantile(highest, CALM)) if highest else float(np.finfo(np.float32).max)
    return MapScale(*colours, pixel_threshold=threshold, fitted_on=f"validation: {len(highest)} normal")
