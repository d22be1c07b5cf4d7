"""The commands `train.py` and `evaluate.py`, which are also installed as `anodice-train` and `anodice-evaluate`.

torch and Lightning load only once the config is known to be right: help and mistakes are answered at once.
"""

from __future__ import annotations

import logging

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anodice.app.command_line import check_values, run
from anodice.app.configs import CONF, check_types
from anodice.app.run_folder import register_resolvers

log = logging.getLogger(__name__)


def train() -> None:
    """Train a detector: `python train.py model=vae`, `python train.py --help`."""
    register_resolvers()
    run(_train, "train")


def evaluate() -> None:
    """Evaluate finished runs: `python evaluate.py run=latest`, or several as `run=[A,B]`."""
    register_resolvers()
    run(_evaluate, "evaluate")


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def _train(config: DictConfig) -> float | None:
    check_types(config, "train", HydraConfig.get().runtime.choices)
    check_values(config)
    log.info("loading PyTorch and Lightning ...")
    from anodice.programs.train import train

    return train(config)


@hydra.main(config_path=str(CONF), config_name="evaluate", version_base="1.3")
def _evaluate(config: DictConfig) -> None:
    check_types(config, "evaluate", HydraConfig.get().runtime.choices)
    from anodice.programs.evaluate import evaluate_runs

    evaluate_runs(config)
