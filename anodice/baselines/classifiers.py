"""The classifiers of earlier projects: which face a die shows, and whether it is anomalous."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.models.blocks import check_size, glorot

_LEAST_FACE = 13


class FaceCNN(nn.Module):
    """(N, C, H, W) in [0, 1] -> logits (N, classes): an earlier project's face classifier.

    Args:
        image_size: H = W, at least 13.
        classes: how many to tell apart; 11 or 6 in the original.

    Raises:
        AnodiceError: images that are used up before the last layer.
    """

    def __init__(self, *, in_channels: int, image_size: int, classes: int) -> None:
        super().__init__()
        self.in_channels, self.image_size, self.classes = in_channels, image_size, classes
        if image_size < _LEAST_FACE:
            raise AnodiceError(
                f"expected an image size of at least {_LEAST_FACE} for this network, got {image_size}; set "
                f"data.image_size={_LEAST_FACE} or more."
            )
        side = image_size
        for _ in range(2):
            side = -(-(side - 4) // 2)
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, 16, kernel_size=5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(16, 8, kernel_size=5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Dropout(0.2),
            nn.Flatten(),
            nn.Linear(8 * side**2, classes),
        ).apply(glorot)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class DefectCNN(nn.Module):
    """(N, C, H, W) in [0, 1] -> logits (N,), higher = more anomalous: an earlier project's supervised network.

    As in the original, the last layer has an output for normal and one for anomalous; the logit is their difference, so
    binary cross-entropy of the logit is cross-entropy of the two.

    Args:
        image_size: H = W, a multiple of 8.
    """

    def __init__(self, *, in_channels: int, image_size: int) -> None:
        super().__init__()
        check_size(image_size, 8)
        self.in_channels, self.image_size = in_channels, image_size
        self.convolutions = nn.Sequential(*_stage(in_channels, 16), *_stage(16, 32), *_stage(32, 64))
        self.hidden = nn.Linear(64 * (image_size // 8) ** 2, 128)
        self.outputs = nn.Linear(128, 2)
        self.apply(glorot)

    def forward(self, images: Tensor) -> Tensor:
        return self._logits(self.hidden(self.convolutions(images).flatten(1)))

    def logits_and_map(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The logits (N,), and where their evidence comes from: (N, 1, H, W) float32, in logits per pixel.

        With its hidden units switched on or off as they are for an image, the head is linear in the last feature map,
        so its logit is a sum over the places of that map and a constant (cf. the class activation maps of Zhou et al.
        2016, where the head is linear by itself). Each place is spread smoothly over its 8 x 8 pixels and their
        surroundings, which keeps the sum: the map sums to the logit less the constant, which is what the biases of the
        head give. A place of the feature map sees 22 x 22 pixels.
        """
        maps = self.convolutions(images)
        hidden = self.hidden(maps.flatten(1))
        switched = (hidden > 0) * (self.outputs.weight[1] - self.outputs.weight[0])
        weights = (switched @ self.hidden.weight).unflatten(1, maps.shape[1:])
        evidence = (weights * maps).sum(1, keepdim=True).float()
        # Bilinear interpolation by a whole factor gives each place the same total weight, also at the border.
        return self._logits(hidden), F.interpolate(evidence / 64, scale_factor=8, mode="bilinear", align_corners=False)

    def _logits(self, hidden: Tensor) -> Tensor:
        normal, anomalous = self.outputs(F.relu(hidden)).unbind(1)
        return anomalous - normal


def _stage(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)


class AEWithFaceCNN(nn.Module):
    """An auto-encoder and a face classifier beside it, which share nothing but the images: an earlier project's pair.

    Args:
        autoencoder: any reconstructing network.
        classes: names of the classes.
    """

    def __init__(self, *, autoencoder: nn.Module, in_channels: int, image_size: int, classes: Sequence[str]) -> None:
        super().__init__()
        self.autoencoder, self.classes = autoencoder, tuple(classes)
        self.in_channels, self.image_size = in_channels, image_size
        self.classifier = FaceCNN(in_channels=in_channels, image_size=image_size, classes=len(classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.autoencoder(images)

    @property
    def narrowest(self) -> int:
        """That of the auto-encoder."""
        return self.autoencoder.narrowest

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstructions (N, C, H, W) and logits (N, classes)."""
        return self(images), self.classifier(images)
