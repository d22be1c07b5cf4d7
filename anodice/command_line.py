"""Running a Hydra program so that a person's mistake ends in one sentence, with the nearest right word."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from anodice.errors import AnodiceError, nearest

CONF = Path(__file__).parents[1] / "conf"


def run(program: Callable[[], None], config_name: str) -> None:
    """Call a `@hydra.main` function; mistakes of the user are printed in a sentence and end with exit status 2.

    Set HYDRA_FULL_ERROR=1 to see the traceback as well.
    """
    asked_for_traceback = os.environ.get("HYDRA_FULL_ERROR") not in (None, "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing them
    try:
        program()
    except Exception as error:
        sentence = _sentence(error, config_name)
        if asked_for_traceback or sentence is None:
            raise
        _leave(sentence)


def _leave(sentence: str) -> None:
    # The run's own log, where there is one, keeps the reason why the run ended.
    files = [h for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]
    for handler in files:
        handler.handle(logging.makeLogRecord({"msg": sentence, "levelname": "ERROR", "levelno": logging.ERROR}))
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(2)


def _cause(error: BaseException | None) -> AnodiceError | None:
    """The mistake that Hydra or Lightning wrapped into an error of their own."""
    while error is not None:
        if isinstance(error, AnodiceError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _sentence(error: Exception, config_name: str) -> str | None:
    """What to tell the user of their mistake; None where the mistake is ours."""
    mistake = _cause(error)
    if mistake is not None:
        return str(mistake)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"there is no {group}={option}{_did_you_mean(option, error.options)} Known: {', '.join(error.options)}."
    wrong = re.search(r"Could not override '([^']+)'", str(error))
    if isinstance(error, ConfigCompositionException) and wrong is not None:
        return _unknown_key(wrong.group(1).partition("@")[0], config_name)
    if isinstance(error, ConfigCompositionException | MissingConfigException | OverrideParseException):
        return f"{error}" if error.__cause__ is None else f"{error} ({error.__cause__})"
    return None


def _unknown_key(key: str, config_name: str) -> str:
    keys = [*_keys(_defaults(config_name)), *_groups()]
    return f"there is no option '{key}'{_did_you_mean(key, keys)} python {Path(sys.argv[0]).name} --cfg job shows all."


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    known = list(known)
    near = nearest(word, known, most=1)
    if not near:  # the right name under the wrong parent: `epochs` for `trainer.max_epochs`
        near = nearest(word.rpartition(".")[2], [k.rpartition(".")[2] for k in known], most=1)
        near = [k for k in known if near and k.rpartition(".")[2] == near[0]]
    return f"; did you mean '{near[0]}'?" if near else "."


def _groups() -> list[str]:
    return [folder.name for folder in CONF.iterdir() if folder.is_dir()]


def _defaults(config_name: str) -> DictConfig:
    """The config as it is without any override."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(config_name)


def _keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Every key, nested ones joined by dots."""
    found = []
    for key, node in OmegaConf.to_container(config, resolve=False).items() if not prefix else config.items():
        found.append(f"{prefix}{key}")
        if isinstance(node, dict):
            found += _keys(node, f"{prefix}{key}.")
    return found
