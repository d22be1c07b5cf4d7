"""Train a detector: `python train.py model=vae`, `python train.py --help`."""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anodice.app.command_line import check_values, run
from anodice.app.configs import check_types
from anodice.app.run_folder import register_resolvers

register_resolvers()


@hydra.main(config_path="conf", config_name="train", version_base="1.3")
def main(config: DictConfig) -> float | None:
    check_types(config, "train", HydraConfig.get().runtime.choices)
    check_values(config)
    from anodice.programs.train import train  # torch and Lightning load only now: help and config errors stay instant

    return train(config)


if __name__ == "__main__":
    run(main, "train")
