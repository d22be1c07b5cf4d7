"""What a detector's `optimizer` can be: parameters and the number of steps -> an optimizer and its schedule.

They are fused: one pass over the parameters in place of ten, three to five times as fast on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from anodice.errors import AnodiceError, unknown

OptimizerFactory = Callable[[Iterable[Parameter], int], tuple[Optimizer, LRScheduler | None]]


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 + 0.5 * math.cos(math.pi * done),
    "step": lambda done: 1.0 if done < 250 / 350 else 0.1,
}
"""Name -> the share of the highest rate when a share of the steps after the warm-up is done."""


def adamw(
    parameters: Iterable[Parameter],
    steps: int,
    *,
    lr: float = 0.002,
    weight_decay: float = 1e-5,
    warm_up: float = 0.1,
    schedule: str = "cosine",
) -> tuple[Optimizer, LRScheduler]:
    """AdamW whose rate rises linearly to `lr` over the share `warm_up` of the steps, then follows the schedule."""
    return _scheduled(AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True), steps, warm_up, schedule)


def adam(
    parameters: Iterable[Parameter],
    steps: int,
    *,
    lr: float = 0.001,
    eps: float = 1e-8,
    warm_up: float = 0.0,
    schedule: str = "constant",
) -> tuple[Optimizer, LRScheduler]:
    """Adam, by default at a constant rate; Keras has 1e-7 for `eps`."""
    return _scheduled(Adam(parameters, lr=lr, eps=eps, fused=True), steps, warm_up, schedule)


def sgd(
    parameters: Iterable[Parameter],
    steps: int,
    *,
    lr: float = 0.05,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    warm_up: float = 0.1,
    schedule: str = "cosine",
) -> tuple[Optimizer, LRScheduler]:
    """Stochastic gradient descent with Nesterov's momentum."""
    rest = {"momentum": momentum, "weight_decay": weight_decay, "nesterov": momentum > 0, "fused": True}
    return _scheduled(SGD(parameters, lr=lr, **rest), steps, warm_up, schedule)


def _scheduled(optimizer: Optimizer, steps: int, warm_up: float, schedule: str) -> tuple[Optimizer, LRScheduler]:
    if not 0 <= warm_up < 1:
        raise AnodiceError(f"expected optimizer.warm_up in [0, 1), got {warm_up!r}; 0.1 is usual.")
    if schedule not in SCHEDULES:
        raise unknown("optimizer.schedule", schedule, SCHEDULES)
    # Under float16 a fused optimizer would take the scale off the gradients in its own step, too late to clip them.
    optimizer._step_supports_amp_scaling = False
    rising = round(warm_up * steps)

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return SCHEDULES[schedule]((step - rising) / max(1, steps - rising))

    return optimizer, LambdaLR(optimizer, share)
