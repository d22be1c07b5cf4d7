"""Seeds and checkpoints in a real training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers import CSVLogger

from anodice.baselines.template import Template
from anodice.errors import AnodiceError
from anodice.models.conv_ae import ConvAENetwork
from anodice.models.optimizers import adam, adamw, sgd
from anodice.models.reconstruction import ReconstructionDetector
from anodice.scoring.pooling import TopMean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import L1
from anodice.training.callbacks import FiniteLoss, SeedEachEpoch
from anodice.training.checkpoints import BestWeights, EpochCheckpoint
from anodice.training.monitors import check_monitors


def detector(*, normalise=False):
    score = ResidualScore(
        residual=L1(),
        smoothing=0,
        normalise=normalise,
        border_radius=None,
        pooling=TopMean(fraction=0.1),
        image_size=64,
    )
    network = ConvAENetwork(in_channels=1, image_size=64, code=4, widths=(4, 8))
    return ReconstructionDetector(network, score=score, optimizer=partial(adam, lr=1e-3))


def trained(module, data, folder, *callbacks, epochs=3, resume=None, **options):
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        logger=options.pop("logger", False),
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, EpochCheckpoint) for c in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    return trainer


class Draws(Callback):
    """What torch draws at the start of each epoch."""

    def __init__(self):
        self.drawn = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            self.drawn.append(torch.rand(()).item())


def test_each_epoch_draws_its_own_noise_and_the_seed_decides_which(data_module, dice_root, tmp_path):
    drawn = []
    for seed in (0, 0, 1):
        draws = Draws()
        torch.manual_seed(len(drawn))
        trained(detector(), data_module(dice_root, steps_per_epoch=1), tmp_path, SeedEachEpoch(seed=seed), draws)
        drawn.append(draws.drawn)
    assert len(set(drawn[0])) == 3
    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])


def checkpoints():
    return EpochCheckpoint(filename="best", monitor="val/loss", save_on_train_epoch_end=False), BestWeights()


class Worse(Callback):
    """Spoils the weights before the last validation."""

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == trainer.max_epochs - 2:
            with torch.no_grad():
                for parameter in pl_module.parameters():
                    parameter.mul_(30)


def test_a_training_ends_with_its_best_weights_and_what_was_fitted_to_them(data_module, dice_root, tmp_path):
    module, data = detector(normalise=True), data_module(dice_root, steps_per_epoch=2)
    trainer = trained(module, data, tmp_path, *checkpoints(), Worse(), epochs=4)
    best = torch.load(trainer.checkpoint_callback.best_model_path, weights_only=True)
    assert best["epoch"] < 3
    state = module.state_dict()
    assert all(torch.equal(state[name], value) for name, value in best["state_dict"].items())
    assert module.is_fitted


class StopAtOnce(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = True


def test_an_epoch_cut_short_is_no_checkpoint_but_its_weights_are_kept(data_module, dice_root, tmp_path, caplog):
    module, data = detector(), data_module(dice_root, steps_per_epoch=5)
    best, weights = checkpoints()
    trainer = trained(module, data, tmp_path, best, weights, StopAtOnce())
    assert "ended within its first epoch" in caplog.text
    assert trainer.global_step == 1
    kept = torch.load(best.best_model_path, weights_only=True)
    assert torch.equal(
        kept["state_dict"]["network.decoder.linear.0.bias"], module.state_dict()["network.decoder.linear.0.bias"]
    )


@pytest.mark.parametrize(
    ("monitor", "mode", "labelled", "sentence"),
    [
        ("val/los", "min", True, "did you mean 'val/loss'"),
        ("val/loss", "max", True, "expected mode=min to monitor val/loss, got mode=max"),
        ("val/auroc", "min", True, "expected mode=max to monitor val/auroc, got mode=min"),
        ("val/auroc", "max", False, "expected anomalous validation photos to monitor val/auroc, got none"),
    ],
)
def test_a_figure_that_will_never_be_logged_is_refused(monitor, mode, labelled, sentence):
    with pytest.raises(AnodiceError, match=sentence):
        check_monitors([EarlyStopping(monitor=monitor, mode=mode)], detector(), labelled=labelled)


def test_a_detector_without_gradients_has_no_loss_to_monitor():
    template = Template(comparison="mse", classes=["00"], image_size=64, in_channels=1)
    with pytest.raises(AnodiceError, match="Template learns without gradients and has none; use callbacks=one_pass"):
        check_monitors([EarlyStopping(monitor="val/loss")], template, labelled=True)
    check_monitors([EarlyStopping(monitor="val/auroc", mode="max")], template, labelled=True)


class Explode(Callback):
    """Spoils a weight before a step."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step - 1:
            with torch.no_grad():
                next(pl_module.parameters()).fill_(float("nan"))


@pytest.mark.parametrize(("step", "epoch"), [(1, 1), (4, 2), (6, 2)])
def test_a_diverged_training_ends_with_the_step_that_shows_it(step, epoch, data_module, dice_root, tmp_path):
    data = data_module(dice_root, steps_per_epoch=3)
    with pytest.raises(AnodiceError, match=rf"got nan at step {step} \(epoch {epoch}\) .* lower optimizer\.lr"):
        trained(detector(), data, tmp_path, FiniteLoss(every_n_steps=2), Explode(step))


def test_checkpoints_lie_in_the_run_folder_whatever_the_logger(data_module, dice_root, tmp_path):
    best, weights = checkpoints()
    logger = CSVLogger(tmp_path / "elsewhere")
    trained(detector(), data_module(dice_root, steps_per_epoch=1), tmp_path, best, weights, epochs=1, logger=logger)
    assert Path(best.best_model_path) == tmp_path / "checkpoints" / "best.ckpt"


@pytest.mark.parametrize("optimizer", [adam, adamw, sgd])
def test_gradients_are_clipped_under_mixed_precision(optimizer, data_module, dice_root, tmp_path):
    norms = []

    class Norms(Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            norms.extend([torch.cat([g.flatten() for g in gradients]).norm()] if gradients else [])

    module = detector()
    module.optimizer = partial(optimizer, lr=1e-3)
    options = {"precision": "bf16-mixed", "gradient_clip_val": 1e-3}
    trained(module, data_module(dice_root, steps_per_epoch=3), tmp_path, Norms(), epochs=1, **options)
    assert norms
    assert max(norms) == pytest.approx(1e-3, rel=0.01)
