"""A mistake on the command line ends in one sentence with the nearest right word, and at once."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra.errors import MissingConfigException

from anodice.app.command_line import sentence, unused
from anodice.app.configs import defaults, flatten
from tests.app.test_configs import composed

PROJECT = Path(__file__).parents[2]

MISTAKES = [
    ("train.py modle=vae", "there is no option 'modle'; did you mean 'model'?"),
    ("train.py model=vea", "there is no model=vea; did you mean 'vae'? Known: ae_classifier, "),
    ("train.py model=3", "Config group override must be a string or a list. Got int"),
    ("train.py score=tolerant", "did you mean 'tolerant_l1'?"),
    ("train.py trainer.max_epoch=3", "did you mean 'trainer.max_epochs'?"),
    ("train.py max_epochs=3", "did you mean 'trainer.max_epochs'?"),
    ("train.py epochs=3", "did you mean 'trainer.max_epochs'?"),
    ("train.py model=vae model.network.cod=3", "did you mean 'model.network.code'?"),
    (
        "train.py trainer.max_epochs=ten",
        "expected trainer.max_epochs to be a whole number (the default is 12), got 'ten'",
    ),
    ("train.py data.batch_size=3.5", "expected data.batch_size to be a whole number"),
    ("train.py model=vae model.channels_last=maybe", "expected model.channels_last to be true or false"),
    ("train.py seed=abc", "expected seed to be a whole number"),
    ("train.py seed=-1", "expected seed to be a whole number of at least 0 and below 2**32, got -1"),
    ("train.py seed=4294967296", "below 2**32, got 4294967296"),
    ("train.py threads=0", "expected threads to be auto or a whole number of at least 1, got 0"),
    ("train.py threads=all", "expected threads to be auto or a whole number of at least 1, got 'all'"),
    ("train.py threads=10000", "the cores that there are, got 10000"),
    ("train.py trainer.max_epochs=-1", "expected trainer.max_epochs of at least 1, got -1"),
    ("train.py trainer.max_epochs=0", "expected trainer.max_epochs of at least 1, got 0"),
    (
        "train.py trainer.precison=16",
        "did you mean 'trainer.precision'? To add it as a new one: +trainer.precison=VALUE.",
    ),
    ("train.py callbacks.rate.every=3", "To add it as a new one: +callbacks.rate.every=VALUE."),
    ("train.py +unread=1", "expected keys that something reads, got unread"),
    (
        "train.py model=vae data.image_size=null",
        "expected data.image_size to be a whole number of at least 1, got null",
    ),
    ("train.py paths.log_dir=/dev/null/x", "expected to write to /dev/null/x/runs, which the system refuses"),
    ("train.py +trainer.foo=1", "got an unexpected keyword argument 'foo'"),
    ("train.py trainer.accelerator=tpuu", "You selected an invalid accelerator name"),
    ("train.py sweep=seeds", "sweep=seeds is several trainings, which need -m"),
    ("train.py logger=mlflow", "expected the package that logger.mlflow needs, which is not installed"),
    ("train.py +logger.x=3", "expected logger.x to name a class as _target_, got 3"),
    ("train.py callbacks=ema callbacks.averaging.decay=2", "expected decay in (0, 1) or null"),
    ("train.py optimizer.schedule=cosin", "did you mean 'cosine'?"),
    ("train.py threshold=manual", "expected a value for threshold.value, got none"),
    (
        "train.py experiment=seeds/ratio threshold=per_class",
        "threshold has no setting 'value' with what was chosen, PerClass",
    ),
    ("train.py model=vae threshold=learned", "expected a detector that learns the highest normal score of each class"),
    ("train.py data.image_size=100", "set data.image_size=96 or 112"),
    ("train.py data=dice11 data.in_channels=2", "expected data.in_channels to be 1 (grey) or 3 (RGB), got 2"),
    ("train.py model=vae score.pooling.fraction=2.0", "expected score.pooling.fraction in (0, 1], got 2.0"),
    ("train.py data=dice11 data.root=nowhere", "the folder does not exist"),
    ("train.py resume=latest", "expected a run with config.yaml"),
    ("evaluate.py run=nowhere", "expected a run folder, got 'nowhere', which does not exist"),
    ("evaluate.py rescore=maybe", "expected rescore to be auto, true or false, got 'maybe'"),
    ("evaluate.py rum=latest", "did you mean 'run'?"),
    ("evaluate.py threshold=f1max", "did you mean 'f1_max'?"),
]


@pytest.fixture
def mistaken(called):
    """Calls a command line that must fail; its exit status and what it said."""

    def call(line):
        program, *options = line.split()
        return called(program.removesuffix(".py"), *options)

    return call


@pytest.mark.parametrize(("line", "sentence"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_mistake_has_its_sentence(line, sentence, mistaken):
    status, said = mistaken(line)
    assert status == 2
    assert sentence in said.partition("error: ")[2]
    assert "Traceback" not in said


def test_the_words_of_hydra_are_those_that_are_read_here():
    # Where a newer Hydra words its errors in another way, the mistakes above tell: mend anodice.app.command_line.
    assert importlib.metadata.version("hydra-core").startswith("1.3.")


@pytest.mark.parametrize("program", ["train.py", "evaluate.py"])
def test_help_shows_how_to_call_it(program):
    done = subprocess.run(
        [sys.executable, str(PROJECT / program), "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert f"python {program}" in done.stdout
    rules = "f1_max, f_beta, learned, manual, mean_plus_std, midpoint, normal_quantile, normals_only, oracle, per_class"
    assert f"threshold: {rules}, precision_at, recall_at, t12" in done.stdout


def test_a_launcher_that_is_not_installed_is_named_with_its_extra():
    missing = MissingConfigException("", missing_cfg_file="hydra/launcher/joblib", options=["basic"])
    assert 'pip install "anodice[sweeps]"' in sentence(missing, "train")


def test_help_of_evaluate_lists_every_key():
    done = subprocess.run(
        [sys.executable, str(PROJECT / "evaluate.py"), "--help"], capture_output=True, text=True, timeout=60
    )
    keys = {key for key in flatten(defaults("evaluate")) if key != "paths.cache_dir"}
    assert {key for key in keys if f"\n  {key}=" in done.stdout} == keys


def test_a_mistake_leaves_no_run_folder(mistaken, tmp_path):
    for line in ("train.py seed=-1", "train.py sweep=seeds", "train.py model=vae score.pooling.fraction=2.0"):
        mistaken(line)
    assert not list((tmp_path / "logs" / "runs").iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told_before_a_photo_is_read(mistaken):
    status, said = mistaken("train.py data=dice11 data.root=nowhere trainer.accelerator=gpu")
    assert status == 2
    assert "trainer cannot be made with these settings: No supported gpu backend found!" in said
    assert "trainer.accelerator=auto" in said


INSTANT = [
    *("train.py --help", "train.py --cfg job", "train.py model=vea", "train.py foo=1", "train.py trainer.max_epochz=3"),
    *(
        "train.py trainer.max_epochs=ten",
        "train.py seed=-1",
        "train.py threads=0",
        "train.py threads=10000",
        "train.py resume=latest",
    ),
    *("evaluate.py --help", "evaluate.py rum=latest", "evaluate.py run=nowhere"),
]


@pytest.mark.slow
@pytest.mark.parametrize("line", INSTANT)
def test_help_and_mistakes_do_not_wait_for_torch(line, tmp_path):
    program, *options = line.split()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(PROJECT / program), *options],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    imported = {told.rpartition("|")[2].strip() for told in done.stderr.splitlines() if told.startswith("import time:")}
    assert "hydra.main" in imported
    assert imported & {"torch", "torchvision", "pytorch_lightning", "torchmetrics", "skimage"} == set()


@pytest.mark.slow
def test_a_mistake_ends_a_real_process_without_a_traceback(tmp_path):
    command = [sys.executable, str(PROJECT / "train.py"), "model=vae", "score.pooling.fraction=2.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    assert "error: expected score.pooling.fraction in (0, 1], got 2.0" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_detector_does_not_look_at_is_told():
    config = composed("model=local_memory")
    told = list(unused(config, "local_memory", ["seed=3", "score=ssim", "optimizer.lr=0.1", "score.smoothing=2"]))
    assert told == ["nothing reads score=ssim, score.smoothing=2: model=local_memory has no part of the group score."]
    assert list(unused(composed("model=vae"), "vae", ["score=ssim", "optimizer=adam"])) == []
    assert len(list(unused(composed("model=template"), "template", ["optimizer=adam"]))) == 1
