"""The library as a notebook uses it: commands without a command line, defaults, Lightning's habits, lazy names."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import subprocess
import sys
from functools import partial
from pathlib import Path

import hydra
import pytest
import pytorch_lightning as pl
import torch
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object, instantiate

import anodice
from anodice import AnodiceError, PhotoFolder, VAENetwork, evaluate, train
from anodice.app.recipe import recipe
from anodice.programs.train import train as train_config
from tests.runs import configured


def complete(told):
    """A recipe with all arguments, those that it leaves to their defaults as well."""
    if isinstance(told, list):
        return [complete(one) for one in told]
    if not isinstance(told, dict):
        return told
    found = {key: complete(value) for key, value in told.items()}
    if "_target_" in told:
        given = inspect.signature(get_object(told["_target_"])).parameters.values()
        found = {p.name: recipe(p.default) for p in given if p.default is not inspect.Parameter.empty} | found
    return found


DEFAULTS = {
    "vae": anodice.VAE,
    "conv_ae": anodice.ConvAE,
    "ae_classifier": lambda: anodice.AEClassifier(anodice.AEClassifierNetwork(classes=["bad", "good"])),
    "inception_cae": anodice.InceptionCAE,
    "defect_unet": anodice.DefectUNet,
    "local_memory": anodice.EncoderMemory,
    "padim": lambda: anodice.EncoderMemory(memory=anodice.PatchGaussians()),
    "patchcore": lambda: anodice.EncoderMemory(memory=anodice.PatchMemory()),
}
FOLDER = ["data=folder", "data.root=DIR", "data.layout.normal=[good,bad]", "data.layout.anomalous=[ugly]"]


@pytest.mark.parametrize("model", DEFAULTS)
def test_detectors_have_the_defaults_of_conf(model, tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    config = anodice.compose(f"model={model}", *FOLDER, f"data.root={tmp_path}")
    assert complete(recipe(DEFAULTS[model]())) == complete(recipe(instantiate(config.model)))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_optimizers_have_the_defaults_of_conf(optimizer):
    made = instantiate(anodice.compose(f"optimizer={optimizer}").optimizer)
    assert complete(recipe(getattr(anodice, optimizer))) == complete(recipe(made))


@pytest.mark.parametrize(
    "rule", [anodice.F1Max(), anodice.FBeta(), anodice.RecallAt(), anodice.PrecisionAt(), anodice.NormalsOnly()]
)
def test_threshold_rules_have_the_defaults_of_conf(rule):
    assert instantiate(anodice.compose(f"threshold={rule.name}").threshold) == rule


def test_folders_have_the_defaults_of_conf():
    own = PhotoFolder("DIR", normal=["good", "bad"], anomalous=["ugly"])
    made = instantiate(anodice.compose(*FOLDER).data)
    expected = complete(recipe(made))
    named = expected.pop("layout")
    told = complete(recipe(own))
    folders = {name: told[name] for name in ("normal", "anomalous", "test_normal", "test_anomalous")}
    assert folders == {name: named[name] for name in folders}
    assert {key: told[key] for key in expected.keys() & told.keys() - {"_target_"}} == {
        key: expected[key] for key in expected.keys() & told.keys() - {"_target_"}
    }
    assert expected.keys() - told.keys() == {"orientation", "border_radius"}  # of dice alone
    assert (expected["orientation"], expected["border_radius"]) == (None, None)


SMALL = [
    "data=dice11",
    "data.image_size=64",
    "trainer.accelerator=cpu",
    "logger=none",
    "split.validation_fraction=0.34",
]


@pytest.fixture
def small(dice_root, tmp_path, monkeypatch):
    """Overrides of a training that takes a second, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # as in a notebook
    return ["model=template", "model.comparison=mse", *SMALL, f"data.root={dice_root}"]


