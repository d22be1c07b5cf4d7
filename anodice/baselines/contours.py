"""Comparing the contours of photos: the class that contours pick, and a plain correlation with its template.

OpenCV finds and draws the contours: it is part of the extra `baselines`.
"""

from __future__ import annotations

import random
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anodice.baselines.comparisons import NCC, PlainNCC, running_template
from anodice.errors import AnodiceError
from anodice.scoring.optional import optional

LEVEL = 127
"""Brighter is white, before edges are looked for."""
EDGES = (500, 1000)
"""Of Canny's hysteresis."""
SEED = 12345
"""Of the colours."""


class Contours(PlainNCC):
    """1 - normalised cross-correlation of whole photos, with the class whose contours resemble those of the photo most.

    An earlier project drew the contours of what is inside the disk of the die, each in a colour of its own, and took
    the class whose template's drawing correlated most with the photo's. A photo was normal down to the floor of that
    class: the least correlation of its normal photos. The floor was that of masked photos (`NCC`), though whole ones
    are compared with it, and so it is here. Templates are those of `AbsDiff`.
    """

    limited: ClassVar[bool] = True
    sequential: ClassVar[bool] = True

    def __init__(self) -> None:
        self._masked = NCC()

    def template_of(self, photos: Tensor) -> Tensor:
        return running_template(photos)

    def matches(self, images: Tensor, templates: Tensor) -> Tensor:
        ours, theirs = self._drawn(images), self._drawn(templates)
        return (1 - ours @ theirs.T).to(images)

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        values, classes, _ = self.assess(images, templates)
        return values, classes

    def assess(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        classes = self.matches(images, templates).argmin(1)
        maps = self.maps(images, templates[classes])
        return maps.mean((1, 2, 3)), classes, maps

    def for_limits(self, images: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        return self._masked.for_limits(self._masked.prepare(images), self._masked.prepare(templates), classes)

    def _drawn(self, images: Tensor) -> Tensor:
        """Drawings, centred by channel and of length 1, so that products are correlations: (N, 3 H W) float64."""
        if torch.compiler.is_exporting():
            raise AnodiceError(
                "expected a comparison that a graph can hold, got contours, which OpenCV draws; export another "
                "model.comparison."
            )
        photos = (self._masked.prepare(images) * 255).round().to(torch.uint8).cpu().numpy()[:, 0]
        drawings = torch.from_numpy(np.stack([drawing(photo) for photo in photos])).double().flatten(1, 2)
        flat = (drawings - drawings.mean(1, keepdim=True)).flatten(1)
        return flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-6)


def drawing(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The contours of a grey photo (H, W), two pixels thick, each in a random colour: (H, W, 3).

    The colours begin anew with each photo, so that equal photos have equal drawings.

    Raises:
        AnodiceError: OpenCV is not installed.
    """
    cv2 = optional("cv2", "OpenCV", "model.comparison=contours")
    edges = cv2.Canny(np.where(photo > LEVEL, np.uint8(255), np.uint8(0)), *EDGES)
    contours, hierarchy = cv2.findContours(edges, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    colours, canvas = random.Random(SEED), np.zeros((*photo.shape, 3), dtype=np.uint8)
    for k in range(len(contours)):
        colour = tuple(colours.randint(0, 256) for _ in range(3))
        cv2.drawContours(canvas, contours, k, colour, 2, cv2.LINE_8, hierarchy, 0)
    return canvas
