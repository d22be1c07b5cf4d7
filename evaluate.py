"""Evaluate finished runs: `python evaluate.py run=latest`, or several as `run=[A,B]`."""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anodice.app.command_line import run
from anodice.app.configs import check_types
from anodice.app.run_folder import register_resolvers

register_resolvers()


@hydra.main(config_path="conf", config_name="evaluate", version_base="1.3")
def main(config: DictConfig) -> None:
    check_types(config, "evaluate", HydraConfig.get().runtime.choices)
    from anodice.programs.evaluate import evaluate_runs  # loads torch and Lightning only to score anew

    evaluate_runs(config)


if __name__ == "__main__":
    run(main, "evaluate")
