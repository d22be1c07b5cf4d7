"""The matrix: every detector, with its scores and comparisons, is fitted, evaluated and loaded again: same scores."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from anodice.app.conf import CONF
from anodice.baselines.template import COMPARISONS
from anodice.evaluation.run_results import read_scores
from anodice.models.loading import load_weights
from anodice.prediction.predictor import Predictor
from anodice.programs.evaluate import evaluate_runs
from anodice.programs.train import train
from tests.runs import configured


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


VARIANTS = [
    *([f"model={name}"] for name in options("model") if name != "auto"),  # one of the others; see test_automatic.py
    *(["model=vae", f"score={name}"] for name in options("score")),
    *(["model=fourier", f"threshold={name}"] for name in options("threshold")),  # it has limits for threshold=learned
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
    ["model=dense_vae", "score=elbo"],
    ["model=patchcore", "model/backbone=torchvision"],
    ["model=local_memory", "model/backbone=torchvision"],
    ["model=padim", "model/backbone=torchvision"],
    *([f"model={name}", "model/backbone=timm"] for name in ("local_memory", "padim", "patchcore")),
]
"""What is found under conf/ is tried without being named here."""

FAST = (["model=conv_ae"], ["model=template"])


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
        return configured(root, folder, model, *(o for o in overrides if not o.startswith("model=")))
    return config


@pytest.mark.parametrize(
    "variant", [pytest.param(v, id=" ".join(v), marks=() if v in FAST else pytest.mark.slow) for v in VARIANTS]
)
def test_fit_evaluate_reload_gives_the_same_scores(variant, dice_root, tmp_path):
    config = serving(configured(dice_root, tmp_path, *variant), dice_root, tmp_path, *variant)
    train(config, tmp_path / "run")
    run = tmp_path / "run"
    scores = (run / "scores.csv").read_bytes()
    metrics = json.loads((run / "metrics.json").read_text())
    told = read_scores(run)
    assert len(set(told.score.tolist())) > 1
    assert metrics["validation"]["normals"] > 0

    asked = {"run": str(run), "data": {"root": None}, "paths": {"log_dir": str(tmp_path)}}
    evaluate_runs(OmegaConf.create(asked))
    assert (run / "scores.csv").read_bytes() == scores
    assert json.loads((run / "metrics.json").read_text()) == metrics

    # New photos are scored by the run folder alone, in batches of another size.
    predictor = Predictor.from_run(run)
    root = Path(OmegaConf.load(run / "config.yaml").data.root)
    predicted = predictor([root / path for path in told.path])
    # Sums round otherwise in batches of another size, above all distances from a memory, differences of large products.
    digits = 1e-3 if "model=local_memory" in variant else 5e-5
    assert [one.score for one in predicted] == pytest.approx(told.score.tolist(), rel=digits, abs=1e-7)
    verdicts = predictor.threshold.flags(told.score, told.predicted)
    assert sum(one.anomalous != said for one, said in zip(predicted, verdicts, strict=True)) == 0
    assert [one.class_name or "" for one in predicted] == told.predicted.tolist()

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
@pytest.mark.parametrize("model", ["ae_classifier", "local_memory", "padim", "patchcore", "template"])
def test_colour(model, dice_root, tmp_path):
    train(configured(dice_root, tmp_path, f"model={model}", "data.in_channels=3"), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").is_file()
