"""How far the scores of a shooting session that nobody has seen may lie from those of the known ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from anodice.thresholds.extreme_values import FEWEST
from anodice.thresholds.images import Images
from anodice.thresholds.resampling import resamples

LEVEL = 0.9
"""The quantile of a session's normal scores by which sessions are compared: about where the tail starts."""


@dataclass(frozen=True)
class BetweenSessions:
    """The spread of shooting sessions.

    Attributes:
        sessions: how many hold enough normal images to tell.
        deviation: the standard deviation between them, in the scores' unit, without what chance within them explains.
    """

    sessions: int
    deviation: float

    @classmethod
    def of(cls, normals: Images) -> BetweenSessions:
        """Compare the `LEVEL` quantiles of the sessions with at least `FEWEST` normals; 0 with fewer than two of them.

        What the quantiles vary by within a session, found by resampling its groups, is taken off their variance
        (the method of moments of a random-effects model; DerSimonian & Laird 1986).
        """
        parts = [normals.where(normals.session == k) for k in np.unique(normals.session[normals.session >= 0])]
        parts = [part for part in parts if part.score.size >= FEWEST]
        if len(parts) < 2:
            return cls(len(parts), 0.0)
        quantiles = [np.quantile(part.score, LEVEL) for part in parts]
        within = [
            np.var([np.quantile(drawn, LEVEL) for drawn in resamples(part, seed)]) for seed, part in enumerate(parts)
        ]
        return cls(len(parts), math.sqrt(max(0.0, float(np.var(quantiles, ddof=1) - np.mean(within)))))

    def margin(self, confidence: float) -> float:
        """How far one more session lies at most above the mean of the known ones, with this confidence in (0, 1)."""
        if self.sessions < 2:
            return 0.0
        return float(student.ppf(confidence, self.sessions - 1)) * self.deviation * math.sqrt(1 + 1 / self.sessions)
