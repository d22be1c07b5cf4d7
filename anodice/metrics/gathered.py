"""AUROC, average precision and the highest F1 of scores that come batch by batch, and process by process."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc, binary_average_precision
from torchmetrics.utilities import dim_zero_cat

from anodice.metrics.sweep import sweep


class GatheredScores(Metric):
    """A torchmetrics metric of raw scores: `update(scores, labels)`, then `compute()`.

    torchmetrics' classification metrics pass a batch with any value outside [0, 1] through a sigmoid. So the scores are
    kept as they are until all are there, and their ranks, which lie in [0, 1] and keep order and ties, go on from here.

    >>> gathered = GatheredScores()
    >>> gathered.update(torch.tensor([-3.0, 40.0, 20.0, 41.0]), torch.tensor([False, False, True, True]))
    >>> {name: round(float(value), 4) for name, value in gathered.compute().items()}
    {'auroc': 0.75, 'average_precision': 0.8333, 'f1_max': 0.8}
    """

    full_state_update = False
    higher_is_better = True
    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Take in scores (N,), any finite values, higher = more anomalous, and labels (N,) bool, true = anomalous."""
        self.scores.append(scores.detach())
        self.labels.append(labels)

    def gathered(self) -> tuple[Tensor, Tensor]:
        """The scores (N,) and the labels (N,) that have come to this process so far."""
        if not self.scores:
            return torch.empty(0), torch.empty(0, dtype=torch.bool)
        return dim_zero_cat(self.scores), dim_zero_cat(self.labels)

    def compute(self) -> dict[str, Tensor]:
        """`auroc`, `average_precision` and `f1_max` of all images so far; empty where a class is missing."""
        if not self.scores:
            return {}
        scores, labels = dim_zero_cat(self.scores), dim_zero_cat(self.labels).to(self.scores[0].device)
        if not labels.any() or labels.all():
            return {}
        places = scores.unique(return_inverse=True)[1].double()
        ranks = places / places.max().clamp_min(1)
        swept = sweep(scores.cpu().numpy(), labels.cpu().numpy())
        return {
            "auroc": binary_auroc(ranks, labels.long()),
            "average_precision": binary_average_precision(ranks, labels.long()),
            "f1_max": torch.tensor(float(swept.f1[swept.best_f1()])),
        }
