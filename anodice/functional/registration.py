"""Which pictures are shifted, turned or re-encoded copies of others: candidates first, then one laid onto the other.

Photos of one face look very much alike although they are distinct, so likeness alone says little. What tells a copy is
that nothing is left when the two are laid onto each other: in a copy the light moves with the object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anodice.functional.windows import gaussian_taps

SIDE = 128
"""Side in pixels of the pictures that are compared; shifts are told in these pixels."""

# Everything below is in pixels of half that side. The constants were chosen on real training photos of dice and copies
# planted among them: no copy differed by more than 2.9 grey levels, no two photos of different days by less than 3.1;
# a die that lies a quarter further differs by 2.5, a copy turned and re-encoded by less.
_HALF = SIDE // 2
_REACH = 4  # steps of half a pixel: copies are shifted by up to 2 pixels along each axis
_RADII = torch.arange(2, 26, 2, dtype=torch.float32)
_ANGLES = 64
_HARMONICS = 24
_STEPS = 512  # of the search for the angle
_COMPONENTS = 64
_ENOUGH = 256  # pictures to tell what they have in common
_LIKENESS = 0.85
_POLAR_DISTANCE = 6.5  # grey levels
_ROUGH_DIFFERENCE = 8.0  # after the first iterations
_LARGEST_DIFFERENCE = 2.9  # grey levels
_LARGEST_TURNED = 2.2  # of those turned farther than
_SMALL_ANGLE = math.radians(6)
_LEAST_CORRELATION = 0.9
_DISK = 25
_ROUGH_ITERATIONS, _ITERATIONS = 2, 4
_SPARSE = 2  # the first iterations look at every second pixel of every second row
_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of pictures of which one is a copy of the other, P in all.

    Attributes:
        first, second: (P,) int64, positions of the pictures, first < second.
        angle: (P,) by which the second is turned against the first, in degrees of (-180, 180].
        shift: (P, 2) by which it is shifted, x and y, in pixels of `SIDE`.
        difference: (P,) largest difference that is left, in grey levels of 0..255, smoothed; 0 for equal pictures.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    angle: NDArray[np.float32]
    shift: NDArray[np.float32]
    difference: NDArray[np.float32]


def find_copies(pictures: NDArray[np.uint8], *, tell: Callable[[float], None] = lambda done: None) -> Copies:
    """Pairs of pictures that show the same photo, re-encoded (JPEG quality 30 and above), shifted by up to 4 pixels
    along each axis, turned by a quarter, a half or up to 6 degrees; or two frames between which nothing moved.

    The time grows with the square of the number of pictures: about twenty seconds for 6,500 on one core.

    Args:
        pictures: (N, 128, 128) grey.
        tell: called with the share of the work that is done, rising to 1.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # many small steps: a piece of them for each thread, which wait for nobody then
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return _find_copies(_halved(pictures), pool, tell)
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def _find_copies(halved: Tensor, pool: ThreadPoolExecutor, tell: Callable[[float], None]) -> Copies:
    coarse, smooth = _smooth(halved, 1.5), _smooth(halved, 2.0)
    shifts = _shifts()
    first, second, nearest = _candidates(coarse, shifts, partial(_each, pool, tell=lambda done: tell(done / 2)))
    distance, angle = _turns(coarse, first, second, nearest, shifts)
    keep = distance < _POLAR_DISTANCE
    candidates = first[keep], second[keep], _start(angle[keep], shifts[nearest[keep]])
    laid = partial(_laid_on_each_other, coarse, smooth, *candidates)
    rows = torch.arange(len(candidates[0])).split(256)
    found = _each(pool, laid, rows, tell=lambda done: tell((1 + done) / 2))
    first, second, angle, right, down, difference = (torch.cat(found) if found else torch.empty(0, 6)).double().T
    swapped = first > second  # told the other way round
    cos, sin = torch.cos(angle), torch.sin(angle)
    back = -torch.stack([cos * right + sin * down, cos * down - sin * right], 1)
    turned = torch.rad2deg(torch.where(swapped, -angle, angle))
    return Copies(
        first=torch.minimum(first, second).long().numpy(),
        second=torch.maximum(first, second).long().numpy(),
        angle=(180 - (180 - turned) % 360).float().numpy(),
        shift=(2 * torch.where(swapped[:, None], back, torch.stack([right, down], 1))).float().numpy(),
        difference=difference.float().numpy(),
    )


