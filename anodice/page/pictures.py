"""Grey levels as pictures of one size, so that photo, reconstruction, map and template stand side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.prediction.prediction import Prediction

SIDE = 384


def picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """(H, W, C) -> an RGB picture; C is 1 or 3."""
    return enlarged(Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))))


def overlay(prediction: Prediction) -> Image.Image:
    """The map over the photo, with the regions."""
    return enlarged(prediction.overlay())


def enlarged(image: Image.Image) -> Image.Image:
    """At the size of all pictures."""
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
