"""Running a Hydra program so that a person's mistake ends in one sentence, with the nearest right word."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from anodice.app.conf import CONF
from anodice.app.configs import check_types, defaults, flatten
from anodice.app.process import cores, keep_freed_memory
from anodice.app.ranges import check_ranges
from anodice.app.stopping import Stopped, stoppable
from anodice.errors import AnodiceError, first_line

log = logging.getLogger(__name__)

_OPEN = ("trainer.", "callbacks.", "logger.")
"""What may be added to: any argument of Lightning's Trainer, any of its callbacks and loggers."""


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO, errno.ENOTDIR)
"""Of a full or read-only disk, or a place that is not ours."""


def run(program: Callable[[], None], config_name: str) -> None:
    """Call a `@hydra.main` function; mistakes of the user are printed in a sentence and end with exit status 2.

    Ctrl-C ends it with status 130, SIGTERM with 143.

    Set HYDRA_FULL_ERROR=1 to see the traceback as well.
    """
    asked_for_traceback = os.environ.get("HYDRA_FULL_ERROR") not in (None, "0")
    sys.argv = [sys.argv[0], *map(_quoted, sys.argv[1:])]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing them
    keep_freed_memory()
    try:
        with stoppable():
            program()
    except Stopped as stop:
        if asked_for_traceback:
            raise
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C need not wait for threads to end
        print(f"\n{stop}", file=sys.stderr)
        sys.exit(stop.status)
    except Exception as error:
        told = sentence(error, config_name, sys.argv[1:])
        if asked_for_traceback or told is None:
            raise
        _leave(told)


def check_config(config: DictConfig, choices: Mapping[str, str | None], overrides: Sequence[str]) -> None:
    """Refuse what can be seen to be wrong with a training's config before torch loads, which takes seconds.

    Raises:
        AnodiceError: a value of another type than its default, or one that cannot be.
    """
    check_types(config, "train", choices)
    check_values(config)
    for words in unused(config, choices["model"], overrides):
        log.warning(words)


def unused(config: DictConfig, model: str | None, overrides: Sequence[str]) -> Iterator[str]:
    """Sentences on what the user chose that the chosen detector does not look at.

    Args:
        config: unresolved.
        overrides: those of the command line.
    """
    read = str(OmegaConf.to_container(config.model, resolve=False))
    for group in ("score", "optimizer"):
        chosen = [override for override in overrides if override.startswith((f"{group}=", f"{group}."))]
        if chosen and f"${{{group}}}" not in read:
            yield f"nothing reads {', '.join(chosen)}: model={model} has no part of the group {group}."


def check_no_sweep(choices: Mapping[str, str | None]) -> None:
    """Refuse a sweep that nobody asked to go through: a single training would take its place in silence.

    Args:
        choices: the chosen option of each group.

    Raises:
        AnodiceError: it needs `-m`.
    """
    sweep = choices.get("sweep")
    if sweep is not None:
        raise AnodiceError(
            f"sweep={sweep} is several trainings, which need -m, got a command without it; call python train.py -m "
            f"sweep={sweep} and the rest of it."
        )


def check_values(config: DictConfig) -> None:
    """Refuse values out of their range, and a number of threads or of epochs that cannot be.

    Raises:
        AnodiceError: the key, what was expected and what came.
    """
    check_ranges(config)
    if config.threads != "auto" and (type(config.threads) is not int or config.threads < 1):
        raise AnodiceError(f"expected threads to be auto or a whole number of at least 1, got {config.threads!r}.")
    if config.threads != "auto" and config.threads > cores():
        raise AnodiceError(
            f"expected threads of at most {cores()}, the cores that there are, got {config.threads}: more wait for "
            "each other; threads=auto takes them all."
        )
    epochs, ends = config.trainer.max_epochs, {config.trainer.get(name) for name in ("max_steps", "max_time")}
    if epochs is not None and epochs < 1 and ends <= {None, -1}:
        raise AnodiceError(f"expected trainer.max_epochs of at least 1, got {epochs}: a training has to end.")
    between, steps = config.trainer.get("val_check_interval"), config.data.steps_per_epoch
    if isinstance(between, int) and steps is not None and not 0 < between <= steps:
        raise AnodiceError(
            f"expected trainer.val_check_interval of 1 to data.steps_per_epoch={steps}, got {between}; change either."
        )


def _quoted(argument: str) -> str:
    """`run=PATH` as Hydra reads it whatever stands in the path, where there is such a file or folder.

    >>> _quoted("run=latest"), _quoted("seed=0,1"), _quoted("run=/")
    ('run=latest', 'seed=0,1', "run='/'")
    """
    key, _, value = argument.partition("=")
    if argument.startswith("-") or not value or value[0] in "'\"[{" or not Path(value).exists():
        return argument
    escaped = value.replace("'", "\\'")
    return argument if re.fullmatch(r"[\w.+-]+", value) else f"{key}='{escaped}'"


def _leave(told: str) -> None:
    # The run's own log, where there is one, keeps the reason why the run ended.
    files = [h for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]
    for handler in files:
        handler.handle(logging.makeLogRecord({"msg": told, "levelname": "ERROR", "levelno": logging.ERROR}))
    print(f"error: {told}", file=sys.stderr)
    sys.exit(2)


