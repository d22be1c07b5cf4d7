"""Fit, validation and test: disjoint by the pixels, seeded, stratified by class.

Thresholds are fitted on validation, never on test. The published test split holds every test photo; the clean one holds
those whose pixels do not also occur in the training folder.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anodice.data.records import ANOMALIES, Record
from anodice.errors import AnodiceError


@dataclass(frozen=True)
class Split:
    """Indices into the records of a walk.

    Attributes:
        fit: normal training photos that the network learns from, one of each set of copies.
        validation: normal training photos held out, then the anomalous training photos; one of each set of copies.
        test: every test photo (the published test split).
        leaked: those of `test` whose pixels also occur in the training folder.
        digest: hash of the three sets of pixels; equal digests mean equal splits.
    """

    fit: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    leaked: frozenset[int]
    digest: str


def make_split(records: Sequence[Record], *, validation_fraction: float, seed: int) -> Split:
    """Split decoded records.

    Of each class the fraction `validation_fraction` of its distinct photos (at least one) is held out. The choice
    depends on the seed and the pixels alone, not on file names or their order. Photos filed both as normal and as
    anomalous are used neither for fitting nor for validation.

    Raises:
        AnodiceError: the fraction is not inside (0, 1), a class has a single distinct photo, or no normal one is left.
    """
    if not 0 < validation_fraction < 1:
        raise AnodiceError(
            f"expected data.validation_fraction between 0 and 1 (exclusive), got {validation_fraction}; 0.1 is usual."
        )
    left_out = {r.content for r in records if r.anomalous} & {r.content for r in records if not r.anomalous}
    by_class: dict[str, dict[str, int]] = defaultdict(dict)
    for index, record in enumerate(records):
        if record.split == "train" and record.content not in left_out:
            by_class[record.class_name][record.content] = index
            left_out.add(record.content)  # further copies, in whatever class

    fit: list[int] = []
    validation: list[int] = []
    anomalies = list(by_class.pop(ANOMALIES, {}).values())
    for class_name in sorted(by_class):
        held_out, rest = _hold_out(class_name, by_class[class_name], validation_fraction, seed)
        validation += held_out
        fit += rest
    if not fit:
        raise AnodiceError(
            "expected normal training photos that can be decoded and are not filed as anomalous as well, found none "
            f"among {len(records)} decoded photos; check the files in the class folders of the training folder."
        )
    validation += anomalies
    test = [i for i, r in enumerate(records) if r.split == "test"]
    in_training = {r.content for r in records if r.split == "train"}
    leaked = frozenset(i for i in test if records[i].content in in_training)
    digest = _digest([[records[i].content for i in part] for part in (fit, validation, test)])
    return Split(tuple(sorted(fit)), tuple(validation), tuple(test), leaked, digest)


def write_split(path: Path, split: Split, records: Sequence[Record]) -> None:
    """Write `split.json`: the pixel hashes of fit, validation and test, those of test that leaked, and the digest."""
    parts = {"fit": split.fit, "validation": split.validation, "test": split.test, "leaked": sorted(split.leaked)}
    contents = {name: sorted({records[i].content for i in part}) for name, part in parts.items()}
    path.write_text(json.dumps({**contents, "digest": split.digest}, indent=1) + "\n")


def _hold_out(class_name: str, photos: dict[str, int], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    if len(photos) < 2:
        raise AnodiceError(
            f"expected at least 2 distinct normal photos of class {class_name} (one to fit, one to validate), got "
            f"{len(photos)}; add photos or remove the class folder."
        )
    contents = sorted(photos)
    count = min(max(1, round(len(contents) * fraction)), len(contents) - 1)
    chosen = set(np.random.default_rng([seed, int(class_name)]).permutation(len(contents))[:count].tolist())
    held_out = sorted(photos[c] for k, c in enumerate(contents) if k in chosen)
    rest = [photos[c] for k, c in enumerate(contents) if k not in chosen]
    return held_out, rest


def _digest(parts: Sequence[Sequence[str]]) -> str:
    state = hashlib.blake2b(digest_size=8)
    for part in parts:
        state.update("\n".join(sorted(part)).encode() + b"\0")
    return state.hexdigest()
