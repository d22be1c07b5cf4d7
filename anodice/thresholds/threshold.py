"""A threshold that knows which rule found it, and on what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anodice.errors import AnodiceError, unknown
from anodice.metrics.sweep import finite_scores

SPLITS = ("validation", "test", "training", "nothing")


@dataclass(frozen=True)
class Threshold:
    """A fitted value with its provenance: `score >= value` means anomalous.

    `normals` and `anomalies` count the images that the rule looked at, on the split `fitted_on` ("nothing" for a value
    that was not fitted, "training" for one that the detector learned) with the digest `split_digest`. `detail` holds
    what else the rule found, ready for JSON. `by_class` holds the values of the classes that have their own; `value`
    serves the others.

    >>> t = Threshold(3.127, "f1_max", normals=612, anomalies=225, fitted_on="validation", split_digest="1a2b3c4d5e")
    >>> t.flags([3.126, 3.127, 9])
    array([False,  True,  True])
    >>> t.sentence()
    'f1_max: 3.127, fitted on validation (612 normal, 225 anomalous); split 1a2b3c4d'
    >>> Threshold.from_dict(t.as_dict()) == t
    True
    """

    value: float
    rule: str
    normals: int
    anomalies: int
    fitted_on: str
    split_digest: str
    detail: dict[str, Any] | None = None
    by_class: dict[str, float] | None = None

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.value, *(self.by_class or {}).values()))):
            raise AnodiceError(
                f"expected a finite threshold from {self.rule}, got {self.by_class or self.value!r}; look at the "
                "range of the scores, or give a finite value by hand with threshold=manual."
            )
        if self.fitted_on not in SPLITS:
            raise unknown("split to fit a threshold on", self.fitted_on, SPLITS)

    def flags(self, scores: ArrayLike, classes: ArrayLike | None = None) -> NDArray[np.bool_]:
        """The verdicts, in the shape of the scores: True = anomalous. The project's one comparison of the two.

        Args:
            classes: the class that the detector takes each image for, for a threshold with values by class.

        Raises:
            AnodiceError: a score is NaN or infinite.
        """
        return finite_scores(scores) >= self.values(scores, classes)

    def slight(self, scores: ArrayLike, classes: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which of the anomalous are called slightly so, in the shape of the scores; none without such a band."""
        until = (self.detail or {}).get("slight", -math.inf)
        return self.flags(scores, classes) & (finite_scores(scores) < until)

    def values(self, scores: ArrayLike, classes: ArrayLike | None = None) -> NDArray[np.float64]:
        """The value that holds for each score, in their shape; see `flags`."""
        if self.by_class is None:
            return np.full(np.shape(scores), self.value)
        return np.array([self.by_class.get(name, self.value) for name in np.asarray(classes).tolist()])

    @property
    def fitted_on_words(self) -> str:
        """For tables: "validation: 612 normal, 225 anomalous", "validation: 612 normal", "test" or "nothing"."""
        return f"{self.fitted_on}: {self._counts()}" if self.fitted_on == "validation" else self.fitted_on

    def sentence(self) -> str:
        """Value, provenance and the share of its normals that lie below, for logs and reports."""
        values = f"{self.value:.6g}"
        if self.by_class is not None:
            values = ", ".join(f"{name} {value:.4g}" for name, value in self.by_class.items()) + f", else {values}"
        words = f"{self.rule}: {values}, fitted on {self.fitted_on}"
        detail = {} if self.detail is None else self.detail
        if self.normals + self.anomalies > 0:
            words += f" ({self._counts()})"
        if detail.get("normals_below") is not None:
            words += f", above {100 * detail['normals_below']:.1f} % of its normals"
        words += _raised(detail)
        if detail.get("slight") is not None:
            words += f", with slight anomalies up to {detail['slight']:.6g}"
        if detail.get("tail_fits") is False:
            words += ", though the tail fits their scores badly"
        if detail.get("reachable") is False:
            words += (
                f"; the precision of {detail['target']:g} is out of reach there, {detail['precision']:.3g} is the "
                "highest"
            )
        return words if self.split_digest == "" else f"{words}; split {self.split_digest[:8]}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which keeps the floats exactly."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Threshold:
        """The inverse of `as_dict`; keys that lack or that nothing reads are an AnodiceError."""
        names = [field.name for field in fields(cls)]
        if sorted(found) != sorted(names):
            raise AnodiceError(
                f"expected a threshold with the keys {', '.join(names)}, got {', '.join(found) or 'none'}; fit it "
                "again with evaluate.py."
            )
        return cls(**found)

    def _counts(self) -> str:
        counts = {"normal": self.normals, "anomalous": self.anomalies}
        return ", ".join(f"{count} {word}" for word, count in counts.items() if count > 0)


def _raised(detail: Mapping[str, Any]) -> str:
    """By how much a rule raised its estimate, and what most of that is for."""
    chance, session = detail.get("margin_for_chance", 0.0), detail.get("margin_for_another_session", 0.0)
    if chance == session == 0:
        return ""
    known = f"a shooting session that nobody has seen ({detail['sessions']} known)"
    return f", {math.hypot(chance, session):.3g} of it for {known if session > chance else 'what chance gave'}"
