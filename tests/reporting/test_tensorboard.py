"""What the HPARAMS tab compares."""

from __future__ import annotations

from anodice.reporting.tensorboard import hyper_parameters

CONFIG = {
    "name": {"model": "vae", "data": "dice11"},
    "seed": 0,
    "model": {
        "_target_": "anodice.models.vae.VAE",
        "code": 64,
        "channels_last": True,
        "score": {"smoothing": 1.0},
        "optimizer": {"lr": 0.1},
    },
    "optimizer": {"lr": 0.1},
    "data": {"batch_size": 32, "root": "somewhere"},
    "trainer": {"max_epochs": 3, "devices": 1},
}


def test_options_seed_and_numbers_of_model_and_optimizer():
    assert hyper_parameters(CONFIG, []) == {
        "model": "vae",
        "data": "dice11",
        "seed": 0,
        "trainer.max_epochs": 3,
        "model.code": 64,
        "optimizer.lr": 0.1,
    }


def test_overridden_numbers_join_them():
    found = hyper_parameters(CONFIG, ["data.batch_size=32", "data.root=somewhere", "+trainer.devices=1"])
    assert found["data.batch_size"] == 32
    assert found["trainer.devices"] == 1
    assert "data.root" not in found
