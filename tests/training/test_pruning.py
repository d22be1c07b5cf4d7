"""A trial that falls behind the others ends early."""

from __future__ import annotations

import optuna
import pytest

from anodice.training.pruning import Prune
from tests.training.test_callbacks import detector, trained


@pytest.fixture
def study(tmp_path):
    """Six finished trials whose figure was 0.9 after each epoch, and one that runs."""
    made = optuna.create_study(
        storage=f"sqlite:///{tmp_path}/study.db", study_name="s", direction="maximize", sampler=None
    )
    for _ in range(6):
        trial = made.ask()
        for epoch in range(4):
            trial.report(0.9, epoch)
        made.tell(trial, 0.9)
    made.ask()
    return made


@pytest.mark.parametrize(("better", "epochs"), [(False, 2), (True, 4)])
def test_a_trial_ends_where_it_falls_behind_the_median(better, epochs, study, data_module, dice_root, tmp_path):
    prune = Prune(storage=f"sqlite:///{tmp_path}/study.db", study_name="s", number=6, monitor="val/auroc")
    module = detector()
    compute = module._validation.compute
    module._validation.compute = lambda: compute() | {"auroc": 0.95 if better else 0.2}
    data = data_module(dice_root, steps_per_epoch=1)
    if better:
        trained(module, data, tmp_path, prune, epochs=4)
    else:
        with pytest.raises(optuna.TrialPruned, match=r"val/auroc of 0\.2000 in epoch 2"):
            trained(module, data, tmp_path, prune, epochs=4)
    assert len(study.trials[6].intermediate_values) == epochs
