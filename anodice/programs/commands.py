"""The commands `train.py`, `evaluate.py`, `predict.py` and `export.py`, also installed as `anodice-train` and so on.

torch and Lightning load only once the config is known to be right: help and mistakes are answered at once.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from anodice.app.command_line import check_config, check_no_sweep, run
from anodice.app.conf import CONF
from anodice.app.configs import check_types
from anodice.app.run_folder import CONFIG, readable, register_resolvers, remove_unused
from anodice.programs.sweep_job import run_job
from hydra_plugins.anodice_sweepers import Grid, Optuna

log = logging.getLogger(__name__)


def train() -> None:
    """Train a detector: `python train.py model=vae`, `python train.py --help`."""
    register_resolvers()
    for sweeper in (Grid, Optuna):  # Hydra finds those of an editable installation no other way
        Plugins.instance().register(sweeper)
    run(_train, "train")


def evaluate() -> None:
    """Evaluate finished runs: `python evaluate.py run=latest`, or several as `run=[A,B]`."""
    register_resolvers()
    run(_evaluate, "evaluate")


def predict() -> None:
    """Score new photos: `python predict.py run=latest photos=DIR`."""
    register_resolvers()
    run(_predict, "predict")


def export() -> None:
    """Write a finished run as one model: `python export.py run=latest format=onnx`."""
    register_resolvers()
    run(_export, "export")


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def _train(config: DictConfig) -> float | None:
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        register_resolvers()  # a job may have a process of its own
        run_job(config)
        return None
    hydra_config = HydraConfig.get()
    run_folder, overrides = Path(hydra_config.runtime.output_dir), list(hydra_config.overrides.task)
    try:
        check_no_sweep(hydra_config.runtime.choices)
        check_config(config, hydra_config.runtime.choices, overrides)
        log.info("loading PyTorch and Lightning ...")
        from anodice.programs.train import train

        return train(config, run_folder, changes=[o for o in overrides if not o.startswith("resume=")])
    except KeyboardInterrupt:
        remove_unused(run_folder)
        if (run_folder / CONFIG).is_file():
            log.info("python train.py resume=%s goes on with it", readable(run_folder))
        raise
    except Exception:
        remove_unused(run_folder)
        raise


@hydra.main(config_path=str(CONF), config_name="evaluate", version_base="1.3")
def _evaluate(config: DictConfig) -> None:
    check_types(config, "evaluate", HydraConfig.get().runtime.choices)
    from anodice.programs.evaluate import evaluate_runs

    evaluate_runs(config)


@hydra.main(config_path=str(CONF), config_name="predict", version_base="1.3")
def _predict(config: DictConfig) -> None:
    check_types(config, "predict", HydraConfig.get().runtime.choices)
    OmegaConf.resolve(config)
    from anodice.programs.predict import predict

    if predict(config):
        sys.exit(1)


@hydra.main(config_path=str(CONF), config_name="export", version_base="1.3")
def _export(config: DictConfig) -> None:
    check_types(config, "export", HydraConfig.get().runtime.choices)
    OmegaConf.resolve(config)
    from anodice.programs.export import export_run

    if not export_run(config):
        sys.exit(1)
