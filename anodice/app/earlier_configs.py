"""The configs of run folders from before the parts of this package had their present names and places.

Such a run is loaded, evaluated and resumed as any other; what is in its folder stays as it is.
"""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

_MODULES = {
    "anodice.callbacks": "anodice.training.callbacks",
    "anodice.data.orientation": "anodice.dice.orientation",
    "anodice.data.painting": "anodice.augmentation.defect_painter",
    "anodice.data.splits": "anodice.data.splitting.strategies",
    "anodice.data.synthetic": "anodice.dice.dataset",
    "anodice.data.transforms": "anodice.augmentation.appearance",
    "anodice.models.cnn": "anodice.baselines.cnn",
    "anodice.models.earlier": "anodice.baselines.autoencoders",
    "anodice.models.classifiers": "anodice.baselines.classifiers",
    "anodice.models.fourier": "anodice.baselines.fourier",
    "anodice.models.template": "anodice.baselines.template",
    "anodice.profiling": "anodice.training.profiling",
    "anodice.scoring.maps": "anodice.scoring.residuals",
    "anodice.scoring.residual": "anodice.scoring.residual_score",
    "anodice.tensorboard": "anodice.reporting.tensorboard",
}
_NAMES = {
    "anodice.callbacks.EpochCheckpoint": "anodice.training.checkpoints.EpochCheckpoint",
    "anodice.callbacks.Throughput": "anodice.training.throughput.Throughput",
    "anodice.callbacks.progress": "anodice.training.progress.progress",
    "anodice.data.orientation.DarkRayUpright": "anodice.baselines.dark_ray.DarkRayUpright",
    "anodice.models.ae_classifier.ClassifyingAE": "anodice.models.ae_classifier.AEClassifier",
    "anodice.thresholds.rules.F1Max": "anodice.thresholds.f1.F1MaxPlain",
    "anodice.thresholds.rules.FBeta": "anodice.thresholds.f1.FBeta",
    "anodice.models.inception.BaselineCAENetwork": "anodice.baselines.plain_cae.BaselineCAENetwork",
}
_GONE = ("anodice.callbacks.Calibrate", "anodice.callbacks.ValidationFigures")
"""Callbacks whose work the detectors do now."""

_NETWORKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "anodice.models.vae.VAE": (
        "anodice.models.vae.VAE",
        "anodice.models.vae.VAENetwork",
        ("code", "noise_scale"),
    ),
    "anodice.models.conv_ae.ConvAE": (
        "anodice.models.conv_ae.ConvAE",
        "anodice.models.conv_ae.ConvAENetwork",
        ("code", "widths", "hidden", "batch_norm", "sigmoid"),
    ),
    "anodice.models.ae_classifier.AEClassifier": (
        "anodice.models.ae_classifier.AEClassifier",
        "anodice.models.ae_classifier.AEClassifierNetwork",
        ("code", "classes"),
    ),
    "anodice.models.inception_cae.InceptionCAE": (
        "anodice.models.inception_cae.InceptionCAE",
        "anodice.models.inception.InceptionCAENetwork",
        ("filters", "code"),
    ),
    "anodice.models.defect_unet.DefectUNet": (
        "anodice.models.defect_unet.DefectUNet",
        "anodice.models.defect_unet.UNet",
        ("widths",),
    ),
    "anodice.models.cnn.CNN": ("anodice.baselines.cnn.CNN", "anodice.baselines.classifiers.DefectCNN", ()),
    "anodice.models.dense_vae.DenseVAE": (
        "anodice.models.vae.VAE",
        "anodice.baselines.autoencoders.DenseVAENetwork",
        ("code", "hidden"),
    ),
    "anodice.models.patchcore.patchcore": (
        "anodice.models.memory_detector.memory_detector",
        "anodice.models.defect_unet.UNet",
        ("widths",),
    ),
}
"""Detectors that made their network themselves -> detector, network, and the arguments that are the network's."""

_SHAPE = ("image_size", "in_channels")
_MEMORY = ("patch_weight", "views", "augmentation", "entries", "radius", "score", "image_size")
_SPLIT = ("validation_fraction", "test_fraction", "fit_per_class", "seed")


def in_present_names(config: DictConfig) -> DictConfig:
    """The config with what has moved since it was written; one of today comes back as it is."""
    told = OmegaConf.to_container(config, resolve=False)
    if isinstance(told.get("data"), dict):
        told["data"] = _data(told["data"])
    if isinstance(told.get("model"), dict):
        told["model"] = _model(told["model"])
    if isinstance(told.get("callbacks"), dict):
        told["callbacks"] = _callbacks(told["callbacks"])
    return OmegaConf.create(_renamed(told))


def _data(data: dict[str, Any]) -> dict[str, Any]:
    """The split has its own settings."""
    if "validation_fraction" not in data:
        return data
    split = dict(data.get("split") or {"_target_": "anodice.data.splits.Published"})
    split |= {name: data[name] for name in _SPLIT if name in data}
    if not split["_target_"].endswith((".Published", ".Clean")):
        del split["test_fraction"]
    return {name: value for name, value in data.items() if name == "seed" or name not in _SPLIT} | {"split": split}


def _model(model: dict[str, Any]) -> dict[str, Any]:
    """A detector is given its network."""
    model = dict(model)
    if isinstance(model.get("loss"), dict):
        model["loss"] = model["loss"]["name"]
    shape = {name: model[name] for name in _SHAPE if name in model}
    if "network" in model:
        if model["_target_"].endswith(".ClassifyingAE"):
            del model["classes"]
        return {name: value for name, value in model.items() if name not in shape}
    if model["_target_"] not in _NETWORKS:
        return model
    detector, network, own = _NETWORKS[model["_target_"]]
    arguments = {name: model.pop(name) for name in own if name in model}
    if detector.endswith(".memory_detector"):
        return _memory_detector(model, {"_target_": network, **shape, **arguments})
    rest = {name: value for name, value in model.items() if name not in shape}
    return rest | {"_target_": detector, "network": {"_target_": network, **shape, **arguments}}


def _memory_detector(model: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
    """Backbone and memory are made apart."""
    memory = {name: model[name] for name in _MEMORY if name in model}
    backbone: dict[str, Any] = {"_partial_": True, "layers": model["layers"]}
    if model["backbone"] == "own":
        backbone |= {name: model[name] for name in ("painter", "channels_last", "optimizer")}
        backbone |= {"_target_": "anodice.models.memory_detector.EncoderMemory", "network": network}
    else:
        backbone |= {"name": model["backbone"], "weights": model["weights"], **{name: model[name] for name in _SHAPE}}
        backbone["_target_"] = "anodice.models.memory_detector.BackboneMemory"
    return {
        "_target_": "anodice.models.memory_detector.memory_detector",
        "backbone": backbone,
        "memory": {"_target_": "anodice.models.local_memory.LocalMemory", **memory},
    }


def _callbacks(callbacks: dict[str, Any]) -> dict[str, Any]:
    targets = {name: (found or {}).get("_target_") for name, found in callbacks.items()}
    if not set(_GONE) & set(targets.values()):
        return callbacks
    kept = {name: found for name, found in callbacks.items() if targets[name] not in _GONE}
    return kept | {"best_weights": {"_target_": "anodice.training.checkpoints.BestWeights"}}


def _renamed(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _present(value) if key == "_target_" else _renamed(value) for key, value in told.items()}
    return [_renamed(value) for value in told] if isinstance(told, list) else told


def _present(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    return _NAMES.get(name, f"{_MODULES.get(module, module)}.{attribute}")
