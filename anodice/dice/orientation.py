"""Turning photos of dice upright, by one rule for every photo, whatever split or class it comes from."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse

from anodice.dice.drawing.marks import Logo, logo_distance, pixels
from anodice.errors import AnodiceError

SMALLEST = 32

OUTSIDE = 220
"""The grey that `Upright` leaves outside the face: that of a white die near its rim, so that no edge is added."""

# Photos worked on at once.
_CHUNK = 256


class Turner(Protocol):
    """Turns photos upright.

    `name` tells the rule, its version and its options: the same name means the same pixels.
    """

    name: str

    def angles(self, photos: NDArray[np.uint8]) -> NDArray[np.float64]:
        """By how many degrees, counter-clockwise, each of the photos (N, S, S) is turned: (N,)."""
        ...

    def __call__(self, photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The photos (N, S, S) turned upright, one grey outside the die's face."""
        ...


class Upright:
    """Turns the marks of a die to where one drawing of its face has them: the diagonals rising, the logo to the left.

    The darkness of a photo, relative to its own brightness, is read on circles round the middle and correlated with
    drawings of the six faces, at every whole degree and with the marks at nine places round the middle. The best match
    tells the face and the angle, a parabola through it the fraction of a degree. Of the angles at which a face looks
    the same, the first from -45 degrees counts, so a die that lies nearly upright is hardly turned. Face 1, and a photo
    without marks, stays as it is. Nothing is fitted, and each photo is judged by itself.

    Raises:
        AnodiceError: photos that are not (N, S, S) uint8.

    >>> Upright().name
    'upright-1'
    """

    name = "upright-1"

    def angles(self, photos: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Degrees counter-clockwise, from -45 to below 315: (N,)."""
        check_photos(photos)
        found = np.zeros(len(photos))
        for start in range(0, len(photos), _CHUNK):
            found[start : start + _CHUNK] = _match(photos[start : start + _CHUNK])
        return found

    def __call__(self, photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The photos turned by their `angles` about their middle, bicubic; `OUTSIDE` outside the face."""
        angles = self.angles(photos)
        upright = np.empty_like(photos)
        for start in range(0, len(photos), _CHUNK):
            part = slice(start, start + _CHUNK)
            upright[part] = _turned_smoothly(photos[part], angles[part])
        upright[:, ~disk(photos.shape[1])] = OUTSIDE
        return upright


def disk(size: int) -> NDArray[np.bool_]:
    """(size, size), true on a die's flat face: within 60/128 of the side from the middle (OpenCV's filled circle)."""
    y, x = np.ogrid[:size, :size]
    return (x - size // 2) ** 2 + (y - size // 2) ** 2 <= round(size * 60 / 128) ** 2


def check_photos(photos: NDArray[np.uint8]) -> None:
    good = photos.ndim == 3 and photos.shape[1] == photos.shape[2] >= SMALLEST and photos.dtype == np.uint8
    if not good:
        raise AnodiceError(
            f"expected square grey photos (N, S, S) uint8 with S of at least {SMALLEST} to turn upright, got "
            f"{photos.shape} {photos.dtype}; decode them with in_channels=1 and drop the channel axis."
        )


# Lengths are in 1/128 of the side from the middle. The circles end before the rim of the face, which glares.
_CIRCLES = np.arange(4.0, 57.0, 2.0)
_TURN = 360
_OFF_MIDDLE = (-1.5, 0.0, 1.5)
# Grey levels, relative to the photo's mean, that count as fully dark and as not dark at all.
_FULLY_DARK, _NOT_DARK = 0.3, 0.55

# The faces in order: the pips, none for the logo, and the degrees after which a face looks the same, 0 for any turn.
_RISING, _FALLING, _MIDDLE = ((28.9, -28.9), (-28.9, 28.9)), ((-28.9, -28.9), (28.9, 28.9)), ((0.0, 0.0),)
_PIPS = (_MIDDLE, _RISING, _RISING + _MIDDLE, _RISING + _FALLING, _RISING + _FALLING + _MIDDLE, ())
_RADIUS = 12.7
_PERIODS = np.array([0, 180, 180, 90, 90, 360])


def _match(photos: NDArray[np.uint8]) -> NDArray[np.float64]:
    """By how many degrees to turn each photo: (N,)."""
    spectra = _spectra(_darkness(_unrolled(photos)))
    # For each frequency: (N, circles) @ (circles, references).
    products = np.matmul(np.ascontiguousarray(spectra.transpose(2, 0, 1)), _references())
    correlation = np.fft.irfft(products.transpose(1, 2, 0), _TURN, axis=2)
    reference, degree = np.divmod(correlation.reshape(len(photos), -1).argmax(1), _TURN)
    photo = np.arange(len(photos))
    before, peak, after = (correlation[photo, reference, (degree + step) % _TURN] for step in (-1, 0, 1))
    # A photo without marks correlates with nothing, and its parabola is flat.
    turn = -(degree + 0.5 * (after - before) / np.maximum(2 * peak - before - after, 1e-6))
    # Products of other batches round otherwise in the last digits; what follows shall not depend on the batch.
    turn = turn.round(2)
    period = _PERIODS[reference % len(_PIPS)]
    return np.where(period > 0, (turn + 45) % np.maximum(period, 1) - 45, 0.0)


def _unrolled(photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The grey levels on the circles at each degree, counter-clockwise from the right: (N, circles, 360)."""
    flat = np.ascontiguousarray(photos.reshape(len(photos), -1).T, dtype=np.float32)
    samples = _circle_matrix(photos.shape[1]) @ flat
    return np.ascontiguousarray(samples.T).reshape(len(photos), len(_CIRCLES), _TURN)


@lru_cache(maxsize=4)
def _circle_matrix(size: int) -> sparse.csr_array:
    """Flat photo -> its bilinear samples on the circles."""
    radians = np.deg2rad(np.arange(_TURN))
    radius = _CIRCLES[:, None] * size / 128
    x, y = (size - 1) / 2 + radius * np.cos(radians), (size - 1) / 2 - radius * np.sin(radians)
    column, row = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, down = x - column, y - row
    first = row * size + column
    indices = np.stack([first, first + 1, first + size, first + size + 1], axis=-1).reshape(-1)
    weights = np.stack([(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down], axis=-1)
    starts = np.arange(0, len(indices) + 1, 4)
    return sparse.csr_array((weights.reshape(-1).astype(np.float32), indices, starts), shape=(first.size, size * size))


def _darkness(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 on the white of the die, 1 on its marks, with a ramp between."""
    mean = np.maximum(grey.mean((1, 2), keepdims=True), 1.0)
    return np.clip((_NOT_DARK - grey / mean) / (_NOT_DARK - _FULLY_DARK), 0, 1)


def _spectra(darkness: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Fourier transform along the circles, of mean 0 and norm 1 over the disk: (N, circles, 181)."""
    # A circle stands for an area that grows with its radius.
    area = (_CIRCLES / _CIRCLES.mean()).astype(np.float32)[:, None]
    centred = (darkness - (darkness * area).mean((1, 2), keepdims=True)) * np.sqrt(area)
    norm = np.sqrt(np.square(centred).sum((1, 2), keepdims=True))
    return np.fft.rfft(centred / np.maximum(norm, 1e-6), axis=2).astype(np.complex64)


@lru_cache(maxsize=1)
def _references() -> NDArray[np.complex64]:
    """Conjugate spectra of the drawn faces, each at nine places, the face fastest: (181, circles, 54)."""
    x, y = pixels(128)
    drawings = []
    for right, down in itertools.product(_OFF_MIDDLE, _OFF_MIDDLE):
        for pips in _PIPS:
            if pips:
                away = [np.hypot(x - 64 - right - pip_x, y - 64 - down - pip_y) for pip_x, pip_y in pips]
                distance = np.min(away, axis=0) - _RADIUS
            else:
                distance = logo_distance(Logo(64 + right, 64 + down, 0.0, 1.0), x, y)
            drawings.append(255 * np.clip(0.5 + distance, 0, 1))
    spectra = _spectra(1 - _unrolled(np.rint(drawings).astype(np.uint8)) / 255)
    return np.ascontiguousarray(spectra.conj().transpose(2, 1, 0))


def _turned_smoothly(photos: NDArray[np.uint8], degrees: NDArray[np.float64]) -> NDArray[np.uint8]:
    radians = torch.from_numpy(np.deg2rad(degrees)).to(torch.float32)
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    matrix = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    images = torch.from_numpy(np.ascontiguousarray(photos))[:, None].to(torch.float32)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    smooth = F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return smooth[:, 0].round().clamp(0, 255).to(torch.uint8).numpy()
