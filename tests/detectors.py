"""Detectors that are small enough for tests."""

from __future__ import annotations

from functools import partial

from anodice.models.conv_ae import ConvAENetwork
from anodice.models.optimizers import adam
from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.pooling import TopMean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import L1


def auto_encoder() -> ReconstructionDetector:
    """Of pictures of 64 pixels, with a code of 4 numbers; untrained."""
    score = ResidualScore(
        residual=L1(), smoothing=0, normalise=False, border_radius=None, pooling=TopMean(fraction=0.1), image_size=64
    )
    network = ConvAENetwork(in_channels=1, image_size=64, code=4, widths=(4, 8))
    return ReconstructionDetector(network, score=score, optimizer=partial(adam, lr=1e-3))