def test_train_evaluate_and_predict_as_in_a_notebook(small, dice_root, capsys):
    run = train(*small)
    printed = capsys.readouterr().out
    assert "Result: **At the threshold that f1_max fitted on validation" in printed
    assert run.folder.parent == Path("logs/runs")
    assert run.folder.name.endswith("_template_dice11")
    assert "Result" in (run.folder / "train.log").read_text()
    assert run.metrics["test"]["clean"]["at"]["f1_max"]["f1"] == pytest.approx(run_f1(run))
    assert run.config.name.model == "template"
    assert run.report() == (run.folder / "report.md").read_text()
    assert run.report()._repr_markdown_().startswith("# template on dice11")
    assert run._repr_markdown_().startswith("# template on dice11")
    assert run.figures["test_roc"]._repr_png_().startswith(b"\x89PNG")
    assert run.figures._repr_html_().count("<img") == len(run.figures) > 10
    photo = dice_root / run.scores.published.path[0]
    assert run.predictor()(photo).score == pytest.approx(run.scores.published.score[0], rel=1e-5)
    detector, data = run.load()
    assert len(data.test_dataset) == len(run.scores.published)
    assert detector.is_fitted

    other = evaluate(run, "threshold=recall_at", "threshold.target=1.0")
    assert other.threshold.rule == other.predictor().threshold.rule == "recall_at"
    assert other.metrics["test"]["clean"]["at"]["recall_at"]["fn"] == 0
    assert other.folder == run.folder

    again = train(*small, "seed=1")
    capsys.readouterr()
    both = evaluate([run.folder, again])
    assert capsys.readouterr().out == ""  # a notebook shows what it gets
    assert list(both) == [run.folder.name, again.folder.name]
    assert "only first right" in both.report()
    one = evaluate(run.folder / "scores.csv")  # a run's scores are scores as any others
    told = {name: value for name, value in run.metrics["test"]["clean"].items() if name != "pixels"}
    assert one.metrics["test"]["clean"] == told


def test_a_training_is_quiet_where_somebody_wants_it(small, capsys, monkeypatch):
    logger = logging.getLogger("anodice")
    monkeypatch.setattr(logger, "level", logger.level)
    logger.setLevel("WARNING")
    run = train(*small, "figure_formats=[]")
    assert capsys.readouterr().out == ""
    assert "Result" in (run.folder / "train.log").read_text()
    assert logger.level == logging.WARNING
    assert len(run.figures) == 0


def run_f1(run):
    """From the scores, by the definition."""
    part = run.scores.clean
    flags = part.score >= run.threshold.value
    return 2 * (flags & part.label).sum() / (flags.sum() + part.label.sum())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model=vea"], "there is no model=vea; did you mean 'vae'"),
        (["trainer.max_epoch=2"], "did you mean 'trainer.max_epochs'"),
        (["seed=-1"], "expected seed to be a whole number"),
        (["-m", "seed=0,1"], "sweeps are for python train.py -m"),
        (["model=vae", "data=folder"], "expected a value for data.root"),
        ([{"model": "vae"}], "expected overrides such as 'model=vae'"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnodiceError, match=told):
        train(*words)
    assert list(tmp_path.rglob("train.log")) == []


def test_evaluate_takes_runs_or_scores_and_no_mixture(tmp_path):
    with pytest.raises(AnodiceError, match=r"expected runs alone or CSV files of scores alone.*got latest, a\.csv"):
        evaluate(["latest", "a.csv"])


