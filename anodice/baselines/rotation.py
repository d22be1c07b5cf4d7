"""Turning square grey pictures about their centre, bit for bit as OpenCV 4.5 does it (`warpAffine`, bilinear).

That arithmetic rounds the place a pixel comes from to 1/32 pixel and weighs the four neighbours in whole numbers;
outside the picture all is black. Angles are degrees counter-clockwise. Pictures are padded by `PAD` black pixels on
every side and flattened, so that a place is one index (of its upper left neighbour) and two fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

PAD = 2

UNIT = 1024
"""What the four weights of a place sum to."""


@dataclass(frozen=True)
class Places:
    """Where the pixels of turned pictures come from: three arrays of one shape.

    Attributes:
        first: index of the upper left of the four neighbours in the padded, flattened picture.
        right, down: how far the place lies towards the other neighbours, in 1/32 pixel, 0..31.
        stride: the step from one row of the padded picture to the next.
    """

    first: NDArray[np.intp]
    right: NDArray[np.uint8]
    down: NDArray[np.uint8]
    stride: int

    def neighbours(self) -> tuple[tuple[NDArray[np.intp], NDArray[np.int32]], ...]:
        """The index and the weight, 0..`UNIT`, of each of the four neighbours."""
        right, down = self.right.astype(np.int32), self.down.astype(np.int32)
        left, up = 32 - right, 32 - down
        return (
            (self.first, left * up),
            (self.first + 1, right * up),
            (self.first + self.stride, left * down),
            (self.first + self.stride + 1, right * down),
        )


def places(size: int, degrees: NDArray[np.float64], x: NDArray[np.intp], y: NDArray[np.intp]) -> Places:
    """Where the pixels at columns `x` and rows `y` (K,) come from when turned by each of `degrees` (A,): (A, K)."""
    radians = degrees[:, None] * np.pi / 180
    cos, sin = np.cos(radians), np.sin(radians)
    middle = size / 2
    # OpenCV's matrix and its inverse in OpenCV's order: another order may round a place to the other side.
    shift_x, shift_y = (1 - cos) * middle - sin * middle, sin * middle + (1 - cos) * middle
    scale = 1 / (cos * cos + sin * sin)
    cos, sin = cos * scale, sin * scale
    start_x, start_y = -cos * shift_x + sin * shift_y, -sin * shift_x - cos * shift_y
    # 16/1024 pixel, half a step, makes the shift to 1/32 pixel round to the nearest.
    place_x = (_whole(-sin * y + start_x) + _whole(cos * x) + 16) >> 5
    place_y = (_whole(cos * y + start_y) + _whole(sin * x) + 16) >> 5
    # Beyond the picture all is black, so whatever lies farther out may lie in the padding.
    column = np.clip(place_x >> 5, -PAD, size) + PAD
    row = np.clip(place_y >> 5, -PAD, size) + PAD
    stride = size + 2 * PAD
    right, down = (place_x & 31).astype(np.uint8), (place_y & 31).astype(np.uint8)
    return Places((row * stride + column).astype(np.intp), right, down, stride)


def _whole(pixels: NDArray[np.float64]) -> NDArray[np.int32]:
    """In 1/1024 pixel, rounded half to even."""
    return np.rint(pixels * 1024).astype(np.int32)


def padded(photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, S, S) -> (N, (S + 2 PAD)²), black around each photo."""
    return np.pad(photos, ((0, 0), (PAD, PAD), (PAD, PAD))).reshape(len(photos), (photos.shape[1] + 2 * PAD) ** 2)


