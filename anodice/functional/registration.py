"""Which pictures are shifted, turned or re-encoded copies of others: candidates first, then one laid onto the other.

Photos of one face look very much alike although they are distinct, so likeness alone says little. What tells a copy is
that nothing is left when the two are laid onto each other: in a copy the light moves with the object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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


def find_copies(pictures: NDArray[np.uint8]) -> Copies:
    """Pairs of pictures that show the same photo, re-encoded (JPEG quality 30 and above), shifted by up to 4 pixels
    along each axis, turned by a quarter, a half or up to 6 degrees; or two frames between which nothing moved.

    The time grows with the square of the number of pictures: about half a minute for 6,500 on one core.

    Args:
        pictures: (N, 128, 128) grey.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # many small steps: threads wait for each other longer than they work
    try:
        return _find_copies(_halved(pictures))
    finally:
        torch.set_num_threads(threads)


def _find_copies(halved: Tensor) -> Copies:
    coarse, smooth = _smooth(halved, 1.5), _smooth(halved, 2.0)
    shifts = _shifts()
    first, second, nearest = _candidates(coarse, shifts)
    distance, angle = _turns(coarse, first, second, nearest, shifts)
    keep = distance < _POLAR_DISTANCE
    first, second, angle, shift = first[keep], second[keep], angle[keep], shifts[nearest[keep]]
    mean = _common(smooth)
    found = []
    for rows in torch.arange(len(first)).split(256):
        i, j, pose = first[rows], second[rows], _start(angle[rows], shift[rows])
        pose = _registered(coarse[i], coarse[j], pose, iterations=_ROUGH_ITERATIONS)
        near = _difference(smooth[i], _warp(smooth[j], pose)) < _ROUGH_DIFFERENCE
        i, j, pose = i[near], j[near], pose[:, near]
        pose = _registered(coarse[i], coarse[j], pose, iterations=_ITERATIONS)
        laid = _warp(smooth[j], pose)
        difference = _difference(smooth[i], laid)
        small = torch.cos(pose[0]) > math.cos(_SMALL_ANGLE)
        good = difference < torch.where(small, _LARGEST_DIFFERENCE, _LARGEST_TURNED)
        good &= _correlation(smooth[i] - mean, laid - mean) > _LEAST_CORRELATION
        found.append(torch.stack([i, j, *pose, difference], 1)[good])
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
    a, b = smooth[torch.from_numpy(first)], smooth[torch.from_numpy(second)]
    mean = _common(smooth)
    return _correlation(a - mean, b - mean).numpy(), _difference(a, b).numpy()


def _halved(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures.reshape(-1, _HALF, 2, _HALF, 2).mean((2, 4), dtype=np.float32))


def _common(pictures: Tensor) -> Tensor:
    """What the pictures have in common; a mean of very few would hold much of each."""
    return pictures.mean(0) if len(pictures) >= 8 else pictures.mean()


def _shifts() -> Tensor:
    """The shifts to try, no shift first; one of each two that are opposite, since pairs are tried either way."""
    steps = range(-_REACH, _REACH + 1)
    tried = [(x / 2, y / 2) for x in steps for y in steps if (x, y) > (0, 0)]
    return torch.tensor([(0.0, 0.0), *tried])


def _smooth(pictures: Tensor, deviation: float) -> Tensor:
    """(N, H, W) blurred by a Gaussian."""
    radius = round(3 * deviation)
    kernel = gaussian_taps(deviation, radius)
    blurred = []
    for rows in pictures.split(_ROWS):
        padded = F.pad(rows[:, None], (radius,) * 4, mode="replicate")
        along = F.conv2d(padded, kernel.view(1, 1, 1, -1))
        blurred.append(F.conv2d(along, kernel.view(1, 1, -1, 1))[:, 0])
    return torch.cat(blurred)


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


def _candidates(pictures: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
    keys, scores, numbers = [], [], []
    for number, shift in enumerate(shifts):
        moved = F.normalize((magnitudes(shift) - mean) @ whiten)
        for start in range(0, count, _ROWS):
            likeness = moved[start : start + _ROWS] @ fixed.T
            row, second = torch.nonzero(likeness > _LIKENESS, as_tuple=True)
            score, first = likeness[row, second], row + start
            apart = first != second
            low, high = torch.minimum(first, second)[apart], torch.maximum(first, second)[apart]
            # A pair tried with the second one moved is kept as (second, first): see the sign of the key.
            swapped = (first > second)[apart]
            keys.append(torch.where(swapped, -(low * count + high), low * count + high))
            scores.append(score[apart])
            numbers.append(torch.full((len(low),), number))
    key, score, tried = torch.cat(keys), torch.cat(scores), torch.cat(numbers)
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


def _registered(first: Tensor, second: Tensor, pose: Tensor, *, iterations: int) -> Tensor:
    """The pose that lays the second pictures onto the first, (3, N), from a near one.

    Gauss-Newton on the squared differences (Baker and Matthews 2004, the inverse compositional algorithm).
    """
    x, y = _coordinates()
    slope_x = F.pad(first[:, :, 2:] - first[:, :, :-2], (1, 1)) / 2
    slope_y = F.pad(first[:, 2:] - first[:, :-2], (0, 0, 1, 1)) / 2
    arm = 20.0  # an angle moves this far, so that all three unknowns are of one size
    slopes = (torch.stack([slope_x, slope_y, (x * slope_y - y * slope_x) / arm], 1) * _disk()).flatten(2)
    solve = torch.linalg.inv(slopes @ slopes.transpose(1, 2) + torch.eye(3)) @ slopes
    angle, right, down = pose
    for _ in range(iterations):
        left = (first - _warp(second, torch.stack([angle, right, down]))).flatten(1)
        move_x, move_y, turn = (solve @ left[..., None])[..., 0].T
        cos, sin = torch.cos(angle), torch.sin(angle)
        right = right + cos * move_x - sin * move_y
        down = down + sin * move_x + cos * move_y
        angle = angle + turn / arm
    return torch.stack([angle, right, down])


def _warp(pictures: Tensor, pose: Tensor) -> Tensor:
    """(N, H, W) read at points that are turned about the middle and then shifted."""
    x, y = _coordinates()
    angle, right, down = pose[:, :, None, None]
    cos, sin = torch.cos(angle), torch.sin(angle)
    grid = torch.stack([cos * x - sin * y + right, sin * x + cos * y + down], -1)
    return F.grid_sample(pictures[:, None], grid / (_HALF / 2), align_corners=False, padding_mode="border")[:, 0]


def _difference(first: Tensor, second: Tensor) -> Tensor:
    """The largest difference of pictures (N, H, W) within the disk, (N,)."""
    return ((first - second) * _disk()).abs().amax((1, 2))


def _coordinates() -> tuple[Tensor, Tensor]:
    """x and y from the middle, (H, W) each."""
    line = torch.arange(_HALF) - (_HALF - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x, y


def _disk() -> Tensor:
    """One where the pictures are compared, (H, W): what lies farther out a shift may have moved out of the photo."""
    x, y = _coordinates()
    return (x.square() + y.square() < _DISK**2).float()


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """(N,) of pictures (N, H, W) within the disk."""
    inside = _disk().bool()
    a, b = first[:, inside], second[:, inside]
    return F.cosine_similarity(a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True))
