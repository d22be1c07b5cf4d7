"""Configs of small trainings, as `train.py` would get them."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from anodice.app.configs import CONF
from anodice.app.run_folder import register_resolvers

register_resolvers()

NEEDS = {
    "threshold=manual": ["threshold.value=1.0"],
    "threshold=oracle": ["allow_oracle=true"],
    "split=session": ["split.test=[16_09_21]"],
    "model=local_memory": ["model.memory.views=100"],
    "model.loss=bce": ["model.network.sigmoid=true"],
}
"""What an option cannot do without."""


def configured(root: Path, folder: Path, *overrides: str) -> DictConfig:
    """The config as `train.py` would get it, with Hydra told where to write."""
    data = [] if any(o.startswith("data=") for o in overrides) else ["data=dice11"]
    small = [f"data.root={root}", "data.image_size=64", "data.batch_size=8", "data.steps_per_epoch=2", "logger=none"]
    small += ["split.validation_fraction=0.34", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    small += [f"paths.log_dir={folder}", f"paths.cache_dir={folder / 'cache'}"]
    small += [needed for option in overrides for needed in NEEDS.get(option, [])]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=[*data, *small, *overrides], return_hydra_config=True)
    config.hydra.runtime.output_dir = str(folder / "run")
    (folder / "run").mkdir()
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config
