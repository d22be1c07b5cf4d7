"""The learning rate over a training of any length."""

from __future__ import annotations

import pytest
import torch

from anodice.errors import AnodiceError
from anodice.models.optimizers import adamw


def rates(steps: int, warm_up: float) -> list[float]:
    optimizer, schedule = adamw([torch.zeros(1, requires_grad=True)], steps, lr=1.0, weight_decay=0.0, warm_up=warm_up)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return [*found, optimizer.param_groups[0]["lr"]]


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("warm_up", [0, 0.1, 0.5])
def test_rate_is_positive_at_every_step_and_ends_at_zero(steps, warm_up):
    *used, last = rates(steps, warm_up)
    assert min(used) > 0
    assert max(used) <= 1
    assert last == pytest.approx(0)


def test_rate_rises_then_falls():
    found = rates(100, 0.1)
    assert found[:11] == sorted(found[:11])
    assert found[10] == 1.0
    assert found[10:] == sorted(found[10:], reverse=True)


def test_warm_up_over_all_steps_is_refused():
    with pytest.raises(AnodiceError, match=r"expected optimizer\.warm_up in"):
        rates(10, 1.0)
