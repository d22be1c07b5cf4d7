"""The rule by which an earlier project turned its dice upright, for templates and figures that were made with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anodice.baselines.rotation import DarkCounts, turned
from anodice.dice.orientation import check_photos, disk
from anodice.errors import unknown

VETOES = ("bottom_heavier", "top_heavier", "none")

# Photos worked on at once.
_CHUNK = 256


class DarkRayUpright:
    """The angle, in whole degrees, whose ray from the middle to the left edge meets the most dark pixels.

    Of equal angles the smallest counts. An angle is vetoed where, on the left half of the turned die, the dark pixels
    below the middle outnumber those above it (`bottom_heavier`) or the other way round (`top_heavier`); where all are
    vetoed the photo stays as it is. The earlier project used one veto for its training photos and the other for its
    test photos; here one turns all. Pixels are dark below grey 75, and white covers what lies outside the face.

    The angles and pixels are those of a loop over 360 pictures turned with OpenCV 4.5, found without turning any.

    Args:
        veto: one of `VETOES`; the templates of the earlier project were made with `bottom_heavier`.

    Raises:
        AnodiceError: an unknown veto, or photos that are not (N, S, S) uint8.

    >>> DarkRayUpright(veto="none").name
    'dark_ray-1-none'
    """

    def __init__(self, *, veto: str = "bottom_heavier") -> None:
        if veto not in VETOES:
            raise unknown("veto", veto, VETOES)
        self.veto = veto
        self.name = f"dark_ray-1-{veto}"

    def angles(self, photos: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Whole degrees counter-clockwise, 0..359: (N,)."""
        check_photos(photos)
        found = np.zeros(len(photos))
        for start in range(0, len(photos), _CHUNK):
            found[start : start + _CHUNK] = self._search(photos[start : start + _CHUNK])
        return found

    def __call__(self, photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The photos turned by their `angles`, 255 outside the face."""
        upright = turned(photos, self.angles(photos))
        upright[:, ~disk(photos.shape[1])] = 255
        return upright

    def _search(self, photos: NDArray[np.uint8]) -> NDArray[np.intp]:
        counts = DarkCounts(np.where(disk(photos.shape[1]), photos, np.uint8(255)))
        scores = counts.on_ray()
        if self.veto == "none":
            return scores.argmax(1)
        sign = 1 if self.veto == "bottom_heavier" else -1
        found = np.zeros(len(photos), dtype=np.intp)
        searching = np.arange(len(photos))
        # From the best ray down: the first angle that is not vetoed is the answer.
        for candidates in np.argsort(-scores, axis=1, kind="stable").T:
            searching = searching[scores[searching, candidates[searching]] > 0]
            if len(searching) == 0:
                break
            angles = candidates[searching]
            passed = sign * counts.excess_below(searching, angles) <= 0
            found[searching[passed]] = angles[passed]
            searching = searching[~passed]
        return found
