"""What all threshold rules share: validation scores go in, a threshold with its provenance comes out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from anodice.errors import AnodiceError
from anodice.metrics.sweep import Sweep
from anodice.thresholds.images import NO_IMAGES, Images
from anodice.thresholds.threshold import Threshold


@dataclass(frozen=True)
class Rule:
    """From the scores and labels of a split to a threshold. A rule says how in `find`."""

    name: ClassVar[str]
    looks: ClassVar[bool] = True
    """The rule looks at images; one that does not is fitted on "nothing"."""
    may_look_at: ClassVar[str] = "validation"
    """The split that the rule is fitted on."""
    normals_alone: ClassVar[bool] = False
    """The rule looks at the normal images and at no other."""

    @property
    def label(self) -> str:
        """The name with the settings, such as `recall_at_0.95`: for the folder of an evaluation."""
        settings = (getattr(self, field.name) for field in fields(self))
        words = [value.label if isinstance(value, Rule) else f"{value:.12g}" for value in settings if value is not None]
        return "_".join([self.name, *words])

    def check(self, normals: int, anomalies: int) -> None:
        """Refuse, before any training, counts that the rule cannot be fitted to: an AnodiceError with the cures."""

    def find(self, images: Images) -> tuple[float, dict[str, Any]]:
        """The value for the images, and what else was found, for JSON."""
        raise NotImplementedError

    def fit(
        self,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        fitted_on: str | None = None,
        split_digest: str = "",
        classes: ArrayLike | None = None,
        groups: Iterable[Hashable] | None = None,
        sessions: Iterable[str] | None = None,
    ) -> Threshold:
        """Fit to scores and labels.

        Args:
            scores: (N,), finite, higher = more anomalous.
            labels: (N,) 0/1, 1 = anomalous.
            fitted_on: the split that they are of, which the threshold tells: `validation` or `test`; None for the only
                one that the rule may look at.
            split_digest: of that split, for a threshold that is written down; empty where there is none.
            classes: (N,), the class that the detector takes each image for; for a rule with a value by class.
            groups: (N,), the same for images that are one piece of evidence, such as copies and frames of a burst; None
                where each stands by itself.
            sessions: (N,), the shooting session of each, empty where it is not known; None where none is.

        Raises:
            AnodiceError: the split is the test, which only the oracle may look at, or the images do not suffice.
        """
        fitted_on = self.may_look_at if fitted_on is None else fitted_on
        self._refuse(fitted_on)
        if not self.looks:
            return self.threshold(NO_IMAGES, fitted_on="nothing", split_digest="")
        images = Images.of(scores, labels, classes=classes, groups=groups, sessions=sessions)
        self.check(int((~images.label).sum()), int(images.label.sum()))
        return self.threshold(images, fitted_on=fitted_on, split_digest=split_digest)

    def threshold(self, images: Images, *, fitted_on: str, split_digest: str) -> Threshold:
        """The value that is found, with its provenance; `detail["normals_below"]` is the share of normals below it."""
        value, detail = self.find(images)
        normals = images.score[~images.label]
        anomalies = 0 if self.normals_alone else int(images.label.sum())
        found = Threshold(float(value), self.name, len(normals), anomalies, fitted_on, split_digest)
        if self.looks:
            detail = {**detail, "normals_below": float(1 - found.flags(normals).mean()) if len(normals) > 0 else None}
        return replace(found, detail=detail or None)

    def _refuse(self, fitted_on: str) -> None:
        if fitted_on != self.may_look_at and "test" in (fitted_on, self.may_look_at):
            cure = (
                "use threshold=f1_max on validation."
                if self.may_look_at == "test"
                else "the oracle is the only rule that may look at test, so fit on validation."
            )
            raise AnodiceError(f"expected {self.name} to be fitted on {self.may_look_at}, got {fitted_on}; {cure}")


def at_cut(swept: Sweep, cut: int) -> tuple[float, dict[str, Any]]:
    """The value of a cut, and what it reaches."""
    return float(swept.thresholds[cut]), {"f1": float(swept.f1[cut]), "recall": float(swept.recall[cut])}


def need_both(rule: str, normals: int, anomalies: int) -> None:
    """Refuse counts of which one is zero."""
    if anomalies == 0 or normals == 0:
        raise missing_class(rule, normals, anomalies)


def missing_class(rule: str, normals: int, anomalies: int) -> AnodiceError:
    """The error for images of one kind, with the cure."""
    cure = (
        "use threshold=normals_only, or give validation some anomalous photos: those of train_set/ano (dice), or of "
        "data.layout.anomalous (data=folder)."
        if anomalies == 0
        else "hold normal images out for validation, or set a value with threshold=manual."
    )
    return AnodiceError(
        f"expected normal and anomalous images to fit {rule} on, got {normals} normal and {anomalies} anomalous; {cure}"
    )