def _each(
    pool: ThreadPoolExecutor, task: Callable[[Any], Any], pieces: Iterable[Any], *, tell: Callable[[float], None]
) -> list[Any]:
    """What the task makes of each piece, in order."""
    waiting = [pool.submit(torch.inference_mode()(task), piece) for piece in pieces]
    for done, _ in enumerate(as_completed(waiting), start=1):
        tell(done / len(waiting))
    return [piece.result() for piece in waiting]


def _laid_on_each_other(
    coarse: Tensor, smooth: Tensor, first: Tensor, second: Tensor, start: Tensor, rows: Tensor
) -> Tensor:
    """The copies (P, 6) among some rows of the candidates: first, second, angle, right, down, difference."""
    i, j, pose = first[rows], second[rows], start[:, rows]
    few, points = _points(_SPARSE), _points(1)
    pose = _registered(coarse[i], coarse[j], pose, few, iterations=_ROUGH_ITERATIONS)
    near = _difference(smooth[i].flatten(1)[:, few], _warp(smooth[j], pose, few)) < _ROUGH_DIFFERENCE
    i, j, pose = i[near], j[near], pose[:, near]
    pose = _registered(coarse[i], coarse[j], pose, points, iterations=_ITERATIONS)
    fixed, laid = smooth[i].flatten(1)[:, points], _warp(smooth[j], pose, points)
    mean = _common(smooth).flatten()[points]
    difference = _difference(fixed, laid)
    small = torch.cos(pose[0]) > math.cos(_SMALL_ANGLE)
    good = difference < torch.where(small, _LARGEST_DIFFERENCE, _LARGEST_TURNED)
    good &= _correlation(fixed - mean, laid - mean) > _LEAST_CORRELATION
    return torch.stack([i, j, *pose, difference], 1)[good]


