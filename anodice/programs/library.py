"""The commands without a command line: `train`, `evaluate` and what they give, for notebooks and programs."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from anodice.app.command_line import check_config, check_no_sweep, check_values, sentence
from anodice.app.configs import check_types, composed
from anodice.app.console import ConsoleHandler
from anodice.app.process import keep_freed_memory
from anodice.app.run_folder import remove_unused, run_folder
from anodice.app.stopping import Stopped
from anodice.errors import AnodiceError
from anodice.programs.runs import Evaluation, Run, Runs

Reference = str | Path | Run
"""A run, its folder, a folder of several, a name under the logs, `latest`, or a CSV file of scores."""


def train(*overrides: str | DictConfig) -> Run:
    """Train a detector as `python train.py <overrides>` does, and give back the run.

    It tells how it goes as the command does; after `logging.getLogger("anodice").setLevel("WARNING")` it tells warnings
    alone, and `train.log` in the run folder all the same tells everything.

    Args:
        overrides: as on the command line, such as `"model=vae"`, `"data=folder"` and `"data.root=DIR"`; or one config
            in their place, as `anodice.compose(...)` or Hydra's own compose makes it of `conf/`.

    Returns:
        the run, with `metrics`, `scores`, `threshold`, `figures`, `report()` and `predictor()`.

    Raises:
        AnodiceError: a mistake, in one sentence.

    >>> run = train("model=vae", "data=folder", "data.root=DIR", "data.layout.normal=[good]",
    ...             "data.layout.anomalous=[bad]")  # doctest: +SKIP
    >>> run.metrics["test"]["clean"]["auroc"]  # doctest: +SKIP
    0.998
    >>> run.predictor()("new.png").verdict  # doctest: +SKIP
    'normal'
    """
    words = () if len(overrides) == 1 and isinstance(overrides[0], DictConfig) else overrides
    _check_words(words)
    with _one_sentence("train", words):
        config, folder = _with_folder(words) if words is overrides else _own_folder(overrides[0])
        with _told(folder / "train.log"):
            try:
                keep_freed_memory()
                from anodice.programs.train import train as trained  # torch and Lightning load now

                trained(config, folder, changes=[word for word in words if not word.startswith("resume=")])
            except Stopped as stop:
                if stop.number != signal.SIGINT:  # Ctrl-C, as of a notebook, leaves a run that can be used
                    raise
            except BaseException:
                remove_unused(folder)
                raise
    return Run(folder)


def evaluate(of: Reference | Sequence[Reference] = "latest", *overrides: str) -> Evaluation | Runs:
    """Evaluate as `python evaluate.py run=<of> <overrides>` does.

    Args:
        of: a run or its folder, the folder of a sweep, a name under the logs, `latest`, a CSV file of scores (`path`,
            `score` and `label` of each photo; see `python evaluate.py --help`), or several.
        overrides: as on the command line, such as `"threshold=recall_at"` and `"threshold.target=1.0"`.

    Returns:
        a `Run` of one run, an `Evaluation` of one file of scores; of several, or of a sweep, all of them by name, with
        a `report()` that compares them.

    Raises:
        AnodiceError: a mistake, in one sentence.

    >>> evaluate("latest", "threshold=recall_at", "threshold.target=1.0").threshold.sentence()  # doctest: +SKIP
    'recall_at: 0.0412, fitted on validation (275 normal, 75 anomalous), above 93.1 % of its normals'
    >>> print(evaluate(["vae.csv", "patchcore.csv"]).report())  # doctest: +SKIP
    """
    _check_words(overrides)
    several = not isinstance(of, str | Path | Run)
    given = [str(one.folder) if isinstance(one, Run) else str(one) for one in (of if several else [of])]
    files = [Path(one).suffix.lower() == ".csv" for one in given]
    if len(set(files)) != 1:
        raise AnodiceError(f"expected runs alone or CSV files of scores alone, at least one, got {', '.join(given)}.")
    with _one_sentence("evaluate", overrides), _told(None, logging.WARNING):  # what comes of it is returned
        config, choices, _ = composed("evaluate", overrides)
        check_types(config, "evaluate", choices)
        config["scores" if all(files) else "run"] = given
        from anodice.programs.evaluate import evaluate_runs

        found = evaluate_runs(OmegaConf.create(OmegaConf.to_container(config, resolve=True)))
    return next(iter(found.values())) if len(found) == 1 and not several else found


def _with_folder(words: Sequence[str]) -> tuple[DictConfig, Path]:
    """The config of these overrides, and the folder of its run."""
    config, choices, whole = composed("train", words)
    check_no_sweep(choices)
    check_config(config, choices, words)
    return config, Path(whole.hydra.run.dir)  # which is made now, or was by the run to resume


def _own_folder(config: DictConfig) -> tuple[DictConfig, Path]:
    """A config that somebody has composed, and the folder of its run."""
    check_values(config)
    name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{config.name.model}_{config.name.data}"
    return config, Path(run_folder(f"{config.paths.log_dir}/runs/{name}", config.resume, config.paths.log_dir))


def _check_words(overrides: Sequence[str]) -> None:
    for word in overrides:
        if not isinstance(word, str):
            raise AnodiceError(
                f"expected overrides such as 'model=vae', got {word!r}; write them as on the command line."
            )
        if word.startswith("-"):
            raise AnodiceError(
                f"expected overrides such as 'model=vae', got {word}; sweeps are for python train.py -m, or for a loop "
                "over train(...) and evaluate([...])."
            )


@contextmanager
def _one_sentence(config_name: str, overrides: Sequence[str]) -> Iterator[None]:
    """Turn what the command line would tell in a sentence into an `AnodiceError` with it."""
    try:
        yield
    except AnodiceError:
        raise
    except Exception as error:
        told = sentence(error, config_name, overrides)
        if told is None:
            raise
        raise AnodiceError(told) from error


@contextmanager
def _told(file: Path | None, level: int = logging.INFO) -> Iterator[None]:
    """Show what the package logs from this level on, or from the one that somebody has set; a file gets all of it."""
    logger = logging.getLogger(__name__.partition(".")[0])
    handlers: list[logging.Handler] = [ConsoleHandler()]
    handlers[0].setLevel(logger.level or level)
    if file is not None:
        handlers.append(logging.FileHandler(file))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before = logger.level, logger.propagate
    logger.setLevel(min(level, logger.level or level))
    logger.propagate = False  # a notebook's own handlers would say everything twice
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