def _cause(error: BaseException | None) -> AnodiceError | None:
    """The mistake that Hydra or Lightning wrapped into an error of their own."""
    while error is not None:
        if isinstance(error, AnodiceError):
            return error
        error = error.__cause__ or error.__context__
    return None


def sentence(error: Exception, config_name: str, overrides: Sequence[str] = ()) -> str | None:
    """What to tell the user of their mistake; None where the mistake is ours.

    Args:
        config_name: of the program, such as `train`.
        overrides: that the user gave: what can be set depends on the options that they choose.
    """
    mistake = _cause(error)
    if mistake is not None:
        return str(mistake)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if (group, option) == ("hydra/launcher", "joblib"):
            return 'expected hydra-joblib-launcher, which is not installed; pip install "anodice[sweeps]".'
        return f"there is no {group}={option}{_did_you_mean(option, error.options)} Known: {', '.join(error.options)}."
    wrong = re.search(r"Could not override '([^']+)'", str(error))
    if isinstance(error, ConfigCompositionException) and wrong is not None:
        return _unknown_key(wrong.group(1).partition("@")[0], config_name, overrides)
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):  # such as model=3
        return f"{error}; choose one of the options that python {config_name}.py --help lists."
    if isinstance(error, InstantiationException):
        return _unfit(error)
    name = type(error).__name__  # those of torch and Lightning are not loaded for their sake
    if name in ("MemoryError", "OutOfMemoryError") or "t allocate memory" in str(error):
        return f"expected enough memory, which there is not ({first_line(error)}); lower data.batch_size or image_size."
    if name == "MisconfigurationException":
        return f"{' '.join(str(error).split())}"
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key
        return f"expected a value for {key}, got none; set it with {key}=VALUE."
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f" {error.filename}" if error.filename is not None else ""
        return (
            f"expected to write{where}, which the system refuses ({error.strerror}); make room, or choose other places "
            "with paths.log_dir=DIR, paths.cache_dir=DIR and, in the environment, TMPDIR=DIR."
        )
    if isinstance(error, ConfigCompositionException | MissingConfigException | OverrideParseException):
        quote = ""
        if isinstance(error, OverrideParseException):
            quote = ". A value with spaces, commas or brackets stands between quotes: 'data.root=\"my photos (1)\"'"
        return f"{error}{quote}" if error.__cause__ is None else f"{error} ({error.__cause__}){quote}"
    if isinstance(error, InterpolationResolutionError):
        return f"{first_line(error)}; python {config_name}.py --cfg job shows what the config holds."
    return None


def _unfit(error: InstantiationException) -> str | None:
    """What to say of settings that do not fit what was chosen; None where something else went wrong."""
    where = re.search(r"full_key: (\S+)", str(error))
    if where is not None and isinstance(error.__cause__, _FROM_SETTINGS):
        key, why = where.group(1), first_line(error.__cause__).partition(" full_key:")[0].rstrip(".")
        if "unexpected keyword argument" not in why:
            return f"{key} cannot be made with these settings: {why}; python train.py --cfg job shows those of conf/."
    extra = re.search(
        r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(error.__cause__ or error)
    )
    if where is None or extra is None:
        return None
    key, name = where.group(1), extra.group(2)
    return (
        f"{key} has no setting '{name}' with what was chosen, {extra.group(1)}, though an experiment or the command "
        f"line sets {key}.{name}; take it away with ~{key}.{name}, or choose what it belongs to."
    )


_FROM_SETTINGS = (TypeError, ValueError, RuntimeError, AttributeError, KeyError, ArithmeticError, MemoryError)
"""What the constructors of parts, ours and others', raise on values that they cannot do with."""


def _unknown_key(key: str, config_name: str, overrides: Sequence[str]) -> str:
    keys = [
        *flatten(defaults(config_name, _chosen(overrides))),
        *(folder.name for folder in CONF.iterdir() if folder.is_dir()),
    ]
    if "." in key:
        keys = [known for known in keys if "." in known]
    new = f" To add it as a new one: +{key}=VALUE." if key.startswith(_OPEN) else ""
    return f"there is no option '{key}'{_did_you_mean(key, keys)}{new} python {config_name}.py --cfg job shows all."


def _chosen(overrides: Sequence[str]) -> list[str]:
    """The options of groups among the overrides, such as `model=vae`."""
    pairs = (argument.partition("=") for argument in overrides)
    return [f"{group}={option}" for group, _, option in pairs if (CONF / group / f"{option}.yaml").is_file()]


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint at the most similar name, or at one whose last part is similar (`epochs`: `trainer.max_epochs`)."""

    def likeness(name: str) -> float:
        whole = SequenceMatcher(None, word, name).ratio()
        last_parts = SequenceMatcher(None, word.rpartition(".")[2], name.rpartition(".")[2]).ratio()
        return max(whole, 0.85 * last_parts)

    best = max(known, key=likeness)
    return f"; did you mean '{best}'?" if likeness(best) >= 0.6 else "."
