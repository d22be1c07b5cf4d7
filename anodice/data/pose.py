"""Turning objects that lie at any angle on a plain ground to one pose, each photo by itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anodice.errors import AnodiceError

_LOOKED_AT = 128
"""Side of the copy in which the object is looked for: finer ones tell no more of its axis."""
_LEAST, _MOST = 0.01, 0.6
"""Share of the photo that an object fills."""
_LONGER = 1.25
"""By how much an object is longer than wide, at least: a round one has no axis to turn to."""


class LongAxis:
    """Turns photos so that the long axis of the object lies level, its bulkier end to the left, its middle in theirs.

    What differs from the colour of the photo's edges by more than the threshold of Otsu (1979) is the object; its
    second moments tell the axis, the third which end is the bulkier one. A photo without such an object (a texture, one
    that fills the photo, a round one) stays as it is. Nothing is fitted, and each photo is judged by itself. Flipped
    objects stay flipped.

    Raises:
        AnodiceError: photos that are not (N, S, S) or (N, S, S, C) uint8.

    >>> photo = np.full((1, 64, 64), 200, np.uint8)
    >>> photo[0, 10:50, 30:36] = photo[0, 10:18, 24:42] = 40
    >>> turned = LongAxis()(photo) < 120
    >>> rows, columns = np.nonzero(turned[0])
    >>> bool(np.ptp(columns) > 2 * np.ptp(rows)), bool(turned[0, :, :32].sum() > turned[0, :, 32:].sum())
    (True, True)
    """

    name = "long-axis-1"
    takes_colour = True
    turns_any = True

    def __call__(self, photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if photos.ndim not in (3, 4) or photos.dtype != np.uint8 or photos.shape[1] != photos.shape[2]:
            raise AnodiceError(
                f"expected square photos (N, S, S) or (N, S, S, C) uint8 to turn, got {photos.dtype} {photos.shape}."
            )
        turned = photos.copy()
        for photo, row in zip(photos, turned, strict=True):
            pose = find_pose(photo)
            if pose is not None:
                row[:] = _turned(photo, pose, order=3)
        return turned

    def turned_mask(self, photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask (S, S) as it lies when its photo (S, S) or (S, S, C) is turned."""
        pose = find_pose(photo)
        if pose is None:
            return mask
        grown = ndimage.maximum_filter(mask, 2)  # so that no thin scratch falls between two pixels
        return _turned(grown.astype(np.uint8), pose, order=0) > 0


Pose = tuple[float, float, float]
"""Where the middle of an object is, in shares of the side, and the angle of its axis in radians, to its slimmer end."""


def find_pose(photo: NDArray[np.uint8]) -> Pose | None:
    """The pose of the object in a photo (S, S) or (S, S, C); None where there is none to tell."""
    step = max(1, photo.shape[0] // _LOOKED_AT)
    small = photo[::step, ::step].astype(np.float32)
    small = ndimage.gaussian_filter(small, (1, 1, 0)[: small.ndim])
    away = np.abs(small - _edge(small).astype(np.float32))
    away = away if away.ndim == 2 else away.max(2)
    if np.ptp(away) < 16:
        return None
    weight = _largest_part(away > _otsu(away))
    filled = weight.mean()
    if not _LEAST <= filled <= _MOST:
        return None
    y, x = np.nonzero(weight)
    middle_x, middle_y = x.mean(), y.mean()
    across, down = x - middle_x, y - middle_y
    spread_x, spread_y, both = (across**2).mean(), (down**2).mean(), (across * down).mean()
    angle = 0.5 * math.atan2(2 * both, spread_x - spread_y)
    along = across * math.cos(angle) + down * math.sin(angle)
    side = down * math.cos(angle) - across * math.sin(angle)
    if along.std() < _LONGER * side.std():
        return None
    if (along**3).mean() < 0:  # the tail of the slimmer end is the longer one
        angle += math.pi
    size = len(small)
    return (middle_x + 0.5) / size, (middle_y + 0.5) / size, angle


def _turned(photo: NDArray[np.uint8], pose: Pose, *, order: int) -> NDArray[np.uint8]:
    """What lay beyond the photo is its mirror image: a plain colour would have edges."""
    side = photo.shape[0]
    cos, sin = math.cos(pose[2]), math.sin(pose[2])
    back = np.array([[cos, sin], [-sin, cos]])  # from (row, column) of the result to those of the photo
    middle = np.array([pose[1], pose[0]]) * side - 0.5
    offset = middle - back @ np.full(2, (side - 1) / 2)
    channels = [photo] if photo.ndim == 2 else [photo[..., k] for k in range(photo.shape[2])]
    found = [
        ndimage.affine_transform(one.astype(np.float32), back, offset, order=order, mode="reflect") for one in channels
    ]
    turned = np.clip(np.rint(found), 0, 255).astype(np.uint8)
    return turned[0] if photo.ndim == 2 else turned.transpose(1, 2, 0)


def _edge(photo: NDArray) -> NDArray[np.float64]:
    """The median colour of the outermost pixels."""
    return np.median(np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]]), axis=0)


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that parts values into two groups of the least spread (Otsu 1979)."""
    counts, edges = np.histogram(values, 64)
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = counts.cumsum(), counts.sum()
    sums = (counts * middles).cumsum()
    above = total - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[int(np.nan_to_num(between[:-1]).argmax()) + 1])


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts == sizes.argmax()
