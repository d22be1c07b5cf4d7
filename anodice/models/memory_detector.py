"""Detectors that compare the features of photos with a memory of those of normal ones.

What they look at photos with is an encoder trained here on painted defects, or a network of torchvision or
timm; what they remember, and how a photo is compared with it, is a memory: `LocalMemory`, PatchCore's `PatchMemory`
or PaDiM's `PatchGaussians`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from anodice.augmentation.defect_painter import DefectPainter
from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError, unknown
from anodice.models.backbones import INSTALLED, LIBRARIES
from anodice.models.defect_unet import DefectUNet, UNet
from anodice.models.detector import Detector, Scored
from anodice.models.feature_memory import FeatureMemory
from anodice.models.local_memory import LocalMemory
from anodice.models.optimizers import OptimizerFactory, adamw


class EncoderMemory(DefectUNet):
    """A memory of features learned from nothing but normal photos: images (N, C, H, W) in [0, 1] -> maps, scores.

    The features are those of the encoder of a `DefectUNet`. With its defaults it is `model=local_memory`, with
    `memory=PatchMemory()` it is `model=patchcore`.

    The memory is filled once the encoder has been trained; until then the maps are those of the U-Net.

    Args:
        network: None for `UNet()`, which takes grey images (N, 1, 128, 128).
        layers: levels of the encoder, 0 the first; each halves the size of the one before.
        memory: of their feature maps: `LocalMemory` or `PatchMemory` (PatchCore's); None for `LocalMemory()` of the
            network's size.
        painter: images -> images with painted defects and their masks; None for `DefectPainter()` of the network's
            size.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.
    """

    def __init__(
        self,
        network: UNet | None = None,
        *,
        layers: Sequence[int] = (1, 2),
        memory: FeatureMemory | None = None,
        painter: DefectPainter | None = None,
        optimizer: OptimizerFactory = adamw,
        channels_last: bool = True,
    ) -> None:
        network = UNet() if network is None else network
        memory = LocalMemory(image_size=network.image_size) if memory is None else memory
        super().__init__(network, painter=painter, score=memory.score, optimizer=optimizer, channels_last=channels_last)
        self.layers = list(layers)
        if not self.layers or any(layer not in range(len(network.widths)) for layer in self.layers):
            raise AnodiceError(
                f"expected model.backbone.layers to name levels of the encoder, from 0 to {len(network.widths) - 1}, "
                f"got {self.layers}; names of layers are for model/backbone=torchvision and timm."
            )
        self.memory = memory

    @property
    def is_fitted(self) -> bool:
        return self.memory.is_filled and not self._fit_is_due

    def assess(self, images: Tensor) -> Scored:
        if not self.is_fitted:
            return super().assess(images)
        return Scored(*self.memory(self._features(images), images))

    def on_validation_epoch_start(self) -> None:
        # Filling the memory takes as long as epochs, so a training does it when it ends.
        if self.trainer.state.fn != TrainerFn.FITTING:
            super().on_validation_epoch_start()

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        self.memory.fit(self._features, fitted, held_out)

    def _features(self, images: Tensor) -> list[Tensor]:
        levels = [self.network.first(self.formatted(images))]
        for down in self.network.down[: max(self.layers)]:
            levels.append(down(levels[-1]))
        return [levels[layer] for layer in self.layers]


class BackboneMemory(Detector):
    """A memory of features of a network that others trained, and nobody trains here: one pass over the photos.

    Args:
        library: where the network comes from, torchvision or timm.
        name, layers: see `torchvision_features` and `timm_features`.
        weights: file with the network's weights, or `installed`, see `Features.load`; they are kept with what is
            learned, and the file is not needed again. None for the random weights it starts with.
        memory: of the feature maps of the layers.

    Raises:
        AnodiceError: another library, one that is not installed, or a network or layer that it does not know.
    """

    def __init__(
        self,
        *,
        name: str,
        layers: Sequence[str],
        weights: str | None,
        memory: FeatureMemory,
        image_size: int,
        in_channels: int,
        library: str = "torchvision",
    ) -> None:
        super().__init__(image_size=image_size, in_channels=in_channels)
        if library not in LIBRARIES:
            raise unknown("library of backbones", library, LIBRARIES)
        self.library, self.name, self.layers, self.weights = library, name, list(layers), weights
        self.features = LIBRARIES[library](name, self.layers)
        self.memory = memory

    @property
    def is_fitted(self) -> bool:
        return self.memory.is_filled

    def assess(self, images: Tensor) -> Scored:
        return Scored(*self.memory(self.features(images), images))

    def describe(self) -> str:
        of = self.weights or "random weights (model.backbone.weights names a file of better ones)"
        if self.weights == INSTALLED:
            of = "the weights that are installed"
        memory = type(self.memory).__name__
        return f"{memory} of {self.name} with {of}; nothing is trained by gradients"

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        if self.weights is not None:
            self.features.load(self.weights)
        self.memory.fit(self.features, fitted, held_out)


def memory_detector(
    *, backbone: Callable[..., EncoderMemory | BackboneMemory], memory: FeatureMemory
) -> EncoderMemory | BackboneMemory:
    """The detector of a backbone, `EncoderMemory` or `BackboneMemory` but for its memory, with a memory.

    The two are chosen apart: any memory goes with any backbone.
    """
    return backbone(memory=memory)
