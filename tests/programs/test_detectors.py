"""The matrix: every detector, with its scores and comparisons, is fitted, evaluated and loaded again: same scores."""

from __future__ import annotations

import json
import re

import pytest
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from matplotlib.figure import Figure
from omegaconf import OmegaConf, open_dict

from anodice.app.configs import CONF
from anodice.app.run_folder import register_resolvers
from anodice.baselines.template import COMPARISONS
from anodice.evaluation.score_table import read_scores
from anodice.models.loading import load_weights
from anodice.programs.evaluate import evaluate_runs
from anodice.programs.train import train

register_resolvers()


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


VARIANTS = [
    *([f"model={name}"] for name in options("model")),
    *([f"score={name}"] for name in options("score")),
    *(["model=template", f"threshold={name}"] for name in options("threshold")),
    *(["model=conv_ae", f"augmentation={name}"] for name in options("augmentation")),
    *(["model=template", f"split={name}"] for name in options("split")),
    *(["model=earlier_ae", f"model/network={name}"] for name in options("model/network")),
    *(["model=template", f"model.comparison={name}"] for name in COMPARISONS),
    ["model=template", "model.comparison=mse", "model.own_other=0.75"],
    ["model=template", "model.comparison=ncc", "model.class_quantile=0.9"],
    ["model=fourier", "model.normalise=true"],
    ["model=ae_classifier", "threshold=per_class"],
    ["model=ae_classifier", "data=dice6"],
    ["model=template", "data=dice6"],
    ["model=inception_cae", "score=nearest_neighbour", "model.network.code=null"],
    ["model=conv_ae", "score=l1", "model.loss=ssim"],
    ["model=conv_ae", "model.network.widths=[8,16]", "model.network.hidden=[64]", "model.loss=bce"],
    ["model=patchcore", "model/backbone=torchvision"],
    ["model=local_memory", "model/backbone=torchvision"],
]
"""What is found under conf/ is tried without being named here."""

FAST = (["model=conv_ae"], ["model=template"])
NEEDS = {
    "threshold=manual": ["threshold.value=1.0"],
    "threshold=oracle": ["allow_oracle=true"],
    "split=session": ["split.test=[16_09_21]"],
    "model=local_memory": ["model.memory.views=100"],
    "model.loss=bce": ["model.network.sigmoid=true"],
}
"""What an option cannot do without."""


def configured(root, folder, *overrides):
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


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Pictures take half of the time, and are looked at by other tests."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)


def serving(config, root, folder, *overrides):
    """The config with a detector that serves its score: the one that is chosen, or the one it says to use."""
    try:
        instantiate(config.model)
    except InstantiationException as refused:
        model = re.search(r"use (model=\w+)", str(refused))[1]
        (folder / "run").rmdir()
        return configured(root, folder, model, *overrides)
    return config


@pytest.mark.parametrize(
    "variant", [pytest.param(v, id=" ".join(v), marks=() if v in FAST else pytest.mark.slow) for v in VARIANTS]
)
def test_fit_evaluate_reload_gives_the_same_scores(variant, dice_root, tmp_path):
    config = serving(configured(dice_root, tmp_path, *variant), dice_root, tmp_path, *variant)
    train(config)
    run = tmp_path / "run"
    scores = (run / "scores.csv").read_bytes()
    metrics = json.loads((run / "metrics.json").read_text())
    told = read_scores(run / "scores.csv")
    assert len(set(told.score.tolist())) > 1
    assert metrics["validation"]["normals"] > 0

    asked = {"run": str(run), "data": {"root": None}, "paths": {"log_dir": str(tmp_path)}}
    evaluate_runs(OmegaConf.create(asked))
    assert (run / "scores.csv").read_bytes() == scores
    assert json.loads((run / "metrics.json").read_text()) == metrics

    # The checkpoint alone tells how the detector was made, and so does the run's config.
    checkpoint = run / "checkpoints" / "best.ckpt"
    detector = instantiate(OmegaConf.load(run / "config.yaml").model)
    load_weights(detector, checkpoint)
    again = type(detector).load_from_checkpoint(checkpoint)
    assert all(torch.isfinite(value).all() for value in detector.state_dict().values())
    images = F.interpolate(torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)), 64, mode="bilinear")
    with torch.inference_mode():
        maps, found, classes = detector.eval()(images)
        assert torch.equal(again(images).scores, found)
        assert torch.equal(again(images).maps, maps)
    assert maps.shape == (3, 1, 64, 64)
    assert maps.isfinite().all()
    assert (found.shape, found.dtype) == ((3,), torch.float64)
    assert (classes is None) == (detector.classes is None) == (metrics["test"]["published"]["class_accuracy"] is None)
    if "model.comparison=dark_band" not in variant:  # which counts dark pixels, wherever they are
        columns = torch.randperm(64, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            assert (detector(images[..., columns]).scores != found).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ae_classifier", "local_memory", "patchcore", "template"])
def test_colour(model, dice_root, tmp_path):
    train(configured(dice_root, tmp_path, f"model={model}", "data.in_channels=3"))
    assert (tmp_path / "run" / "metrics.json").is_file()
