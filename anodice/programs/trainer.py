"""Lightning's Trainer with the callbacks and loggers of a config; what it refuses is told in a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback, ProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from anodice.errors import AnodiceError
from anodice.training.averaging import check_averaging
from anodice.training.checkpoints import WholeFiles


def make_trainer(config: DictConfig, run: Path, further: Sequence[Callback] = ()) -> pl.Trainer:
    """The trainer of a config, which writes into the run folder.

    Args:
        further: callbacks beside those of the config.

    Raises:
        AnodiceError: a device that is not there, a package that is not installed, or else what Lightning refuses.
    """
    callbacks = [*(_made("callbacks", name, c) for name, c in config.callbacks.items() if c is not None), *further]
    check_averaging(callbacks)
    if not config.trainer.get("enable_progress_bar", True):  # Lightning refuses callbacks that would show something
        callbacks = [c for c in callbacks if not isinstance(c, ProgressBar)]
    loggers = [_logger(name, c, run) for name, c in (config.logger or {}).items() if c is not None]
    rest = {"callbacks": callbacks, "logger": loggers or False, "default_root_dir": str(run), "plugins": [WholeFiles()]}
    return _made("trainer", None, config.trainer, **rest)


def _logger(name: str, config: DictConfig, run: Path) -> Logger:
    """A logger that writes into the run folder, where it writes files and nobody has chosen another place."""
    target = _found("logger", name, config)
    takes_folder = "save_dir" in inspect.signature(target).parameters and "save_dir" not in config
    return _made("logger", name, config, **({"save_dir": str(run)} if takes_folder else {}))


def _found(group: str, name: str, config: DictConfig) -> Any:
    if not isinstance(config, DictConfig) or "_target_" not in config:
        raise AnodiceError(f"expected {group}.{name} to name a class as _target_, got {config}; see conf/{group}/.")
    try:
        return get_object(config._target_)
    except (ImportError, AttributeError, ValueError) as error:
        raise AnodiceError(f"expected {group}.{name}._target_ to be a class that can be imported: {error}.") from error


def _made(group: str, name: str | None, config: DictConfig, **rest: Any) -> Any:
    """What the config names; Lightning's refusals in a sentence."""
    key = group if name is None else f"{group}.{name}"
    try:
        return instantiate(config, **rest)
    except (InstantiationException, MisconfigurationException) as error:
        cause = error.__cause__ or error
        if isinstance(cause, AnodiceError):
            raise
        if isinstance(cause, ImportError):
            package = config._target_ if cause.name is None else cause.name
            raise AnodiceError(
                f"expected the package that {key} needs, which is not installed ({package}: {_first(cause)}); install "
                f"it, or choose another {group}."
            ) from error
        hint = "; trainer.accelerator=auto takes the device that is there" if "accelerator" in config else ""
        raise AnodiceError(f"{key} cannot be made with these settings: {_first(cause)}{hint}.") from error


def _first(error: BaseException) -> str:
    """The first sentence of an error, in one line."""
    return " ".join(str(error).split()).partition(" Full key:")[0].rstrip(".")
