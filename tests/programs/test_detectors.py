"""The matrix: every detector, with its scores and comparisons, is fitted, evaluated and loaded again: same scores."""

from __future__ import annotations

import json

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import OmegaConf, open_dict

from anodice.app.configs import CONF
from anodice.app.run_folder import register_resolvers
from anodice.baselines.template import COMPARISONS
from anodice.evaluation.inference import load_weights
from anodice.evaluation.score_table import read_scores
from anodice.programs.evaluate import evaluate_runs
from anodice.programs.train import train

register_resolvers()

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
VARIANTS = [
    *([f"model={name}"] for name in MODELS),
    *(["model=template", f"model.comparison={name}"] for name in COMPARISONS),
    ["model=template", "model.comparison=mse", "model.own_other=0.75"],
    ["model=template", "model.comparison=ncc", "model.class_quantile=0.9"],
    ["model=fourier", "model.normalise=true"],
    ["model=ae_classifier", "score=template_ratio"],
    ["model=ae_classifier", "threshold=per_class"],
    ["model=ae_classifier", "data=dice6"],
    ["model=template", "data=dice6"],
    ["model=inception_cae", "score=nearest_neighbour", "model.code=null"],
    ["model=conv_ae", "score=l1", "model.loss=ssim"],
    ["model=conv_ae", "model.widths=[8,16]", "model.hidden=[64]", "model.loss=bce", "model.sigmoid=true"],
    *(["model=earlier_ae", f"model/network={path.stem}"] for path in sorted((CONF / "model/network").glob("*.yaml"))),
]


def configured(root, folder, *overrides):
    """The config as `train.py` would get it, with Hydra told where to write."""
    data = [] if any(o.startswith("data=") for o in overrides) else ["data=dice11"]
    small = [f"data.root={root}", "data.image_size=64", "data.batch_size=8", "data.steps_per_epoch=2", "logger=none"]
    small += ["data.validation_fraction=0.34", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    small += [f"paths.log_dir={folder}", f"paths.cache_dir={folder / 'cache'}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=[*data, *small, *overrides], return_hydra_config=True)
    config.hydra.runtime.output_dir = str(folder / "run")
    (folder / "run").mkdir()
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_fit_evaluate_reload_gives_the_same_scores(variant, dice_root, tmp_path):
    config = configured(dice_root, tmp_path, *variant)
    train(config)
    run = tmp_path / "run"
    scores = (run / "scores.csv").read_bytes()
    metrics = json.loads((run / "metrics.json").read_text())
    told = read_scores(run / "scores.csv")
    assert len(set(told.score.tolist())) > 1
    assert metrics["test"]["published"]["auroc"] is not None

    asked = {"run": str(run), "data": {"root": None}, "paths": {"log_dir": str(tmp_path)}}
    evaluate_runs(OmegaConf.create(asked))
    assert (run / "scores.csv").read_bytes() == scores
    assert json.loads((run / "metrics.json").read_text()) == metrics

    detector = instantiate(OmegaConf.load(run / "config.yaml").model)
    load_weights(detector, run / "checkpoints" / "best.ckpt")
    assert all(torch.isfinite(value).all() for value in detector.state_dict().values())
    images = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps, found, classes = detector.eval()(images)
    assert maps.shape == (3, 1, 64, 64)
    assert maps.isfinite().all()
    assert (found.shape, found.dtype) == ((3,), torch.float64)
    assert (classes is None) == (detector.classes is None) == (metrics["test"]["published"]["class_accuracy"] is None)
    if "model.comparison=dark_band" not in variant:  # which counts dark pixels, wherever they are
        columns = torch.randperm(64, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            assert (detector(images[..., columns]).scores != found).all()


@pytest.mark.parametrize("model", ["ae_classifier", "patchcore", "template"])
def test_colour(model, dice_root, tmp_path):
    train(configured(dice_root, tmp_path, f"model={model}", "data.in_channels=3"))
    assert (tmp_path / "run" / "metrics.json").is_file()
