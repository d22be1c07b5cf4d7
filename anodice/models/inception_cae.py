"""A convolutional auto-encoder of Inception blocks as a detector."""

from __future__ import annotations

from torch import Tensor

from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.score import Seen


class InceptionCAE(ReconstructionDetector):
    """An auto-encoder that also serves scores of its features; see `ReconstructionDetector` for the arguments.

    Its network has `feature_maps(images)`, (N, D, h, w) float32, as `InceptionCAENetwork`.
    """

    def see(self, images: Tensor) -> Seen:
        if "features" in self.score.needs:
            return Seen(images, features=self.network.feature_maps(self.formatted(images)))
        return super().see(images)

    @classmethod
    def _sees(cls) -> tuple[str, ...]:
        return ("reconstructions", "features")
