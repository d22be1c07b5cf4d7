"""Rules that fit a threshold to held-out scores, and the threshold that knows where it comes from.

A rule takes scores (N,), higher = more anomalous, and labels (N,), 1 = anomalous, of photos that are neither learned
from nor tested on.

>>> from anodice import thresholds
>>> fitted = thresholds.F1Max().fit([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1])
>>> fitted.sentence()
'f1_max: 0.4, fitted on validation (2 normal, 2 anomalous), above 100.0 % of its normals'
>>> fitted.flags([0.3, 0.4])
array([False,  True])
"""

from anodice.thresholds.class_means import T12, Midpoint
from anodice.thresholds.f1 import F1Max, F1MaxPlain, FBeta
from anodice.thresholds.fitted import FittedThresholds, fit_thresholds
from anodice.thresholds.normals import MeanPlusStd, NormalQuantile, NormalsOnly
from anodice.thresholds.rule import Rule
from anodice.thresholds.rules import FlagEverything, Manual, Oracle, PerClass, PrecisionAt, RecallAt
from anodice.thresholds.threshold import Threshold

__all__ = [
    "T12",
    "F1Max",
    "F1MaxPlain",
    "FBeta",
    "FittedThresholds",
    "FlagEverything",
    "Manual",
    "MeanPlusStd",
    "Midpoint",
    "NormalQuantile",
    "NormalsOnly",
    "Oracle",
    "PerClass",
    "PrecisionAt",
    "RecallAt",
    "Rule",
    "Threshold",
    "fit_thresholds",
]
