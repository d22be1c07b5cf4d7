"""The configs under `conf/` as data: their defaults, their keys, the types of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from anodice.app.conf import CONF
from anodice.app.run_folder import register_resolvers
from anodice.errors import AnodiceError

register_resolvers()  # whoever reads configs can resolve what is in them


def flatten(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Every leaf by its keys, joined by dots; interpolations are left as they are.

    >>> flatten({"model": {"code": 64}, "seed": 0})
    {'model.code': 64, 'seed': 0}
    """
    if isinstance(config, DictConfig):
        config = OmegaConf.to_container(config, resolve=False)
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{below}": leaf for below, leaf in flatten(value).items()}
        else:
            flat[key] = value
    return flat


def defaults(config_name: str, choices: Sequence[str] = ()) -> DictConfig:
    """The config as it is with these choices of groups (`model=vae`) and nothing else."""
    if GlobalHydra.instance().is_initialized():  # inside a Hydra program, which may not be initialised twice
        return hydra.compose(config_name, overrides=list(choices))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(config_name, overrides=list(choices))


class Composed(NamedTuple):
    """What a command would get.

    Attributes:
        config: its config; interpolations are left as they are.
        choices: the chosen option of each group.
        hydra: how the command would be run, such as `hydra.run.dir`; with the config, which it refers to.
    """

    config: DictConfig
    choices: dict[str, str | None]
    hydra: DictConfig


def composed(config_name: str, overrides: Sequence[str]) -> Composed:
    """The config of `python <config_name>.py <overrides>`, without a command line and whatever else uses Hydra."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = hydra.compose(config_name, overrides=list(overrides), return_hydra_config=True)
    choices = dict(whole.hydra.runtime.choices)
    with open_dict(whole):
        for group in whole.get("name", {}):  # what the running program is asked for
            whole.name[group] = choices[group]
        config = whole.copy()
        del config["hydra"]
    return Composed(config, choices, whole)


def compose(*overrides: str) -> DictConfig:
    """The config that `python train.py <overrides>` would run, all values filled in; its parts can be made from it.

    Args:
        overrides: as on the command line, such as `"model=vae"` and `"data.batch_size=16"`.

    >>> from hydra.utils import instantiate
    >>> config = compose("model=vae", "data=folder", "data.root=DIR", "model.network.code=16")
    >>> config.name.model, config.data.batch_size
    ('vae', 32)
    >>> instantiate(config.model).network.code
    16
    """
    config = composed("train", overrides).config
    return OmegaConf.create(OmegaConf.to_container(config, resolve=True))


def check_types(config: DictConfig, config_name: str, choices: Mapping[str, str | None]) -> None:
    """Refuse a value of another type than the default has, such as a word for a number.

    Args:
        choices: the chosen option of each group.

    Raises:
        AnodiceError: the key, what was expected and what came.
    """
    groups = {folder.name for folder in CONF.iterdir() if folder.is_dir()} - {"hydra"}
    chosen = [f"{group}={option}" for group, option in choices.items() if group in groups and option is not None]
    expected = flatten(defaults(config_name, chosen))
    known = {key.partition(".")[0] for key in expected}
    for key in config:
        if key not in known | {"hydra"}:
            raise AnodiceError(f"expected keys that something reads, got {key}; {config_name}.py --cfg job shows them.")
    for key, value in flatten(config).items():
        default = expected.get(key)
        free = not isinstance(default, str) or "$" in default or default in ("auto", "???")
        if not free and isinstance(value, int | float):
            raise AnodiceError(f"expected {key} to be a word (the default is {default}), got {value!r}.")
        # Lightning takes numbers, words and lists as devices; null is refused where it is used, if it is.
        if key == "trainer.devices" or not isinstance(default, bool | int | float) or value is None:
            continue
        number = isinstance(value, int) or (isinstance(value, float) and isinstance(default, float))
        if isinstance(value, bool) != isinstance(default, bool) or not number:
            what = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
            raise AnodiceError(f"expected {key} to be {what} (the default is {default}), got {value!r}.")


def chooses_itself(config: DictConfig) -> bool:
    """Whether the detector of a config is yet to be chosen by the photos, as `model=auto` has it."""
    return OmegaConf.select(config, "model._target_") == "anodice.models.auto.Auto"


def shared_parameters(config: DictConfig) -> dict[str, Any]:
    """What every run has, whatever its model: the options chosen, the seed, and how long and fast it may learn.

    Args:
        config: resolved.
    """
    values = {name: OmegaConf.select(config, key) for name, key in _SHARED.items()}
    return {name: value for name, value in values.items() if value is not None}


_SHARED = {
    # TensorBoard sorts by name and shows the first five without a click, capitals first.
    "Model": "name.model",
    "Data": "name.data",
    "Seed": "seed",
    "split": "name.split",
    "augmentation": "name.augmentation",
    "score": "name.score",
    "threshold": "name.threshold",
    "epochs": "trainer.max_epochs",
    "batch_size": "data.batch_size",
    "learning_rate": "optimizer.lr",
}
"""Names in TensorBoard -> keys of the config."""
