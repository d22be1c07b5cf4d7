"""Comparing the spectrum of each photo's rows with the mean spectrum of each class: no gradients, one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from anodice.baselines.spectra import fourier_distances, fourier_map, row_spectrum
from anodice.baselines.template import first_for_missing
from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.models.detector import Detector, Scored
from anodice.scoring.grounds import Grounds


class Fourier(Detector):
    """The Fourier distance of a photo from the class that it is nearest to. Colour is turned to grey.

    Args:
        classes: names of the classes.
        normalise: divide by the largest distance that a photo of the class had among those the detector learned from;
            1 is then the rule of an earlier project, which raises no alarm on its own photos.
    """

    def __init__(self, *, classes: Sequence[str], normalise: bool, image_size: int, in_channels: int) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        self.classes, self.normalise = tuple(classes), normalise
        _, height, width = row_spectrum(torch.zeros(1, 1, image_size, image_size)).shape
        self.register_buffer("spectra", torch.zeros(len(classes), height, width))
        self.register_buffer("photos", torch.zeros(len(classes), dtype=torch.int64))
        self.register_buffer("largest", torch.zeros(len(classes)))

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        sums = torch.zeros_like(self.spectra)
        self.photos.zero_()
        for batch in fitted:
            sums.index_add_(0, batch["class"], _spectra(batch["image"]))
            self.photos.index_add_(0, batch["class"], torch.ones_like(batch["class"]))
        self.spectra.copy_(sums / self.photos.clamp_min(1)[:, None, None])
        self.largest.zero_()
        for batch in fitted:
            distances, _ = self._nearest(_spectra(batch["image"]))
            self.largest.scatter_reduce_(0, batch["class"], distances, "amax")

    @property
    def is_fitted(self) -> bool:
        return bool(self.photos.any())

    @property
    def keeps_limits(self) -> bool:
        return not self.normalise

    @property
    def limits(self) -> dict[str, float]:
        return {name: value for name, value in zip(self.classes, self.largest.tolist(), strict=True) if value > 0}

    def assess(self, images: Tensor) -> Scored:
        spectra = _spectra(images)
        distances, classes = self._nearest(spectra)
        scores = distances.double()
        if self.normalise:
            scores = scores / self.largest[classes].clamp_min(1e-12).double()
        maps = fourier_map(spectra, self.spectra[classes], image_size=(self.image_size, self.image_size))
        return Scored(maps, scores, classes)

    def grounds(self, images: Tensor) -> Grounds[Tensor]:
        there = self.photos > 0
        distances = images.new_full((len(images), len(self.classes)), torch.nan)
        distances[:, there] = fourier_distances(_spectra(images), self.spectra[there])
        units = self.largest.clamp_min(1e-12) if self.normalise else torch.ones_like(self.largest)
        return Grounds(distances=distances, units=units)

    def describe(self) -> str:
        return f"Fourier: {len(self.classes)} classes; nothing is trained by gradients"

    def _nearest(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to the nearest class that has photos (N,), and that class (N,) int64."""
        if torch.compiler.is_exporting():
            there = first_for_missing(self.photos)
            distances, picked = fourier_distances(spectra, self.spectra[there]).min(1)
            return distances, there[picked]
        there = self.photos.nonzero()[:, 0]
        if len(there) == 0:
            raise AnodiceError("expected spectra to compare with, got none; train the detector first.")
        distances, picked = fourier_distances(spectra, self.spectra[there]).min(1)
        return distances, there[picked]


def _spectra(images: Tensor) -> Tensor:
    return row_spectrum(images.mean(1, keepdim=True))
