"""What a detector's `optimizer` can be: parameters and the number of steps -> an optimizer and its schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch.nn import Parameter
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

OptimizerFactory = Callable[[Iterable[Parameter], int], tuple[Optimizer, LRScheduler | None]]


def adamw_one_cycle(
    parameters: Iterable[Parameter], steps: int, *, lr: float, weight_decay: float, warm_up: float
) -> tuple[Optimizer, LRScheduler]:
    """AdamW whose rate rises to `lr` over the share `warm_up` of the steps, then falls to 0 (Smith & Topin 2018)."""
    optimizer = AdamW(parameters, lr=lr, weight_decay=weight_decay)
    return optimizer, OneCycleLR(optimizer, max_lr=lr, total_steps=steps, pct_start=warm_up)


def adam(parameters: Iterable[Parameter], steps: int, *, lr: float) -> tuple[Optimizer, None]:
    """Adam at a constant rate."""
    del steps
    return Adam(parameters, lr=lr), None
