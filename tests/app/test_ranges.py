"""Values out of their range are refused before torch loads; what conf/ has is not."""

from __future__ import annotations

import pytest
from omegaconf import DictConfig, OmegaConf

from anodice.app.command_line import check_values
from anodice.app.configs import composed
from anodice.errors import AnodiceError
from tests.app.test_configs import options

WRONG = [
    *(f"seed={value}" for value in ("-1", "null", "1.5", "4294967296")),
    *(f"optimizer.{name}" for name in ("lr=.nan", "lr=-1", "lr=inf", "weight_decay=-1", "weight_decay=.nan")),
    *(f"data.{name}=-1" for name in ("batch_size", "image_size", "in_channels", "steps_per_epoch")),
    *(f"data.{name}=null" for name in ("batch_size", "image_size", "in_channels", "root", "cache_dir")),
    *(f"data.{name}=3" for name in ("augmentation", "split", "orientation")),
    *("data.root=[a,b]", "data.border_radius=.nan", "paths.log_dir=null", "paths.cache_dir=3"),
    *(f"optimized_metric={value}" for value in ("f1", "null", "3")),
    *("figure_formats=null", "figure_formats=png", "augmentation.brightness=-1", "augmentation.blur=.nan"),
    *("score.smoothing=-1", "model.beta=.nan", "model.network.widths=[]", "model.network.widths=[32,-1]"),
    *("split.seed=-1", "split.validation_fraction=-0.1", "split.validation_fraction=null"),
    *(f"trainer.{name}" for name in ("max_epochs=-2", "max_epochs=0", "gradient_clip_val=-1")),
    *(f"trainer.{name}" for name in ("accumulate_grad_batches=0", "num_sanity_val_steps=-5", "log_every_n_steps=-1")),
    *("trainer.check_val_every_n_epoch=0", "trainer.val_check_interval=100000", "threads=100000", "threads=0"),
    *("callbacks.early_stopping.patience=-1", "callbacks.finite_loss.every_n_steps=0"),
    *("callbacks.panels.every_n_epochs=0", "callbacks.panels.of_each=0"),
]


@pytest.fixture(scope="module")
def composed_once():
    return composed("train", ["model=vae", "data=dice11"]).config


@pytest.mark.parametrize("override", WRONG)
def test_a_value_that_cannot_be_is_refused_by_its_key(override, composed_once):
    config = composed_once.copy()
    (key, value), *_ = OmegaConf.from_dotlist([override]).items()
    while isinstance(value, DictConfig):
        ((last, value),) = value.items()
        key = f"{key}.{last}"
    OmegaConf.update(config, key, value, force_add=True)
    with pytest.raises(AnodiceError, match=rf"expected .*{key.rpartition('.')[2]}"):
        check_values(config)


def test_what_conf_has_is_in_range():
    for group in ("model", "data", "augmentation", "split", "callbacks"):
        for option in options(group):
            needed = ["split.test=[a]"] if option == "session" else []
            check_values(composed("train", [f"{group}={option}", *needed]).config)
