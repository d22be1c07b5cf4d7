"""Train, compare and explain visual anomaly detectors on photos of dice, with an F1 you can believe.

The names below are the library; whatever else there is serves the commands. They load when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "AnodiceError": "errors",
    "Predictor": "prediction.predictor",
    "Prediction": "prediction.prediction",
    "DiceDataModule": "data.datamodule",
    "Published": "data.splitting.strategies",
    "Detector": "models.detector",
    "TrainedDetector": "models.detector",
    "ReconstructionDetector": "models.reconstruction",
    "ConvAENetwork": "models.conv_ae",
    "VAE": "models.vae",
    "VAENetwork": "models.vae",
    "AEClassifier": "models.ae_classifier",
    "AEClassifierNetwork": "models.ae_classifier",
    "InceptionCAE": "models.inception_cae",
    "InceptionCAENetwork": "models.inception",
    "DefectUNet": "models.defect_unet",
    "UNet": "models.defect_unet",
    "EncoderMemory": "models.memory_detector",
    "LocalMemory": "models.local_memory",
    "PatchMemory": "models.patchcore",
    "ResidualScore": "scoring.residual_score",
    "TolerantL1": "scoring.residuals",
    "TopMean": "scoring.pooling",
    "adamw": "models.optimizers",
    "sweep": "metrics.sweep",
    "bootstrap": "metrics.bootstrap",
    "F1Max": "thresholds.rules",
    "NormalsOnly": "thresholds.normals",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'anodice' has no attribute '{name}'")
    return getattr(importlib.import_module(f"anodice.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_NAMES)
