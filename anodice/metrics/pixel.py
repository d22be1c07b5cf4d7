"""How well anomaly maps point at the marked pixels: pixel AUROC, AUPRO and the best pixel F1, all exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.measure import label

from anodice.errors import AnodiceError
from anodice.metrics.sweep import finite_scores

LIMIT = 0.3
"""The usual highest false-positive rate of the AUPRO (Bergmann et al. 2021)."""


class PixelCounts:
    """The pixels of many maps, counted at every distinct value of a defect pixel: `value >= threshold` flags a pixel.

    Exact in bounded memory: only the defect pixels are kept. The others are counted by the gap between two of their
    values into which they fall, which is all that the figures depend on.

    Args:
        maps: (N, H, W), higher = more anomalous, finite; those of the images with marked defects.
        masks: (N, H, W) bool, true on defects; true somewhere.
        threshold: the flagged pixels are counted there as well; None for no such count.

    Raises:
        AnodiceError: no defect pixel, shapes that differ, a value that is not finite.

    >>> counts = PixelCounts([[[0.1, 0.2], [0.3, 0.9]]], [[[False, False], [True, True]]], threshold=0.5)
    >>> counts.add([0.0, 0.4])
    >>> counts.auroc, counts.f1, counts.best_f1()
    (0.875, 0.6666666666666666, (0.3, 0.8))
    """

    def __init__(self, maps: ArrayLike, masks: ArrayLike, *, threshold: float | None = None) -> None:
        values, marked = finite_scores(maps), np.asarray(masks, dtype=bool)
        if values.ndim != 3 or values.shape != marked.shape or not marked.any():
            raise AnodiceError(
                f"expected maps and masks of one shape (N, H, W) with a defect pixel at least, got {values.shape} and "
                f"{marked.shape} with {int(marked.sum())}; pass the images with marked defects."
            )
        self.threshold = threshold
        shares, self.regions = region_shares(marked)
        self._values, places = np.unique(values[marked], return_inverse=True)
        self._defect = np.bincount(places)
        self._overlap = np.bincount(places, weights=shares[marked]) / self.regions
        # Between the values and on them, in turn: below the lowest, equal to it, ..., above the highest.
        self._normal = np.zeros(2 * self._values.size + 1, dtype=np.int64)
        self._flagged = 0
        self.add(values[~marked])

    def add(self, values: ArrayLike) -> None:
        """Count further defect-free pixels, of any shape."""
        rising = np.sort(finite_scores(values), axis=None)  # looked up much faster than in any order
        places = np.searchsorted(self._values, rising)
        equal = self._values[np.minimum(places, self._values.size - 1)] == rising
        self._normal += np.bincount(2 * places + equal, minlength=self._normal.size)
        if self.threshold is not None:
            self._flagged += int((rising >= self.threshold).sum())

    @property
    def defect_pixels(self) -> int:
        return int(self._defect.sum())

    @property
    def normal_pixels(self) -> int:
        return int(self._normal.sum())

    @property
    def auroc(self) -> float | None:
        """P(a defect pixel lies above a defect-free one) + P(tie) / 2, in [0, 1]; None without defect-free pixels."""
        if self.normal_pixels == 0:
            return None
        flagged, found = self._curve(self._defect)
        twice = int((np.diff(flagged) * (found[1:] + found[:-1])).sum())
        return twice / (2 * self.defect_pixels * self.normal_pixels)

    def aupro(self, limit: float = LIMIT) -> float | None:
        """The area under the per-region overlap up to a false-positive rate of `limit`, in (0, 1], divided by it.

        The overlap is the share of a region's pixels that are flagged, averaged over all regions, so that small defects
        weigh as much as large ones (Bergmann et al. 2019, 2021). None without defect-free pixels.
        """
        if not 0 < limit <= 1:
            raise AnodiceError(f"expected a false-positive rate in (0, 1], got {limit!r}; {LIMIT} is usual.")
        if self.normal_pixels == 0:
            return None
        flagged, overlap = self._curve(self._overlap)
        rate = flagged / self.normal_pixels
        within = rate <= limit
        rates = np.append(rate[within], limit)
        overlaps = np.append(overlap[within], np.interp(limit, rate, overlap))
        return min(float(np.trapezoid(overlaps, rates)) / limit, 1.0)

    @property
    def f1(self) -> float | None:
        """The F1 of the pixels at `threshold`; None without one."""
        if self.threshold is None:
            return None
        found = int(self._defect[self._values >= self.threshold].sum())
        return 2 * found / (found + self._flagged + self.defect_pixels)

    def best_f1(self) -> tuple[float, float]:
        """The threshold with the highest F1 over all pixels, the highest of several, and that F1 in (0, 1]."""
        flagged, found = self._curve(self._defect)
        # After each odd step a defect value and all that equals it has just been flagged; no other cut can be best.
        f1 = 2 * found[2::2] / (found[2::2] + flagged[2::2] + self.defect_pixels)
        best = int(f1.argmax())
        return float(self._values[::-1][best]), float(f1[best])

    def _curve(self, gains: NDArray) -> tuple[NDArray, NDArray]:
        """Flagged defect-free pixels, and the sum of the `gains` (D,) of the flagged values, as the threshold falls."""
        risen = np.zeros(self._normal.size, dtype=gains.dtype)
        risen[1::2] = gains
        return np.append(0, self._normal[::-1].cumsum()), np.append(gains[:0].sum(), risen[::-1].cumsum())


def region_shares(masks: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
    """1 / the size of the region that a defect pixel lies in, 0 elsewhere, (N, H, W); and the number of regions.

    A region is a set of marked pixels of one mask that touch, also at their corners.

    >>> shares, regions = region_shares(np.array([[[1, 0, 0, 1], [0, 1, 0, 0]]], dtype=bool))
    >>> shares.tolist(), regions
    ([[[0.5, 0.0, 0.0, 1.0], [0.0, 0.5, 0.0, 0.0]]], 2)
    """
    shares, regions = np.zeros(masks.shape), 0
    for share, mask in zip(shares, masks, strict=True):
        labels, count = label(mask, return_num=True, connectivity=2)
        sizes = np.bincount(labels.ravel())
        share[mask] = 1 / sizes[labels[mask]]
        regions += count
    return shares, regions
