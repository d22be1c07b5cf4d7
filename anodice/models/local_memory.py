"""A memory of what normal photos hold in each place, and how far a photo is from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.app.options import option
from anodice.augmentation.appearance import Augmentation
from anodice.augmentation.defect_painter import DefectAugmentation
from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.functional.windows import resized_by_mean
from anodice.models.feature_memory import Extract, spread
from anodice.scoring.fitted_buffer import size_from_checkpoint
from anodice.scoring.map_score import MapScore
from anodice.scoring.memory import Memory
from anodice.scoring.whitened_patches import WhitenedPatches

_CELL = 8
"""Pixels of the image along a cell of the memory."""
_PHOTOS_FOR_PATCHES = 64
"""About as many tell what patches look like."""
_TINY = 1e-12
"""Keeps a layer that is zero everywhere from dividing by it."""


class LocalMemory(nn.Module):
    """Images and their feature maps -> anomaly maps and scores, by a memory of what normal photos hold in each place.

    Each feature map is averaged over 3x3 of its places, brought to one cell per 8x8 pixels, and divided by the mean
    norm that its vectors have in normal photos, so that all layers count alike; a cell's vector is theirs, joined. A
    second memory holds the whitened patches of the same cells, which need no training. The map is the mean of both
    distances from the nearest normal vector, each in units of its mean over held-out normal photos, interpolated.

    Args:
        patch_weight: of the second memory beside the first, whose weight is 1; 0 for none.
        views: how many views of normal photos the memories are chosen from, at most: each photo as it is, then changed
            by `augmentation` as often as there is room. Of more photos each class gives as many.
        augmentation: changes that are no defects, such as another light; or the name of an option of
            `conf/augmentation`, or None for the photos as they are alone.
        entries, radius: see `Memory`.
        score: from maps to maps and scores; None for the mean of the strangest 1 % of the pixels, without smoothing.
        image_size: height and width of the images and the maps.
    """

    def __init__(
        self,
        *,
        patch_weight: float = 0.2,
        views: int = 12000,
        augmentation: Augmentation | DefectAugmentation | str | None = "strong",
        entries: int = 128,
        radius: int | None = 1,
        score: MapScore | None = None,
        image_size: int = 128,
    ) -> None:
        super().__init__()
        if not isinstance(views, int) or views < 1:
            raise AnodiceError(f"expected model.memory.views to be a whole number of at least 1, got {views!r}.")
        if not patch_weight >= 0:
            raise AnodiceError(
                f"expected model.memory.patch_weight of at least 0, got {patch_weight!r}; 0 is for none."
            )
        if image_size < _CELL:
            raise AnodiceError(f"expected an image size of at least {_CELL}, got {image_size}; set data.image_size.")
        if isinstance(augmentation, str):
            augmentation = option("augmentation", augmentation, f"data.image_size={image_size}")
        self.patch_weight, self.views, self.augmentation = patch_weight, views, augmentation
        self.entries, self.radius, self.image_size = entries, radius, image_size
        self.score = MapScore(smoothing=0, image_size=image_size) if score is None else score
        self.memory = Memory(entries=entries, radius=radius, seed=0)
        self.patch_memory = Memory(entries=entries, radius=radius, seed=0)
        self.patches = WhitenedPatches(cell=_CELL)
        self.register_buffer("norms", torch.empty(0))
        self.register_buffer("usual", torch.ones(2))
        size_from_checkpoint(self, "norms")

    @property
    def is_filled(self) -> bool:
        return self.memory.bank.numel() > 0

    @torch.no_grad()
    def fit(self, extract: Extract, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        """Keep features of the normal photos; what was kept before is lost.

        Args:
            extract: images -> their feature maps.
            fitted: the normal photos to remember.
            held_out: others, which tell how far normal photos usually lie.
        """
        taken = spread(torch.cat([batch["class"] for batch in fitted]), self.views)
        photos = int(taken.sum())
        times = 1 if self.augmentation is None else max(1, self.views // photos)
        step = max(1, photos // _PHOTOS_FOR_PATCHES)
        self.patches.fit(torch.cat([images[::step] for images in self._views(fitted, taken, 1)]))
        encoded, patches = _Kept(times * photos), _Kept(times * photos)
        squares = 0.0
        for images in self._views(fitted, taken, times):
            layers = self._cells(extract(images))
            squares = squares + torch.stack([features.square().sum(1).mean((1, 2)).sum() for features in layers])
            encoded.add(torch.cat(layers, 1))
            if self.patch_weight > 0:
                patches.add(self._patches(images))
        self.norms = (squares / (times * photos)).sqrt()
        lengths = [features.shape[1] for features in layers]
        for features, norm in zip(encoded.cells.split(lengths, dim=3), self.norms, strict=True):
            features /= norm + _TINY
        self.memory.fit(encoded.cells)
        if self.patch_weight > 0:
            self.patch_memory.fit(patches.cells)
        self._measure_usual(extract, held_out)

    def forward(self, layers: list[Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, 1, H, W) and scores (N,) float64; a map is 1 where a photo is as far as normal ones usually are."""
        if not self.is_filled:
            raise AnodiceError(
                "expected features of normal photos to compare with, got none; train the detector first."
            )
        encoded, patches = self._distances(layers, images)
        distances = encoded / self.usual[0]
        if patches is not None:
            distances = (distances + self.patch_weight * patches / self.usual[1]) / (1 + self.patch_weight)
        size = (self.image_size, self.image_size)
        return self.score(F.interpolate(distances, size=size, mode="bilinear", align_corners=False))

    def _distances(self, layers: list[Tensor], images: Tensor) -> tuple[Tensor, Tensor | None]:
        """From both memories, (N, 1, h, w) each."""
        cells = zip(self._cells(layers), self.norms, strict=True)
        encoded = self.memory(torch.cat([features / (norm + _TINY) for features, norm in cells], 1))
        return encoded, self.patch_memory(self._patches(images)) if self.patch_weight > 0 else None

    def _measure_usual(self, extract: Extract, held_out: Iterable[Batch]) -> None:
        means = []
        for batch in held_out:
            found = [d for d in self._distances(extract(batch["image"]), batch["image"]) if d is not None]
            means.append(torch.stack([d.mean((1, 2, 3)) for d in found]))
        if means:
            usual = torch.cat(means, 1).mean(1)
            self.usual[: len(usual)] = usual + _TINY

    def _views(self, fitted: Iterable[Batch], taken: Tensor, times: int) -> Iterator[Tensor]:
        """The photos taken, batch by batch, as they are at first and then changed, the same each time."""
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(0)
            for time in range(times):
                start = 0
                for batch in fitted:
                    images = batch["image"][taken[start : start + len(batch["image"])].to(batch["image"].device)]
                    start += len(batch["image"])
                    if len(images) > 0:
                        yield images if time == 0 else self._changed(images)

    def _changed(self, images: Tensor) -> Tensor:
        found = self.augmentation.augment(images)
        return found.get("clean", found["image"])  # painted defects are nothing to remember

    def _patches(self, images: Tensor) -> Tensor:
        return self._cells([self.patches(images)])[0]

    def _cells(self, layers: list[Tensor]) -> list[Tensor]:
        """Feature maps of one size, which is that of the memory."""
        side = self.image_size // _CELL
        smooth = (F.avg_pool2d(features.float(), 3, stride=1, padding=1) for features in layers)
        return [
            resized_by_mean(features, side)
            if features.shape[2] >= side
            else F.interpolate(features, size=(side, side), mode="bilinear", align_corners=False)
            for features in smooth
        ]


class _Kept:
    """Features of all views, cell by cell, filled batch by batch.

    Once, as large as it must be, and in half precision: there may be gigabytes of it.
    """

    def __init__(self, count: int) -> None:
        self.count, self.seen = count, 0
        self.cells = torch.empty(0)

    def add(self, features: Tensor) -> None:
        """Features (N, D, h, w) of the next N views."""
        cells = features.permute(2, 3, 0, 1)
        if self.seen == 0:
            self.cells = cells.new_empty(*cells.shape[:2], self.count, cells.shape[3], dtype=torch.float16)
        self.cells[:, :, self.seen : self.seen + len(features)] = cells
        self.seen += len(features)
