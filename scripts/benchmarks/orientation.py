"""Turning dice upright."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.baselines.dark_ray import DarkRayUpright
from anodice.baselines.rotation import DARK, turned
from anodice.dice.orientation import disk
from anodice.dice.renderer import CLASSES, render
from anodice.errors import AnodiceError
from benchmarks.rows import Row, row


@row("orientation")
def orientation() -> Row:
    """The dark ray's angle per photo: 360 rotations with Pillow and counting, against the search over a batch."""
    generator = np.random.default_rng(0)
    photos = np.stack([render(CLASSES[i % len(CLASSES)], generator).image for i in range(256)])
    ours = DarkRayUpright()
    few = photos[: len(CLASSES)]
    # Pillow turns with another arithmetic, so the angles are compared with a loop over our own rotation.
    looped = [_loop(photo, lambda masked, angle: turned(masked[None], np.array([float(angle)]))[0]) for photo in few]
    if not np.array_equal(ours.angles(photos)[: len(few)], looped):
        raise AnodiceError("the batched search gives other angles than the loop; that is a bug, please report it.")

    def pillow(masked: NDArray[np.uint8], angle: int) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(masked).rotate(angle, Image.Resampling.BILINEAR, center=(64, 64)))

    return Row(
        usual=lambda: [_loop(photo, pillow) for photo in few],
        usual_items=len(few),
        ours=lambda: ours.angles(photos),
        our_items=len(photos),
    )


def _loop(photo: NDArray[np.uint8], rotate: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]) -> int:
    """The angle that `DarkRayUpright` means, by turning the photo to each."""
    size = len(photo)
    masked = np.where(disk(size), photo, np.uint8(255))
    best = best_angle = 0
    for angle in range(360):
        dark = rotate(masked, angle)[:, : size // 2] < DARK
        if np.count_nonzero(dark[size // 2 :]) > np.count_nonzero(dark[: size // 2]):
            continue
        score = np.count_nonzero(dark[size // 2])
        if score > best:
            best, best_angle = score, angle
    return best_angle