def turned(photos: NDArray[np.uint8], degrees: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Each photo of (N, S, S) turned by its own angle of (N,); black where nothing was.

    The middle is (S / 2, S / 2), half a pixel beside the true one: a half turn drops a row and a column.

    >>> turned(np.arange(16, dtype=np.uint8).reshape(1, 4, 4), np.array([180.0]))[0]
    array([[ 0,  0,  0,  0],
           [ 0, 15, 14, 13],
           [ 0, 11, 10,  9],
           [ 0,  7,  6,  5]], dtype=uint8)
    """
    size = photos.shape[1]
    y, x = np.indices((size, size)).reshape(2, -1)
    result = np.empty_like(photos)
    for angle in np.unique(degrees):
        alike = np.flatnonzero(degrees == angle)
        pictures = padded(photos[alike])
        total = np.full((len(alike), size * size), UNIT // 2, dtype=np.int32)
        for index, weight in places(size, np.array([angle]), x, y).neighbours():
            total += pictures.take(index[0], axis=1) * weight[0]
        result[alike] = (total // UNIT).reshape(-1, size, size)
    return result


DARK = 75
# A turned pixel, (total + UNIT / 2) / UNIT cut to a whole number, is dark where its weighted total is below this.
_DARK_TOTAL = DARK * UNIT - UNIT // 2
_DEGREES = np.arange(360.0)
# Photos and pairs of photo and angle worked on at once, for the processor's cache.
_PHOTOS, _PAIRS = 64, 16


class DarkCounts:
    """Counts the dark pixels, below grey `DARK`, in parts of photos turned by 0..359 degrees, without turning them.

    Args:
        photos: (N, S, S) uint8, white outside `disk`.
    """

    def __init__(self, photos: NDArray[np.uint8]) -> None:
        self._size = photos.shape[1]
        self._pictures = padded(photos)

    def on_ray(self) -> NDArray[np.int16]:
        """Dark pixels on the left half of the middle row, at each angle: (N, 360)."""
        matrix = _ray_matrix(self._size)
        counts = np.empty((len(self._pictures), len(_DEGREES)), dtype=np.int16)
        for start in range(0, len(counts), _PHOTOS):
            part = slice(start, start + _PHOTOS)
            # Whole numbers below 2**24 are exact in float32.
            totals = matrix @ np.ascontiguousarray(self._pictures[part].T).astype(np.float32)
            dark = (totals < _DARK_TOTAL).reshape(len(_DEGREES), self._size // 2, -1)
            counts[part] = dark.sum(1, dtype=np.int16).T
        return counts

    def excess_below(self, which: NDArray[np.intp], angles: NDArray[np.intp]) -> NDArray[np.intp]:
        """On the left half of photo `which` turned by `angles`, dark pixels below the middle less those above: (P,)."""
        parts = range(0, len(which), _PAIRS)
        return np.concatenate([self._excess(which[i : i + _PAIRS], angles[i : i + _PAIRS]) for i in parts])

    @cached_property
    def _dark_neighbours(self) -> NDArray[np.uint8]:
        """How many of the four neighbours are dark at every place: (N, padded pixels).

        Four make a dark place and none a light one, whatever the weights: only places at the edges need weighing.
        """
        stride = self._size + 2 * PAD
        dark = (self._pictures < DARK).reshape(-1, stride, stride).astype(np.uint8)
        count = np.zeros_like(dark)
        count[:, :-1, :-1] = dark[:, :-1, :-1] + dark[:, :-1, 1:] + dark[:, 1:, :-1] + dark[:, 1:, 1:]
        return count.reshape(len(dark), -1)

    def _excess(self, which: NDArray[np.intp], angles: NDArray[np.intp]) -> NDArray[np.intp]:
        half, above, rest = _left_half(self._size)
        length = half.first.shape[1]
        count = np.empty((len(which), length), dtype=np.uint8)
        for row, photo, angle in zip(count, which, angles, strict=True):
            self._dark_neighbours[photo].take(half.first[angle], out=row, mode="clip")
        surely = count == 4
        # Subtracting 1 wraps 0 round to 255, so that only 1, 2 and 3 stay below 3.
        pair, place = np.divmod(np.flatnonzero(count - np.uint8(1) < 3), length)
        at = angles[pair] * length + place
        first = half.first.take(at) + which[pair] * half.stride**2
        edge = Places(first, half.right.take(at), half.down.take(at), half.stride)
        total = sum(self._pictures.take(index) * weight for index, weight in edge.neighbours())
        signs = np.where(total < _DARK_TOTAL, np.where(place < above, -1, 1), 0)
        excess = np.bincount(pair, weights=signs, minlength=len(which)).astype(np.intp) + rest[angles]
        return excess + np.count_nonzero(surely[:, above:], axis=1) - np.count_nonzero(surely[:, :above], axis=1)


@lru_cache(maxsize=2)
def _ray_matrix(size: int) -> sparse.csr_array:
    """Padded photo -> weighted totals along the ray, for all angles one after the other."""
    x = np.arange(size // 2)
    ray = places(size, _DEGREES, x, np.full_like(x, size // 2))
    indices, weights = (np.stack(parts, axis=-1).reshape(-1) for parts in zip(*ray.neighbours(), strict=True))
    starts = np.arange(0, len(indices) + 1, 4)
    return sparse.csr_array((weights.astype(np.float32), indices, starts), shape=(ray.first.size, ray.stride**2))


@lru_cache(maxsize=2)
def _left_half(size: int) -> tuple[Places, int, NDArray[np.intp]]:
    """The places of the left half at every angle, how many of them lie above the middle, and what the rest adds.

    Only places that can touch the disk are kept. The others are white or black alike in every photo; `rest` is their
    dark pixels below the middle less those above, for each angle.
    """
    y, x = np.indices((size, size // 2)).reshape(2, -1)
    near = np.hypot(x - size // 2, y - size // 2) < round(size * 60 / 128) + 2
    outer = places(size, _DEGREES, x[~near], y[~near])
    white = padded(np.full((1, size, size), 255, dtype=np.uint8))[0]
    dark = sum(white[index] * weight for index, weight in outer.neighbours()) < _DARK_TOTAL
    rest = dark @ np.where(y[~near] >= size // 2, 1, -1)
    return places(size, _DEGREES, x[near], y[near]), np.count_nonzero(y[near] < size // 2), rest