def test_configs_of_hydras_own_compose_can_be_made_and_trained(small, dice_root, tmp_path):
    with initialize_config_dir(str(anodice.CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=small)
    assert config.name.model == "Template"  # nobody knows the option any more
    assert config.trainer.precision in ("bf16-mixed", "32-true")
    assert isinstance(instantiate(config.trainer, enable_progress_bar=False), pl.Trainer)
    assert instantiate(config.data).classes[0] == "00"
    assert train(config).metrics["model"] == "Template"
    assert anodice.compose(*small).name.model == "template"


@pytest.mark.slow
def test_a_resumed_run_is_the_same_run(dice_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configured(dice_root, tmp_path, "model=vae", "model.network.widths=[8,16]", "data.augmentation=null")
    train_config(config, tmp_path / "run")
    run = train(f"resume={tmp_path / 'run'}", "trainer.max_epochs=2")
    assert run.folder == tmp_path / "run"
    assert run.config.trainer.max_epochs == 2


@pytest.fixture
def data(dice_root, tmp_path):
    """Photos of two classes, and anomalous ones."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "good").symlink_to(dice_root / "train_set" / "00")
    (own / "better").symlink_to(dice_root / "train_set" / "05")
    (own / "bad").symlink_to(dice_root / "train_set" / "ano")
    sizes = {"image_size": 64, "batch_size": 4, "steps_per_epoch": 1, "cache_dir": tmp_path / "cache"}
    return PhotoFolder(own, normal=["good", "better"], anomalous=["bad"], **sizes)


def test_datasets_are_indexed_as_datasets_are(data):
    for stage in ("fit", "validate", "test", "predict", None):
        data.setup(stage)
    data.setup()
    split = data.photos.split
    assert len(data.train_dataset) == len(split.fit)
    assert len(data.val_dataset) == len(split.validation)
    assert len(data.test_dataset) == len(data.predict_dataset) == len(split.test)
    photo = data.train_dataset[0]
    assert (photo["image"].shape, photo["image"].dtype) == ((1, 64, 64), torch.float32)
    assert photo["image"].max() <= 1
    assert photo["label"].item() is False
    assert data.test_dataset[-1]["label"].item() is True
    assert len(list(data.test_dataset)) == len(split.test)
    with pytest.raises(IndexError):
        data.train_dataset[len(split.fit)]
    batches = list(data.test_dataloader())
    joined = torch.cat([batch["image"] for batch in batches])
    assert torch.equal(joined, torch.stack([photo["image"] for photo in data.test_dataset]))
    assert data.test_dataset.paths == [data.photos.records[i].path for i in split.test]


def test_a_bare_trainer_does_all_it_does_for_others(data, tmp_path):
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=1, default_root_dir=tmp_path, logger=False, **quiet)
    detector = anodice.VAE(VAENetwork(image_size=64, code=4, widths=[8, 16]))
    trainer.fit(detector, datamodule=data)
    (best,) = trainer.test(ckpt_path="best", datamodule=data, verbose=False)
    (tested,) = trainer.test(detector, datamodule=data, verbose=False)
    assert tested == best
    scored = trainer.predict(detector, datamodule=data)
    assert sum(len(part.scores) for part in scored) == len(data.predict_dataset.paths)
    same = anodice.VAE.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    loaded = trainer.predict(same, data.test_dataloader())  # plain loaders give what detectors take
    assert all(torch.equal(one.scores, other.scores) for one, other in zip(scored, loaded, strict=True))
    photos = PhotoFolder.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
    assert (photos.normal, photos.photos.split) == (["good", "better"], data.photos.split)
    trainer.fit(same, data.train_dataloader(), data.val_dataloader())


def test_a_memory_that_was_saved_before_it_was_filled_says_so(data, tmp_path):
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
    with pytest.raises(AnodiceError, match=r"expected photos to fit Memorised to, got none.*save_checkpoint"):
        pl.Trainer(default_root_dir=tmp_path, **quiet).predict(Memorised(), data.test_dataloader())


class Memorised(anodice.Detector):
    """Has to be fitted, and cannot be."""

    def __init__(self):
        super().__init__(image_size=64, in_channels=1)

    is_fitted = False


def test_audit_finds_a_copy_in_folders_that_are_named_or_not(data, tmp_path):
    source = next(Path(data.root, "good").iterdir())
    own = tmp_path / "two"
    for name in ("left", "right"):
        (own / name).mkdir(parents=True)
        (own / name / "photo.png").write_bytes(source.read_bytes())
    cached = partial(anodice.audit, cache_dir=tmp_path / "cache")
    assert cached(own).training_copies == ("right/photo.png",)
    assert cached(own).pairs == (("left/photo.png", "right/photo.png", "exact"),)
    assert cached(own, normal=["left"], anomalous=["right"]).conflicts == (("left/photo.png", "right/photo.png"),)
    assert cached(tmp_path / "own").training_copies == ()


def test_names_are_listed_and_load_nothing_before_they_are_used():
    code = (
        "import sys, anodice; from anodice import train, evaluate, compose, metrics; "
        "assert {'VAE', 'train', 'metrics'} <= set(dir(anodice)), dir(anodice); "
        "metrics.sweep([1, 2], [0, 1]); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert anodice.__version__ == importlib.metadata.version("anodice")
    for name in dir(anodice):
        assert getattr(anodice, name) is not None


def test_functions_stand_before_the_modules_of_their_names():
    import anodice.metrics.sweep

    assert anodice.metrics.sweep([0.1, 0.9], [0, 1]).auroc == 1.0
    assert anodice.thresholds.F1Max().fit([0.1, 0.9], [0, 1]).value == 0.5


def test_help_shows_our_arguments_first():
    for detector in (anodice.VAE, anodice.ConvAE, anodice.EncoderMemory, anodice.InceptionCAE, anodice.DefectUNet):
        names = list(inspect.signature(detector).parameters)
        assert names[0] == "network"
        text = inspect.getdoc(detector)
        assert [name for name in names if f"{name}:" not in text and f"{name}, " not in text] == []
        assert "(N, C, H, W)" in text
