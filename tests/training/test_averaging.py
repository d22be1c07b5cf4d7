"""The mean of the weights is what is validated, kept and tested; the steps go on from the weights themselves."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning.callbacks import Callback, StochasticWeightAveraging

from anodice.errors import AnodiceError
from anodice.training.averaging import AveragedWeights, check_averaging
from anodice.training.checkpoints import BestWeights, EpochCheckpoint
from tests.training.test_callbacks import detector, trained

NAME = "network.decoder.linear.0.bias"


class Weights(Callback):
    """The weights after each step, and in each validation."""

    def __init__(self):
        self.steps, self.validated = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.begun = pl_module.state_dict()[NAME].clone()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append(pl_module.state_dict()[NAME].clone())

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.validated.append(pl_module.state_dict()[NAME].clone())


def callbacks(averaging):
    best = EpochCheckpoint(filename="best", monitor="val/loss", save_on_train_epoch_end=False)
    last = EpochCheckpoint(filename="last", save_on_train_epoch_end=False, enable_version_counter=False)
    return [best, last, BestWeights(), Weights(), averaging]  # averaging comes last, as one added on the command line


def test_the_equal_mean_of_the_later_steps_is_validated_and_kept(data_module, dice_root, tmp_path):
    module, data = detector(normalise=True), data_module(dice_root, steps_per_epoch=2)
    found = callbacks(AveragedWeights(decay=None, start=0.5))
    trained(module, data, tmp_path, *found, epochs=4)  # eight steps: the mean begins with the fifth
    weights = found[3]
    assert torch.equal(weights.validated[1], weights.steps[3])
    assert torch.allclose(weights.validated[2], torch.stack(weights.steps[4:6]).mean(0))
    assert torch.allclose(weights.validated[3], torch.stack(weights.steps[4:8]).mean(0))
    assert torch.equal(weights.begun, weights.steps[6])  # the steps went on from where they were
    best = torch.load(found[0].best_model_path, weights_only=True)
    assert torch.equal(module.state_dict()[NAME], best["state_dict"][NAME])
    assert torch.equal(best["state_dict"][NAME], weights.validated[best["epoch"]])


def test_an_exponential_mean_follows_its_formula(data_module, dice_root, tmp_path):
    found = callbacks(AveragedWeights(decay=0.5, start=0.0))
    trained(detector(), data_module(dice_root, steps_per_epoch=3), tmp_path, *found, epochs=1)
    first, second, third = found[3].steps
    assert torch.allclose(found[3].validated[0], 0.5 * (0.5 * first + 0.5 * second) + 0.5 * third, atol=1e-6)


def test_a_resumed_training_averages_as_an_uninterrupted_one(data_module, dice_root, tmp_path):
    ends = []
    for cut in (False, True):
        torch.manual_seed(0)
        module, folder = detector(), tmp_path / str(cut)
        averaging = AveragedWeights(decay=0.9, start=0.0)
        data = data_module(dice_root, steps_per_epoch=2)
        if cut:
            trained(module, data, folder, *callbacks(averaging), epochs=1)
            found = callbacks(AveragedWeights(decay=0.9, start=0.0))
            again = trained(detector(), data, folder, *found, epochs=2, resume=folder / "checkpoints" / "last.ckpt")
        else:
            again = trained(module, data, folder, *callbacks(averaging), epochs=2)
        ends.append(torch.load(again.checkpoint_callbacks[1].best_model_path, weights_only=True)["state_dict"][NAME])
    assert torch.allclose(*ends, atol=1e-6)


@pytest.mark.parametrize(("decay", "start"), [(1.0, 0.0), (0.0, 0.0), (None, 1.0), (0.9, -0.1)])
def test_what_cannot_be_averaged_is_refused(decay, start):
    with pytest.raises(AnodiceError, match="to average weights, got"):
        AveragedWeights(decay=decay, start=start)


def test_lightnings_own_averages_would_not_be_tested():
    with pytest.raises(AnodiceError, match="expected callbacks=ema or callbacks=swa"):
        check_averaging([StochasticWeightAveraging(swa_lrs=0.1)])
