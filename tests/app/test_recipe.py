"""Recipes make the same again, of every part that conf/ knows."""

from __future__ import annotations

import tempfile

import pytest
import torch
from hydra.utils import instantiate

from anodice.app.recipe import check_names, make, recipe
from anodice.errors import AnodiceError
from anodice.scoring.ssim_loss import SSIMLoss
from tests.app.test_configs import composed, options


@pytest.mark.parametrize("model", [name for name in options("model") if name != "auto"])
def test_every_detector_tells_how_it_was_made(model):
    small = ["data.image_size=64", *(["model.painter.stamps=36"] if model in ("cnn", "defect_unet") else [])]
    detector = instantiate(composed(f"model={model}", *small).model)
    told = recipe(detector)
    again = make(told)
    assert recipe(again) == told
    assert {n: v.shape for n, v in again.state_dict().items()} == {n: v.shape for n, v in detector.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("split", [*options("split")])
@pytest.mark.parametrize("augmentation", options("augmentation"))
def test_every_data_module_tells_how_it_was_made(split, augmentation, tmp_path):
    needed = ["split.test=[16_09_21]"] if split == "session" else []
    chosen = ["data=dice6", f"data.root={tmp_path}", f"split={split}", f"augmentation={augmentation}"]
    data = instantiate(composed(*chosen, *needed).data)
    assert recipe(make(recipe(data))) == recipe(data)


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "anodices.x", "builtins.eval", "x", ""),
        *("anodice.programs.train.instantiate", "anodice.app.run_folder.claim_folder", "anodice.training.x.y"),
    ],
)
def test_foreign_names_are_not_built(name):
    with pytest.raises(AnodiceError, match=r"expected a name of conf/ or a public class of .* which is not built"):
        make({"_target_": name})


@pytest.mark.parametrize("name", ["data.cache.cached_images", "dice.dataset.write_synthetic", "data.cache._discard"])
def test_functions_that_no_config_names_are_not_built(name):
    with pytest.raises(AnodiceError, match="which is not built"):
        make({"_target_": f"anodice.{name}"})


@pytest.mark.parametrize("name", ["data.cache.mkdtemp", "data.cache.json", "data.cache.Path", "models.vae._private"])
def test_what_a_module_imported_is_not_built(name, monkeypatch):
    monkeypatch.setattr("anodice.data.cache.mkdtemp", tempfile.mkdtemp, raising=False)
    with pytest.raises(AnodiceError, match=r"expected a name of (conf/|anodice)"):
        make({"_target_": f"anodice.{name}"})


def test_what_conf_names_and_callbacks_of_lightning_may_stand_in_the_config_of_a_training():
    check_names(
        {
            "trainer": {"_target_": "pytorch_lightning.Trainer"},
            "callbacks": [{"_target_": "pytorch_lightning.callbacks.LearningRateMonitor"}],
        }
    )
    with pytest.raises(AnodiceError, match=r"got 'pytorch_lightning\.callbacks\.os', which is not built"):
        check_names({"_target_": "pytorch_lightning.callbacks.os"})
    with pytest.raises(AnodiceError, match=r"got 'torch\.load', which is not built"):
        check_names({"callbacks": {"a": {"b": [{"_target_": "torch.load"}]}}})


class Mine:
    """A part of somebody's own."""


def test_parts_of_a_package_that_the_user_trusts_are_built(monkeypatch):
    told = {"_target_": f"{__name__}.Mine"}
    with pytest.raises(AnodiceError, match=r"name its package in the environment: ANODICE_PACKAGES=tests\."):
        make(told)
    monkeypatch.setenv("ANODICE_PACKAGES", "others,tests")
    assert isinstance(make(told), Mine)
    with pytest.raises(AnodiceError, match="ANODICE_PACKAGES=pytest"):
        make({"_target_": "pytest.exit"})


def test_arguments_that_do_not_fit_are_a_sentence():
    with pytest.raises(AnodiceError, match=r"expected the arguments of anodice\.scoring\.pooling\.TopMean .*got share"):
        make({"_target_": "anodice.scoring.pooling.TopMean", "share": 0.1})


def test_a_name_that_is_not_there_is_told():
    with pytest.raises(AnodiceError, match=r"'anodice\.models\.vae\.VEA', which is not there"):
        make({"_target_": "anodice.models.vae.VEA"})


def test_what_cannot_be_told_is_refused():
    with pytest.raises(AnodiceError, match="expected a class or a function that can be imported"):
        recipe(lambda: None)


def test_a_module_without_a_constructor_has_no_arguments_whatever_wraps_that_of_torch(monkeypatch):
    whole = torch.nn.Module.__init__

    def wrapped(self, *args, **kwargs):
        whole(self, *args, **kwargs)

    monkeypatch.setattr(torch.nn.Module, "__init__", wrapped)
    assert recipe(SSIMLoss()) == {"_target_": "anodice.scoring.ssim_loss.SSIMLoss"}
