"""PatchCore (Roth et al. 2022): how far the features of each place lie from those that normal photos have there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.data.painting import DefectPainter
from anodice.errors import AnodiceError
from anodice.models.backbones import TorchvisionFeatures
from anodice.models.defect_unet import DefectUNet
from anodice.models.detector import Detector, Scored
from anodice.models.optimizers import OptimizerFactory
from anodice.scoring.map_score import MapScore
from anodice.scoring.memory import Memory

OWN = "own"
"""The backbone that is trained here."""

_CELL = 8
"""Pixels of the image along a cell of the memory."""
_TINY = 1e-12
"""Keeps a layer that is zero everywhere from dividing by it."""


class LocalMemory(nn.Module):
    """Images -> anomaly maps and scores, by the memory of the features of normal photos.

    Each feature map is averaged over 3x3 of its places, brought to one cell per 8x8 pixels, and divided by the mean
    norm that its vectors have in normal photos, so that all layers count alike; a cell's vector is theirs, joined. The
    map is its distance from the nearest normal one, interpolated, where 1 is about the norm of a layer's vector.

    Args:
        layers: how many feature maps there are for an image.
        photos: how many normal photos the memory is chosen from, at most; each class gives as many.
        entries, radius: see `Memory`.
        score: from maps to maps and scores.
        image_size: height and width of the images and the maps.
    """

    def __init__(
        self, *, layers: int, photos: int, entries: int, radius: int | None, score: MapScore, image_size: int
    ) -> None:
        super().__init__()
        if not isinstance(photos, int) or photos < 1:
            raise AnodiceError(f"expected model.photos to be a whole number of at least 1, got {photos!r}.")
        if image_size < _CELL:
            raise AnodiceError(f"expected an image size of at least {_CELL}, got {image_size}; set data.image_size.")
        self.photos, self.image_size, self.score = photos, image_size, score
        self.memory = Memory(entries=entries, radius=radius, seed=0)
        self.register_buffer("norms", torch.ones(layers))

    @torch.no_grad()
    def fit(self, extract: Callable[[Tensor], list[Tensor]], fitted: Iterable[Batch]) -> None:
        """Keep features of the normal photos; what was kept before is lost.

        Args:
            extract: images -> their feature maps.
        """
        taken = spread(torch.cat([batch["class"] for batch in fitted]), self.photos)
        count, side = int(taken.sum()), self.image_size // _CELL
        kept, squares, seen, start = None, torch.zeros_like(self.norms), 0, 0
        for batch in fitted:
            images = batch["image"][taken[start : start + len(batch["image"])]]
            start += len(batch["image"])
            if len(images) == 0:
                continue
            layers = self._cells(extract(images))
            squares += torch.stack([features.square().sum() for features in layers])
            joined = torch.cat(layers, 1).permute(2, 3, 0, 1)
            if kept is None:  # once and as it is needed: there may be gigabytes of it
                kept = joined.new_empty(side, side, count, joined.shape[3])
            kept[:, :, seen : seen + len(images)] = joined
            seen += len(images)
        self.norms.copy_((squares / (count * side**2)).sqrt())
        lengths = [features.shape[1] for features in layers]
        for features, norm in zip(kept.split(lengths, dim=3), self.norms, strict=True):
            features /= norm + _TINY
        self.memory.fit(kept)

    def forward(self, layers: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Feature maps -> maps (N, 1, H, W) and scores (N,) float64."""
        distances = self.memory(self._joined(self._cells(layers)))
        size = (self.image_size, self.image_size)
        return self.score(F.interpolate(distances, size=size, mode="bilinear", align_corners=False))

    def _cells(self, layers: list[Tensor]) -> list[Tensor]:
        """Feature maps of one size, which is that of the memory."""
        side = self.image_size // _CELL
        smooth = (F.avg_pool2d(features.float(), 3, stride=1, padding=1) for features in layers)
        return [
            F.adaptive_avg_pool2d(features, side)
            if features.shape[2] >= side
            else F.interpolate(features, size=(side, side), mode="bilinear", align_corners=False)
            for features in smooth
        ]

    def _joined(self, layers: list[Tensor]) -> Tensor:
        return torch.cat([features / (norm + _TINY) for features, norm in zip(layers, self.norms, strict=True)], 1)


