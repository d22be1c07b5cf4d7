"""Comparing each photo with the mean photo of each class: no gradients, one pass over the photos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from anodice.baselines.comparisons import (
    MSE,
    MSSSIM,
    NCC,
    SSIM,
    AbsDiff,
    Comparison,
    DarkBand,
    PixelCount,
    PlainNCC,
    WrappedMSE,
)
from anodice.baselines.contours import Contours
from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError, unknown
from anodice.models.detector import Detector, Scored
from anodice.scoring.class_scale import ClassScale, OwnOtherScale, QuantileScale
from anodice.scoring.grounds import Grounds

COMPARISONS: dict[str, type[Comparison]] = {
    "mse": MSE,
    "wrapped_mse": WrappedMSE,
    "pixel_count": PixelCount,
    "ssim": SSIM,
    "ms_ssim": MSSSIM,
    "ncc": NCC,
    "plain_ncc": PlainNCC,
    "contours": Contours,
    "absdiff": AbsDiff,
    "dark_band": DarkBand,
}
"""The comparisons by name."""

FAR_FROM = ("all", "any")

_TILE = 64
"""Photos that are compared at a time on a CPU."""


class Template(Detector):
    """The distance of a photo from the template of the class that it fits best.

    Colour is turned to grey. A class without photos has no template, and no photo is taken for it.

    Args:
        comparison: one of `COMPARISONS`.
        classes: names of the classes.
        own_other: divide the distance to each class by this multiple of (mean distance of the class's own photos + mean
            distance of the others' photos), an earlier project's threshold for each class; None to leave it. The class
            is then the one with the least quotient.
        far_from: with `own_other`, `all`: the score is the least quotient, so that at 1 a photo is anomalous that is
            beyond the threshold of every class; `any`: the largest, so that one class suffices.
        class_quantile: divide it by this quantile of the distances of the class's held-out normals instead; None to
            leave it.
    """

    def __init__(
        self,
        *,
        comparison: str,
        classes: Sequence[str],
        own_other: float | None = None,
        far_from: str = "all",
        class_quantile: float | None = None,
        image_size: int,
        in_channels: int,
    ) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        if comparison not in COMPARISONS:
            raise unknown("comparison", comparison, COMPARISONS)
        if far_from not in FAR_FROM:
            raise unknown("model.far_from", far_from, FAR_FROM)
        if far_from == "any" and own_other is None:
            raise AnodiceError(
                "expected model.own_other beside model.far_from=any, which compares thresholds of several classes, got "
                "none; set model.own_other=0.75, or model.far_from=all."
            )
        self.comparison, self.classes = comparison, tuple(classes)
        self.own_other, self.far_from, self.class_quantile = own_other, far_from, class_quantile
        self.compare_by = COMPARISONS[comparison]()
        scaled = own_other is not None or class_quantile is not None
        if own_other is not None and class_quantile is not None:
            raise AnodiceError("expected one of model.own_other and model.class_quantile, got both; set one to null.")
        if scaled and self.compare_by.banded:
            raise AnodiceError(
                f"expected no model.own_other nor model.class_quantile with {comparison}, which has a band of its own "
                "for each class; set them to null."
            )
        self.scale: ClassScale | None = None
        if own_other is not None:
            self.scale = OwnOtherScale(classes=len(classes), coefficient=own_other)
        if class_quantile is not None:
            self.scale = QuantileScale(classes=len(classes), q=class_quantile)
        self.register_buffer("templates", torch.zeros(len(classes), 1, image_size, image_size))
        self.register_buffer("photos", torch.zeros(len(classes), dtype=torch.int64))
        self.register_buffer("low", torch.zeros(len(classes)))
        self.register_buffer("high", torch.zeros(len(classes)))

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.photos.zero_()
        for batch in fitted:
            self.photos.index_add_(0, batch["class"], torch.ones_like(batch["class"]))
        if self.compare_by.sequential:
            self._fit_in_order(fitted)
        else:
            self._fit_means(fitted)
        if self.compare_by.banded:
            self._fit_bands(fitted)
        if self.compare_by.limited:
            self._fit_limits(fitted)
        if isinstance(self.scale, OwnOtherScale):
            self.scale.fit(*self._distances(fitted))
        if isinstance(self.scale, QuantileScale):
            pairs = (self._compare(self.compare_by.prepare(_grey(batch["image"]))) for batch in held_out)
            self.scale.fit_to_batches(list(pairs))

    def assess(self, images: Tensor) -> Scored:
        # A few at a time: what lies between the photos and their maps stays in the cache.
        there = self._there()
        if torch.compiler.is_exporting():  # a graph has no loops over batches
            values, picked, maps = self._assess(self.compare_by.prepare(_grey(images)), there)
            return self._scored(values, there[picked], maps)
        parts = images.split(_TILE if images.device.type == "cpu" else len(images))
        maps, start, found = images.new_empty(len(images), 1, *images.shape[2:]), 0, []
        for part in parts:
            prepared = self.compare_by.prepare(_grey(part))
            values, picked, maps[start : start + len(part)] = self._assess(prepared, there)
            start += len(part)
            found.append((values, there[picked]))
        return self._scored(*(torch.cat(column) for column in zip(*found, strict=True)), maps)

    @property
    def keeps_limits(self) -> bool:
        return self.compare_by.limited and self.scale is None

    @property
    def limits(self) -> dict[str, float]:
        return {name: value for name, value in zip(self.classes, self.high.tolist(), strict=True) if value > 0}

    def _scored(self, values: Tensor, classes: Tensor, maps: Tensor) -> Scored:
        if self.compare_by.banded:
            values = self.compare_by.score(values, self.low[classes], self.high[classes])
        scores = values.double()
        return Scored(maps, self.scale(scores, classes) if isinstance(self.scale, QuantileScale) else scores, classes)

    def _assess(self, prepared: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`Comparison.assess` with the templates that there are; quotients where each class has a threshold."""
        templates = self.templates[there]
        if not isinstance(self.scale, OwnOtherScale):
            return self.compare_by.assess(prepared, templates)
        quotients = self.compare_by.distances(prepared, templates).double() / self.scale.scale[there]
        values, picked = quotients.min(1)
        if self.far_from == "any":
            values = quotients.amax(1)
        return values, picked, self.compare_by.maps(prepared, templates[picked])

    def grounds(self, images: Tensor) -> Grounds[Tensor]:
        prepared, there = self.compare_by.prepare(_grey(images)), self._there()
        found = self.compare_by.distances(prepared, self.templates[there])
        if self.compare_by.banded:
            values, _ = self._compare(prepared)
            found = self.compare_by.score(values[:, None], self.low[there], self.high[there])
        distances = found.new_full((len(images), len(self.classes)), torch.nan)
        distances[:, there] = found
        units = torch.ones_like(self.low) if self.scale is None else self.scale.scale
        return Grounds(templates=self.templates[self.assess(images).classes], distances=distances, units=units)

    def describe(self) -> str:
        how = type(self.compare_by).__name__
        return f"Template: {len(self.classes)} classes compared by {how}; nothing is trained by gradients"

    @property
    def is_fitted(self) -> bool:
        return bool(self.photos.any())

    def _compare(self, prepared: Tensor) -> tuple[Tensor, Tensor]:
        """The comparison with the templates that there are; classes count all of them."""
        there = self._there()
        values, picked = self.compare_by.compare(prepared, self.templates[there])
        return values, there[picked]

    def _there(self) -> Tensor:
        """The classes that have a template."""
        if torch.compiler.is_exporting():
            return first_for_missing(self.photos)
        there = self.photos.nonzero()[:, 0]
        if len(there) == 0:
            raise AnodiceError("expected templates to compare with, got none; train the detector first.")
        return there

    def _distances(self, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """Distances (N, K) to all templates, and the true classes (N,)."""
        prepared = ((self.compare_by.prepare(_grey(batch["image"])), batch["class"]) for batch in batches)
        found = [(self.compare_by.distances(images, self.templates), classes) for images, classes in prepared]
        distances, classes = (torch.cat(column) for column in zip(*found, strict=True))
        return distances, classes

    def _fit_means(self, batches: Iterable[Batch]) -> None:
        """Templates of the mean photos. Summed in double precision: a mean must not lose a level to its last digit."""
        sums = torch.zeros(self.templates.shape, dtype=torch.float64)
        for batch in batches:
            sums.index_add_(0, batch["class"].cpu(), _grey(batch["image"]).cpu().double())
        there = self.photos > 0
        means = sums[there.cpu()] / self.photos[there].cpu()[:, None, None, None]
        self.templates[there] = self.compare_by.template(means).to(self.templates)

    def _fit_in_order(self, batches: Iterable[Batch]) -> None:
        """Templates of the photos one after the other, in the order of the records."""
        found = []
        for batch in batches:
            places = batch.get("index", torch.arange(len(batch["image"])) + sum(len(part[0]) for part in found))
            found.append((places.cpu(), batch["class"].cpu(), (_grey(batch["image"]) * 255).round().to(torch.uint8)))
        places, classes, photos = (torch.cat(column) for column in zip(*found, strict=True))
        order = places.argsort(stable=True)
        for k in classes.unique():
            own = order[classes[order] == k]
            self.templates[k] = self.compare_by.template_of(photos[own.to(photos.device)])

    def _fit_limits(self, batches: Iterable[Batch]) -> None:
        """The highest normal value of each class."""
        there = self._there()
        place = torch.zeros_like(self.photos)
        place[there] = torch.arange(len(there), device=there.device)
        templates, found = self.templates[there], []
        for batch in batches:
            images, classes = self.compare_by.prepare(_grey(batch["image"])), place[batch["class"]]
            found.append((self.compare_by.for_limits(images, templates, classes), classes))
        known, classes = (torch.cat(column) for column in zip(*found, strict=True))
        self.high.zero_()
        self.high[there] = self.compare_by.limits(known, templates, classes)

    def _fit_bands(self, batches: Iterable[Batch]) -> None:
        """The least and the largest value that the photos of each class have."""
        found = [(self._compare(self.compare_by.prepare(_grey(b["image"])))[0], b["class"]) for b in batches]
        values, classes = (torch.cat(column) for column in zip(*found, strict=True))
        for k in classes.unique():
            self.low[k], self.high[k] = values[classes == k].aminmax()


def first_for_missing(photos: Tensor) -> Tensor:
    """Photos of each class (K,) -> (K,) int64: each class that has photos, and the first of them for those without.

    What is compared twice wins no more often; a graph must know how many it compares.

    >>> first_for_missing(torch.tensor([0, 3, 0, 5])).tolist()
    [1, 1, 1, 3]
    """
    there = photos > 0
    return torch.where(there, torch.arange(len(photos), device=photos.device), there.int().argmax())


def _grey(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, 1, H, W)."""
    return images if images.shape[1] == 1 else images.mean(1, keepdim=True)