def likeness(
    pictures: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How alike pairs of pictures are as they lie, without laying one onto the other.

    Args:
        pictures: (N, 128, 128) grey.
        first, second: (P,) positions.

    Returns:
        (P,) correlations of what is left when the mean of all pictures is taken away, and (P,) largest differences in
        grey levels, both of smoothed pictures.
    """
    smooth = _smooth(_halved(pictures), 2.0)
    points, mean = smooth.flatten(1)[:, _points(1)], _common(smooth).flatten()[_points(1)]
    a, b = points[torch.from_numpy(first)], points[torch.from_numpy(second)]
    return _correlation(a - mean, b - mean).numpy(), _difference(a, b).numpy()


def _halved(pictures: NDArray[np.uint8]) -> Tensor:
    rows = pictures[:, ::2].astype(np.uint16) + pictures[:, 1::2]
    return torch.from_numpy((rows[..., ::2] + rows[..., 1::2]).astype(np.float32) / 4)


def _common(pictures: Tensor) -> Tensor:
    """What the pictures have in common, (H, W); a mean of very few would hold much of each."""
    return pictures.mean(0) if len(pictures) >= 8 else pictures.mean().expand(_HALF, _HALF)


def _shifts() -> Tensor:
    """The shifts to try, no shift first; one of each two that are opposite, since pairs are tried either way."""
    steps = range(-_REACH, _REACH + 1)
    tried = [(x / 2, y / 2) for x in steps for y in steps if (x, y) > (0, 0)]
    return torch.tensor([(0.0, 0.0), *tried])


def _smooth(pictures: Tensor, deviation: float) -> Tensor:
    """(N, H, W) blurred by a Gaussian."""
    radius = round(3 * deviation)
    taps = gaussian_taps(deviation, radius).view(1, 1, -1)
    # What the blur makes of each single pixel of a line: on many small pictures a product is faster than a convolution.
    blur = F.conv1d(F.pad(torch.eye(_HALF)[:, None], (radius, radius), mode="replicate"), taps)[:, 0]
    return torch.cat([blur.T @ rows @ blur for rows in pictures.split(_ROWS)])


def _spectra(pictures: Tensor, shift: Tensor) -> Tensor:
    """Fourier coefficients along circles about the shifted middle, (N, radii, harmonics) complex, in grey levels.

    Turning a picture changes their phases alone.
    """
    angles = torch.arange(_ANGLES) * (2 * math.pi / _ANGLES)
    x, y = _RADII[:, None] * torch.cos(angles) + shift[0], _RADII[:, None] * torch.sin(angles) + shift[1]
    grid = torch.stack([x, y], -1)[None] / (_HALF / 2)
    weight = (_RADII / (_RADII.sum() * _ANGLES)).sqrt()[:, None]
    spectra = []
    for rows in pictures.split(_ROWS):
        circles = F.grid_sample(rows[None], grid, align_corners=False, padding_mode="border")[0]
        spectra.append(torch.fft.rfft(circles * weight, dim=2, norm="ortho")[:, :, :_HARMONICS])
    return torch.cat(spectra)


def _candidates(
    pictures: Tensor, shifts: Tensor, each: Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs whose spectra are alike at some shift of the first: positions, and the number of the best shift.

    What all pictures have in common is taken away and what they differ in is weighed alike (whitening), which leaves
    few pairs of distinct photos.
    """
    count = len(pictures)

    def magnitudes(shift: Tensor) -> Tensor:
        return F.normalize(_spectra(pictures, shift).abs().flatten(1))

    plain = magnitudes(shifts[0])
    mean, whiten = torch.zeros(plain.shape[1]), torch.eye(plain.shape[1])
    if count >= _ENOUGH:  # few pictures are all compared
        mean = plain.mean(0)
        variances, axes = torch.linalg.eigh((plain - mean).T @ (plain - mean) / count)
        components = min(_COMPONENTS, count // 4)
        whiten = axes[:, -components:] / variances[-components:].clamp_min(1e-12).sqrt()
    fixed = F.normalize((plain - mean) @ whiten)

    def alike(number: int) -> tuple[Tensor, Tensor, Tensor]:
        """The pairs at a shift: their keys, how alike they are, and its number."""
        moved = F.normalize((magnitudes(shifts[number]) - mean) @ whiten)
        keys, scores = [], []
        for start in range(0, count, _ROWS):
            likeness = moved[start : start + _ROWS] @ fixed.T
            row, second = torch.nonzero(likeness > _LIKENESS, as_tuple=True)
            score, first = likeness[row, second], row + start
            apart = first != second
            low, high = torch.minimum(first, second)[apart], torch.maximum(first, second)[apart]
            # A pair tried with the second one moved is kept as (second, first): see the sign of the key.
            keys.append(torch.where((first > second)[apart], -(low * count + high), low * count + high))
            scores.append(score[apart])
        key = torch.cat(keys)
        return key, torch.cat(scores), torch.full((len(key),), number)

    key, score, tried = map(torch.cat, zip(*each(alike, range(len(shifts))), strict=True))
    order = torch.argsort(score, descending=True, stable=True)
    _, kept = np.unique(key[order].abs().numpy(), return_index=True)
    best = order[torch.from_numpy(kept)]
    low, high = key[best].abs() // count, key[best].abs() % count
    swapped = key[best] < 0
    return torch.where(swapped, high, low), torch.where(swapped, low, high), tried[best]


def _turns(pictures: Tensor, first: Tensor, second: Tensor, nearest: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """How far the pairs are apart at their shift and best angle, in grey levels, and that angle in radians."""
    fixed = _spectra(pictures, shifts[0])
    distance, angle = torch.empty(len(first)), torch.empty(len(first))
    for number, shift in enumerate(shifts):
        for rows in torch.nonzero(nearest == number)[:, 0].split(8 * _ROWS):
            used, back = first[rows].unique(return_inverse=True)
            moved, other = _spectra(pictures[used], shift)[back], fixed[second[rows]]
            products = torch.fft.irfft((moved.conj() * other).sum(1), n=_STEPS, norm="forward")
            best, step = products.max(1)
            distance[rows] = (_energy(moved) + _energy(other) - 2 * best).clamp_min(0).sqrt()
            angle[rows] = step * (2 * math.pi / _STEPS)
    return distance, angle


def _energy(spectra: Tensor) -> Tensor:
    """The squares of the circles that the spectra came from: each harmonic but the mean stands for two."""
    squares = spectra.abs().square()
    return 2 * squares.sum((1, 2)) - squares[:, :, 0].sum(1)


def _start(angle: Tensor, shift: Tensor) -> Tensor:
    """The pose (angle, right, down) that lays the second onto the first, whose circles lie shifted, (3, N)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y = shift.T
    return torch.stack([angle, sin * y - cos * x, -sin * x - cos * y])


def _registered(first: Tensor, second: Tensor, pose: Tensor, points: Tensor, *, iterations: int) -> Tensor:
    """The pose that lays the second pictures onto the first at these points, (3, N), from a near one.

    Gauss-Newton on the squared differences (Baker and Matthews 2004, the inverse compositional algorithm).
    """
    x, y = _coordinates(points)
    flat = first.flatten(1)
    slope_x = (flat[:, points + 1] - flat[:, points - 1]) / 2
    slope_y = (flat[:, points + _HALF] - flat[:, points - _HALF]) / 2
    arm = 20.0  # an angle moves this far, so that all three unknowns are of one size
    slopes = torch.stack([slope_x, slope_y, (x * slope_y - y * slope_x) / arm], 1)
    solve = torch.linalg.inv(slopes @ slopes.transpose(1, 2) + torch.eye(3)) @ slopes
    fixed, (angle, right, down) = flat[:, points], pose
    for _ in range(iterations):
        left = fixed - _warp(second, torch.stack([angle, right, down]), points)
        move_x, move_y, turn = (solve @ left[..., None])[..., 0].T
        cos, sin = torch.cos(angle), torch.sin(angle)
        right = right + cos * move_x - sin * move_y
        down = down + sin * move_x + cos * move_y
        angle = angle + turn / arm
    return torch.stack([angle, right, down])


def _warp(pictures: Tensor, pose: Tensor, points: Tensor) -> Tensor:
    """(N, H, W) read at points (P,) that are turned about the middle and then shifted, (N, P)."""
    x, y = _coordinates(points)
    angle, right, down = pose[:, :, None] / torch.tensor([1.0, _HALF / 2, _HALF / 2])[:, None, None]
    cos, sin = torch.cos(angle) / (_HALF / 2), torch.sin(angle) / (_HALF / 2)
    grid = torch.stack([cos * x - sin * y + right, sin * x + cos * y + down], -1)[:, None]
    return F.grid_sample(pictures[:, None], grid, align_corners=False, padding_mode="border")[:, 0, 0]


def _difference(first: Tensor, second: Tensor) -> Tensor:
    """The largest difference of the points of pictures (N, P), (N,)."""
    return (first - second).abs().amax(1)


def _coordinates(points: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of points (P,), from the middle."""
    middle = (_HALF - 1) / 2
    return points % _HALF - middle, points // _HALF - middle


@cache
def _points(step: int) -> Tensor:
    """The pixels where pictures are compared, counted row by row, (P,): what lies farther out a shift may move away.

    Args:
        step: 1 for all of them, 2 for every second one of every second row.
    """
    line = torch.arange(_HALF) - (_HALF - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    inside = x.square() + y.square() < _DISK**2
    chosen = torch.zeros_like(inside)
    chosen[::step, ::step] = inside[::step, ::step]
    return torch.nonzero(chosen.flatten())[:, 0]


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """(N,) of points (N, P)."""
    return F.cosine_similarity(first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True))
