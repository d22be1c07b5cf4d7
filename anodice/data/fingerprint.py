"""What kind of photos a folder holds, told by those to learn from alone: one pose or any, texture or object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from anodice.data.decode import decode
from anodice.data.frame import Fit, Frame
from anodice.data.image_format import Orientation, turned
from anodice.data.photos import Photos
from anodice.data.pose import LongAxis, find_pose

LOOKED_AT = 96
"""Photos that are looked at, at most; spread evenly over the classes and along their photos."""
_SIDE = 256
_COARSE = 64
"""Side at which photos are compared: a shift of a few pixels of 128 is one pixel."""


@dataclass(frozen=True)
class Fingerprint:
    """What the normal photos to learn from tell.

    Attributes:
        photos: how many there are.
        classes: how many they are divided into.
        width, height: the median size of the photos, in pixels.
        colour: whether some have colour.
        likeness: how alike photos of a class are place by place, the median correlation of a photo's structure with the
            mean of the others, -1 to 1; textures and objects at any angle have little.
        turned_likeness: the same after turning each to the long axis of its object.
        found: share of the photos in which there is an object with a long axis on a plain ground.
        shift: how far photos lie from the others of their class, in shares of the side: the 90 % quantile.
        turned_shift: the same after turning.
        border: how much structure lies along the edges of a photo in units of that in its middle, the median; an object
            on a plain ground has little, a texture about 1.
        brightness: deviation of the mean brightness of photos of a class, in grey levels of [0, 1].
    """

    photos: int
    classes: int
    width: int
    height: int
    colour: bool
    likeness: float
    turned_likeness: float
    found: float
    shift: float
    turned_shift: float
    border: float
    brightness: float

    @property
    def elongation(self) -> float:
        """The longer side of a photo in units of the shorter one."""
        return max(self.width, self.height) / min(self.width, self.height)


def fingerprint(photos: Photos, *, fit: Fit, orientation: Orientation | None = None) -> Fingerprint:
    """Look at the photos to learn from; no label is needed, and no other photo is looked at.

    Args:
        fit: how photos of other shapes are brought to squares.
        orientation: what turns them before, where the photos were turned as well.
    """
    groups = _by_class(photos)
    squares, sizes, coloured = [], [], False
    for indices in groups:
        grey = []
        for i in indices:
            found = decode(
                photos.walked.root / photos.records[i].path, image_size=Frame(_SIDE, _SIDE, fit), in_channels=1
            )
            grey.append(found.pixels[..., 0])
            sizes.append(found.size)
            coloured = coloured or found.colour
        group = np.stack(grey)
        squares.append(turned(orientation, group[..., None])[..., 0] if photos.turned and orientation else group)
    poses = [find_pose(photo) is not None for group in squares for photo in group]
    level = [LongAxis()(group) for group in squares]
    likeness, shift = _alike(squares)
    turned_likeness, turned_shift = _alike(level)
    width, height = np.median(np.array(sizes), axis=0).round().astype(int).tolist()
    brightness = [float(group.mean((1, 2)).std() / 255) for group in squares]
    return Fingerprint(
        photos=len(photos.split.fit),
        classes=len(groups),
        width=width,
        height=height,
        colour=coloured,
        likeness=likeness,
        turned_likeness=turned_likeness,
        found=float(np.mean(poses)),
        shift=shift,
        turned_shift=turned_shift,
        border=float(np.median([_border(photo) for group in squares for photo in group])),
        brightness=float(np.median(brightness)),
    )


def _by_class(photos: Photos) -> list[list[int]]:
    """Some of the photos to learn from, class by class; at least three of each class that has them."""
    groups: dict[str, list[int]] = {}
    for i in photos.split.fit:
        groups.setdefault(photos.records[i].class_name, []).append(i)
    each = max(3, LOOKED_AT // max(1, len(groups)))
    return [_spread(group, each) for group in groups.values()]


def _spread(indices: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [indices[k] for k in places]


def _border(photo: NDArray[np.uint8]) -> float:
    """Deviation of the structure within a twelfth of the side from the edges, over that of the middle."""
    fine = photo.astype(np.float32)
    fine -= ndimage.gaussian_filter(fine, _SIDE / 16)
    edge = _SIDE // 12
    middle = fine[edge:-edge, edge:-edge].std()
    frame = np.concatenate([fine[:edge].ravel(), fine[-edge:].ravel(), fine[:, :edge].ravel(), fine[:, -edge:].ravel()])
    return float(frame.std() / middle) if middle > 0 else 1.0


def _alike(groups: Sequence[NDArray[np.uint8]]) -> tuple[float, float]:
    """Median likeness and the 90 % quantile of the shifts, over all groups (N, S, S) of at least two photos."""
    pairs = [pair for group in groups if len(group) > 1 for pair in _pairs(group)]
    if not pairs:
        return 0.0, 0.0
    likeness, shifts = np.array(pairs).T
    return float(np.median(likeness)), float(np.quantile(shifts, 0.9))


def _pairs(group: NDArray[np.uint8]) -> Iterator[tuple[float, float]]:
    """Of each photo of a class: its correlation with the mean of the others, and how far it is shifted from it."""
    step = _SIDE // _COARSE
    small = group.reshape(len(group), _COARSE, step, _COARSE, step).mean((2, 4))
    structure = small - ndimage.gaussian_filter(small, (0, _COARSE / 8, _COARSE / 8))  # light comes and goes
    window = np.hanning(_COARSE)[:, None] * np.hanning(_COARSE)
    total = structure.sum(0)
    for one in structure:
        others = (total - one) / (len(group) - 1)
        scale = np.sqrt((one**2).sum() * (others**2).sum())
        likeness = float((one * others).sum() / scale) if scale > 0 else 0.0
        product = fft.rfft2(one * window) * np.conj(fft.rfft2(others * window))
        places = fft.irfft2(product, s=(_COARSE, _COARSE))
        y, x = np.unravel_index(int(places.argmax()), places.shape)
        away = np.hypot(*(((v + _COARSE // 2) % _COARSE - _COARSE // 2) for v in (y, x)))
        yield likeness, float(away / _COARSE)