class PatchCore(DefectUNet):
    """PatchCore on features of its own, learned from nothing but normal photos: the encoder of a `DefectUNet`.

    Args:
        layers: levels of the encoder, 0 the first; each halves the size of the one before.
        photos, entries, radius: see `LocalMemory`.
        widths, painter, score, optimizer, channels_last: see `DefectUNet`.
    """

    def __init__(
        self,
        *,
        layers: Sequence[int],
        photos: int,
        entries: int,
        radius: int | None,
        widths: Sequence[int],
        painter: DefectPainter,
        score: MapScore,
        image_size: int,
        in_channels: int,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        super().__init__(
            widths=widths,
            painter=painter,
            score=score,
            image_size=image_size,
            in_channels=in_channels,
            optimizer=optimizer,
            channels_last=channels_last,
        )
        self.layers = list(layers)
        if not self.layers or any(layer not in range(len(widths)) for layer in self.layers):
            raise AnodiceError(
                f"expected model.layers to name levels of the encoder, from 0 to {len(widths) - 1}, got {self.layers}; "
                "names of layers are for a torchvision backbone."
            )
        self.memory = LocalMemory(
            layers=len(self.layers), photos=photos, entries=entries, radius=radius, score=score, image_size=image_size
        )

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.memory.fit(self._features, fitted)

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.memory(self._features(images)))

    def _features(self, images: Tensor) -> list[Tensor]:
        levels = [self.network.first(self.formatted(images))]
        for down in self.network.down[: max(self.layers)]:
            levels.append(down(levels[-1]))
        return [levels[layer] for layer in self.layers]


class TorchvisionPatchCore(Detector):
    """PatchCore on features of a torchvision network, which is not trained here: one pass over the photos.

    Args:
        backbone, layers: see `TorchvisionFeatures`.
        weights: file with the network's weights, see `TorchvisionFeatures.load`; they are kept with what is learned,
            and the file is not needed again. None for the random weights it starts with.
        photos, entries, radius, score: see `LocalMemory`.
    """

    def __init__(
        self,
        *,
        backbone: str,
        layers: Sequence[str],
        weights: str | None,
        photos: int,
        entries: int,
        radius: int | None,
        score: MapScore,
        image_size: int,
        in_channels: int,
    ) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        self.weights, self.features = weights, TorchvisionFeatures(backbone=backbone, layers=layers)
        self.memory = LocalMemory(
            layers=len(layers), photos=photos, entries=entries, radius=radius, score=score, image_size=image_size
        )

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        if self.weights is not None:
            self.features.load(self.weights)
        self.memory.fit(self.features, fitted)

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.memory(self.features(images)))

    def describe(self) -> str:
        of = "random weights (model.weights names a file of better ones)" if self.weights is None else self.weights
        return f"TorchvisionPatchCore: {self.features.backbone} with {of}; nothing is trained by gradients"


def patchcore(
    *,
    backbone: str,
    layers: Sequence[int | str],
    weights: str | None,
    photos: int,
    entries: int,
    radius: int | None,
    widths: Sequence[int],
    painter: DefectPainter,
    score: MapScore,
    image_size: int,
    in_channels: int,
    optimizer: OptimizerFactory,
    channels_last: bool,
) -> PatchCore | TorchvisionPatchCore:
    """`PatchCore` for the backbone "own", else `TorchvisionPatchCore`, which has no use for what trains a network."""
    shared = {"photos": photos, "entries": entries, "radius": radius, "score": score}
    shared |= {"image_size": image_size, "in_channels": in_channels, "layers": layers}
    if backbone != OWN:
        return TorchvisionPatchCore(backbone=backbone, weights=weights, **shared)
    if weights is not None:
        raise AnodiceError(
            f"expected no model.weights with model.backbone=own, which is trained here, got {weights!r}; name the "
            "torchvision network that they are for, such as model.backbone=resnet18."
        )
    return PatchCore(widths=widths, painter=painter, optimizer=optimizer, channels_last=channels_last, **shared)


def spread(classes: Tensor, count: int) -> Tensor:
    """Which of N photos to take: at most `count`, as many of each class that has them, evenly along its photos.

    Neighbours are often frames of one film and nearly the same, so even steps show more than a random choice.

    Args:
        classes: (N,) int64.

    Returns:
        (N,) bool; at least one of each class, even where that makes more than `count`.

    >>> spread(torch.tensor([0, 0, 0, 0, 0, 1]), 4).tolist()
    [True, False, True, False, True, True]
    """
    sizes = classes.unique(return_counts=True)[1]
    each = max((n for n in range(1, int(sizes.max()) + 1) if int(sizes.clamp_max(n).sum()) <= count), default=1)
    taken = torch.zeros_like(classes, dtype=torch.bool)
    for number in classes.unique():
        own = (classes == number).nonzero()[:, 0]
        taken[own[torch.linspace(0, len(own) - 1, min(len(own), each)).round().long()]] = True
    return taken
