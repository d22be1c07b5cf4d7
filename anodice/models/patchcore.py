"""PatchCore (Roth et al. 2022): how far the features of each place lie from those that normal photos have there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from torch import Tensor

from anodice.augmentation.defect_painter import DefectAugmentation, DefectPainter
from anodice.data.datamodule import Batch
from anodice.data.transforms import Augmentation
from anodice.errors import AnodiceError
from anodice.models.backbones import TorchvisionFeatures
from anodice.models.defect_unet import DefectUNet
from anodice.models.detector import Detector, Scored
from anodice.models.local_memory import LocalMemory
from anodice.models.optimizers import OptimizerFactory
from anodice.scoring.map_score import MapScore

OWN = "own"
"""The backbone that is trained here."""


class PatchCore(DefectUNet):
    """PatchCore on features of its own, learned from nothing but normal photos: the encoder of a `DefectUNet`.

    The memory is filled once the encoder has been trained; until then the maps are those of the U-Net.

    Args:
        layers: levels of the encoder, 0 the first; each halves the size of the one before.
        memory: of as many feature maps as there are layers.
        widths, painter, score, optimizer, channels_last: see `DefectUNet`.
    """

    learns_once: ClassVar[bool] = True

    def __init__(
        self,
        *,
        layers: Sequence[int],
        memory: LocalMemory,
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
        self.memory = memory

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.memory.fit(self._features, fitted, held_out)

    @property
    def has_learned(self) -> bool:
        return self.memory.is_filled

    def assess(self, images: Tensor) -> Scored:
        if not self.has_learned:
            return super().assess(images)
        return Scored(*self.memory(self._features(images), images))

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
        memory: of as many feature maps as there are layers.
    """

    def __init__(
        self,
        *,
        backbone: str,
        layers: Sequence[str],
        weights: str | None,
        memory: LocalMemory,
        image_size: int,
        in_channels: int,
    ) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        self.weights, self.features = weights, TorchvisionFeatures(backbone=backbone, layers=layers)
        self.memory = memory

    def learn(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        if self.weights is not None:
            self.features.load(self.weights)
        self.memory.fit(self.features, fitted, held_out)

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.memory(self.features(images), images))

    def describe(self) -> str:
        of = "random weights (model.weights names a file of better ones)" if self.weights is None else self.weights
        return f"TorchvisionPatchCore: {self.features.backbone} with {of}; nothing is trained by gradients"


def patchcore(
    *,
    backbone: str,
    layers: Sequence[int | str],
    weights: str | None,
    patch_weight: float,
    views: int,
    augmentation: Augmentation | DefectAugmentation | None,
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
    """`PatchCore` for the backbone "own", else `TorchvisionPatchCore`, which has no use for what trains a network.

    Args:
        backbone, layers, weights: see the two.
        patch_weight, views, augmentation, entries, radius, score: see `LocalMemory`.
        widths, painter, optimizer, channels_last: see `DefectUNet`.
    """
    memory = LocalMemory(
        layers=len(layers),
        patch_weight=patch_weight,
        views=views,
        augmentation=augmentation,
        entries=entries,
        radius=radius,
        score=score,
        image_size=image_size,
    )
    shared = {"layers": layers, "memory": memory, "image_size": image_size, "in_channels": in_channels}
    if backbone != OWN:
        return TorchvisionPatchCore(backbone=backbone, weights=weights, **shared)
    if weights is not None:
        raise AnodiceError(
            f"expected no model.weights with model.backbone=own, which is trained here, got {weights!r}; name the "
            "torchvision network that they are for, such as model.backbone=resnet18."
        )
    return PatchCore(
        widths=widths, painter=painter, score=score, optimizer=optimizer, channels_last=channels_last, **shared
    )
