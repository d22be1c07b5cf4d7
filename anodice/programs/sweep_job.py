"""One job of a sweep: skipped where it has ended, resumed where it was cut, and never the end of the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from anodice.app import run_folder
from anodice.app.command_line import check_config, sentence
from anodice.app.configs import chooses_itself, flatten
from anodice.app.process import cores
from anodice.app.sweep_folder import FAILED, FINISHED, JOB, PRUNED, STUDY, held, read_job, write_job
from anodice.errors import AnodiceError, first_line

if TYPE_CHECKING:
    from pytorch_lightning.callbacks import Callback

log = logging.getLogger(__name__)

_MAY_DIFFER = ("paths.", "threads", "resume", "trainer.precision", "trainer.devices", "trainer.accelerator")
"""Keys that a job may be gone on with in another way than it was begun."""


def run_job(config: DictConfig) -> None:
    """Train as `train` does, in the folder that Hydra gave the job; how it ended is noted there.

    A job that fails is tried again by the next start of the sweep, from its beginning.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    with held(folder, wait=True):  # the process of a killed sweep may still be at work on it
        try:
            check_config(config, HydraConfig.get().runtime.choices, HydraConfig.get().overrides.task)
            if chooses_itself(config):
                from anodice.programs.automatic import automatic  # torch loads now

                config = automatic(config, HydraConfig.get().overrides.task)
            config = _with_share_of_threads(OmegaConf.create(OmegaConf.to_container(config, resolve=True)))
            if not _is_done(folder, config):
                _train(config, folder)
        except Exception as error:
            _note_failure(folder, error)


def _is_done(folder: Path, config: DictConfig) -> bool:
    ended = read_job(folder).get("state")
    if ended in (FINISHED, PRUNED):
        _check_same(folder, config)
        print(f"{ended} before: {run_folder.readable(folder)}", flush=True)
        return True
    cut = any((folder / name).is_file() for name in (run_folder.LAST, run_folder.BEST))
    if ended is None and cut and (folder / run_folder.CONFIG).is_file():
        _check_same(folder, config)
        config.resume = str(folder)
    else:
        run_folder.clear(folder)
        (folder / JOB).unlink(missing_ok=True)
    return False


def _train(config: DictConfig, folder: Path) -> None:
    from anodice.programs.train import train  # torch loads now

    with _own_gpu(config, folder.parent):
        write_job(folder, FINISHED, value=train(config, folder, job=True, callbacks=_pruning(folder)))


@contextmanager
def _own_gpu(config: DictConfig, sweep: Path) -> Iterator[None]:
    """Where jobs run side by side and there are several GPUs: one that no other job of the sweep is on."""
    import torch

    several = torch.cuda.device_count() if config.trainer.accelerator in ("auto", "gpu", "cuda") else 0
    if several < 2 or jobs_at_once(HydraConfig.get().launcher) < 2 or config.trainer.devices != 1:
        yield
        return
    for k in range(several):
        with held(sweep / f".gpu_{k}", wait=k == several - 1) as mine:  # more jobs than GPUs: wait for the last one
            if mine:
                config.trainer.devices = [k]
                yield
                return


def _pruning(folder: Path) -> list[Callback]:
    """The callback that may end a trial of a study early, where that is wanted."""
    monitor = HydraConfig.get().sweeper.get("prune")
    if monitor is None:
        return []
    from anodice.training.pruning import Prune

    storage, number = f"sqlite:///{folder.parent / STUDY}", int(folder.name.rpartition("_")[2])
    return [Prune(storage=storage, study_name=folder.parent.name, number=number, monitor=monitor)]


def _note_failure(folder: Path, error: Exception) -> None:
    """A mistake in its sentence, anything else with its traceback in the log of the job."""
    if type(error).__name__ == "TrialPruned":  # Optuna's, which only some have
        write_job(folder, PRUNED, reason=str(error))
        return
    told = sentence(error, "train")
    if told is None:
        log.error("the job failed", exc_info=error)
        told = f"{type(error).__name__}: {first_line(error)}"
    else:
        log.error("error: %s", told)
    write_job(folder, FAILED, reason=told)


def _check_same(folder: Path, config: DictConfig) -> None:
    """Refuse to take a job for done, or to go on with it, whose settings are others now.

    Raises:
        AnodiceError: the first of them, and how to begin anew.
    """
    before, now = (_settings(OmegaConf.to_container(c)) for c in (run_folder.read_config(folder), config))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise AnodiceError(
                f"expected the settings that {run_folder.readable(folder)} was begun with, where {key} was "
                f"{before.get(key)!r}, got {now.get(key)!r}; delete that folder to begin the job anew."
            )


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flatten(config).items() if not key.startswith(_MAY_DIFFER)}


def _with_share_of_threads(config: DictConfig) -> DictConfig:
    """The threads of a job among those that run beside it, in place of `auto`."""
    beside = jobs_at_once(HydraConfig.get().launcher)
    if config.threads == "auto" and beside > 1:
        config.threads = max(1, cores() // beside)
    return config


def jobs_at_once(launcher: DictConfig) -> int:
    """How many jobs this launcher runs side by side.

    >>> jobs_at_once({}), jobs_at_once({"n_jobs": 3})
    (1, 3)
    """
    wanted = launcher.get("n_jobs", 1)
    return wanted if wanted > 0 else max(1, cores() + 1 + wanted)
