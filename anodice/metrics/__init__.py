"""Figures of scores and labels, whichever program they come from: NumPy in, NumPy out.

Scores are (N,), any range, higher = more anomalous; labels are (N,), 1 = anomalous.

>>> import numpy as np
>>> from anodice import metrics
>>> rng = np.random.default_rng(0)
>>> labels = np.arange(200) % 4 == 0
>>> scores = rng.normal(size=200) + 2 * labels
>>> swept = metrics.sweep(scores, labels)
>>> round(swept.auroc, 3), round(swept.average_precision, 3)
(0.929, 0.865)
>>> flags = scores >= 1.5
>>> counted = metrics.Confusion.from_flags(flags, labels)
>>> counted, round(counted.f1, 2)
(Confusion(tp=35, fp=9, fn=15, tn=141), 0.74)
>>> low, high = metrics.bootstrap(scores, labels, flags).f1
>>> round(low, 2), round(high, 2)
(0.63, 0.83)
"""

# The functions stand before the modules of their names, so that `anodice.metrics.sweep(...)` can be called.
from anodice.metrics.bootstrap import Interval, Intervals, bootstrap, rate_interval
from anodice.metrics.comparison import Comparison, Difference, compare
from anodice.metrics.sweep import Confusion, Sweep, sweep

__all__ = [
    "Comparison",
    "Confusion",
    "Difference",
    "Interval",
    "Intervals",
    "Sweep",
    "bootstrap",
    "compare",
    "rate_interval",
    "sweep",
]
