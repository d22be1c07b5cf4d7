"""Every file under conf/ composes and makes what it names."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from anodice.app.conf import CONF
from anodice.app.configs import check_types, flatten, shared_parameters
from anodice.app.run_folder import register_resolvers
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.models.detector import Detector
from anodice.programs.optuna_sweeper import distribution
from anodice.programs.sweeper import jobs_of
from anodice.programs.trainer import make_trainer

register_resolvers()


def options(group: str) -> list[str]:
    return sorted(p.stem for p in (CONF / group).glob("*.yaml"))


def composed(*overrides: str, name: str = "train"):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, overrides=list(overrides), return_hydra_config=name == "train")


def compose_multirun(*overrides: str):
    return composed(*overrides, "hydra.mode=MULTIRUN")


EVERY = [
    (folder.name, option) for folder in sorted(CONF.iterdir()) if folder.is_dir() for option in options(folder.name)
]


@pytest.mark.parametrize(("group", "option"), [(g, o) for g, o in EVERY if g not in ("hydra", "paths")])
def test_every_option_composes(group, option):
    assert composed(f"{group}={option}").model._target_.startswith(("anodice.models.", "anodice.baselines."))


@pytest.mark.slow
@pytest.mark.parametrize("model", [name for name in options("model") if name != "auto"])  # which is no detector yet
@pytest.mark.parametrize("score", options("score"))
def test_every_model_is_made_with_every_score_that_it_can_serve(model, score):
    small = ["data.image_size=64"]
    if "painter" in composed(f"model={model}").model:
        small.append("model.painter.stamps=36")
    config = composed(f"model={model}", f"score={score}", *small)
    try:
        detector = instantiate(config.model)
    except InstantiationException as refused:
        # Every score is served by some detector, and says by which.
        served = re.search(r"use model=(\w+)", str(refused))[1]
        assert isinstance(instantiate(composed(f"model={served}", f"score={score}").model), Detector)
    else:
        assert isinstance(detector, Detector)


@pytest.mark.parametrize("augmentation", options("augmentation"))
def test_data_is_made_with_every_augmentation(augmentation, dice_root):
    config = composed("data=dice11", f"data.root={dice_root}", f"augmentation={augmentation}")
    data = instantiate(config.data)
    assert isinstance(data, DiceDataModule)
    assert (data.augmentation is None) == (augmentation == "none")


@pytest.mark.parametrize("data", options("data"))
def test_every_layout_tells_what_it_expects(data, tmp_path):
    needed = {"folder": ["data.layout.normal=[good]"], "visa": ["data.layout.kind=candle"]}.get(data, [])
    if data == "visa":
        (tmp_path / "split_csv").mkdir()
        row = "candle,train,normal,candle/Data/Images/Normal/0.JPG,"
        (tmp_path / "split_csv" / "1cls.csv").write_text(f"object,split,label,image,mask\n{row}\n")
    config = composed(f"data={data}", f"data.root={tmp_path}", *needed)
    layout = instantiate(config.data.layout)(tmp_path)
    assert layout.tree.startswith("ROOT/")
    assert any(not folder.anomalous and folder.split != "test" for folder in layout.folders)


@pytest.mark.parametrize("threshold", options("threshold"))
def test_every_threshold_rule_has_the_name_of_its_file(threshold):
    extra = ["threshold.value=1.0"] if threshold == "manual" else []
    for name in ("train", "evaluate"):
        assert instantiate(composed(f"threshold={threshold}", *extra, name=name).threshold).name == threshold


@pytest.mark.parametrize("optimizer", options("optimizer"))
def test_every_optimizer_steps(optimizer):
    detector = instantiate(composed(f"optimizer={optimizer}", "model=conv_ae").model)
    made, _ = detector.optimizer(detector.parameters(), 10)
    assert made.param_groups[0]["lr"] > 0


@pytest.mark.parametrize("space", options("sweep/space"))
def test_every_search_space_is_one_of_its_model(space):
    overrides = OverridesParser.create().parse_overrides(
        [f"{key}={value}" for key, value in OmegaConf.load(CONF / "sweep" / "space" / f"{space}.yaml").items()]
    )
    study = optuna.create_study()
    params = study.ask({o.get_key_element(): distribution(optuna, o.get_key_element(), o) for o in overrides}).params
    small = ["data.image_size=64"] + (["model.painter.stamps=36"] if space == "defect_unet" else [])
    config = composed(f"model={space}", *small, *(f"{key}={value}" for key, value in params.items()))
    assert isinstance(instantiate(config.model), Detector)
    assert {"data.root", "seed"} & params.keys() == set()


@pytest.mark.parametrize("sweep", [s for s in options("sweep") if s != "optuna"])
def test_every_sweep_goes_through_several_trainings(sweep):
    config = compose_multirun(f"sweep={sweep}")
    overrides = OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in config.hydra.sweeper.params.items()])
    jobs = jobs_of(overrides)
    assert len(jobs) == {"grid": 12, "seeds": 3, "folds": 5, "families": 18}[sweep]
    for job in list(jobs.values())[:: max(1, len(jobs) // 3)]:
        composed(f"sweep={sweep}", *job)


def test_the_study_maximises_by_its_own_sweeper():
    assert compose_multirun("sweep=optuna").hydra.sweeper._target_ == "hydra_plugins.anodice_sweepers.Optuna"
    assert composed().hydra.sweeper._target_ == "hydra_plugins.anodice_sweepers.Grid"


@pytest.mark.parametrize("logger", ["csv", "tensorboard", "tensorboard_csv", "none"])
def test_every_logger_writes_into_the_run_folder(logger, tmp_path):
    config = composed(f"logger={logger}", "trainer.precision=32-true")
    trainer = make_trainer(OmegaConf.create(OmegaConf.to_container(config, resolve=False)), tmp_path)
    assert len(trainer.loggers) == {"none": 0, "tensorboard_csv": 2}.get(logger, 1)
    assert all(Path(found.save_dir) == tmp_path for found in trainer.loggers)


@pytest.mark.parametrize("callbacks", options("callbacks"))
def test_callbacks_are_made(callbacks, tmp_path):
    config = composed(f"callbacks={callbacks}", "logger=none", "trainer.precision=32-true")
    made = {type(callback).__name__ for callback in make_trainer(config, tmp_path).callbacks}
    assert ("AveragedWeights" in made) == (callbacks in ("ema", "swa"))


def test_data_root_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("DICE_ROOT", "/somewhere")
    assert composed("data=dice11").data.root == "/somewhere"


def test_every_key_has_a_comment_or_speaks_for_itself():
    silent = {
        "_target_",
        "_partial_",
        "image_size",
        "in_channels",
        "score",
        "optimizer",
        "seed",
        "augmentation",
        "layout",
        "memory",
        "painter",
        "loss",
        "defaults",
        "network",
        "- network",
        "- network@network.autoencoder",
        "- _self_",
        "",
    }
    for path in [p for group in ("model", "score", "split") for p in sorted(CONF.glob(f"{group}/*.yaml"))]:
        for line in path.read_text().splitlines():
            key = line.strip().partition(":")[0]
            assert line.startswith("#") or "#" in line or key in silent | {"residual", "pooling"}, (
                f"{path.name}: {line}"
            )


def test_first_line_of_every_file_says_what_it_is():
    for path in CONF.rglob("*.yaml"):
        first = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
        inline = path.parent.name in ("callbacks", "paths") and "#" in first
        assert first.startswith("# ") or inline, path


def test_check_types_accepts_what_is_legal():
    config = composed(
        "model=vae", "trainer.max_epochs=3", "model.beta=1", "data.steps_per_epoch=null", "trainer.devices=auto"
    )
    check_types(config, "train", {"model": "vae", "data": "synthetic"})


def test_check_types_refuses_a_word_for_a_number():
    with pytest.raises(AnodiceError, match=r"expected model.beta to be a number .* got 'much'"):
        check_types(composed("model=vae", "model.beta=much"), "train", {"model": "vae"})


def test_flatten_leaves_interpolations_alone():
    assert flatten(composed())["data.seed"] == "${seed}"


def test_conf_is_where_the_programs_look():
    assert Path(__file__).parents[2] / "conf" == CONF


CONFIG = {
    "name": {"model": "vae", "data": "dice11"},
    "seed": 0,
    "model": {"network": {"code": 64}, "optimizer": {"lr": 0.1}},
    "optimizer": {"lr": 0.1},
    "data": {"batch_size": 32, "root": "somewhere"},
    "trainer": {"max_epochs": 3, "devices": 1},
}


def test_runs_are_told_apart_by_what_all_of_them_have():
    expected = {"Model": "vae", "Data": "dice11", "Seed": 0, "epochs": 3, "batch_size": 32, "learning_rate": 0.1}
    assert shared_parameters(OmegaConf.create(CONFIG)) == expected


def test_every_model_has_the_same_parameters_to_be_told_apart_by():
    HydraConfig.instance().set_config(composed())
    names = {tuple(shared_parameters(composed(f"model={model}"))) for model in ("vae", "template", "local_memory")}
    (found,) = names
    others = {"split", "augmentation", "score", "threshold", "epochs", "batch_size", "learning_rate"}
    assert set(found) == {"Model", "Data", "Seed"} | others
