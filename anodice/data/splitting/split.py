"""Fit, validation and test: disjoint by the pixels, seeded, stratified by class.

Thresholds are fitted on validation, never on test. The published test split holds every test photo; the clean one holds
those whose pixels do not also occur in the training folder. Photos without a published split are divided here, and
among these no pixels straddle.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anodice.app.files import write_json
from anodice.data.records import PublishedSplit, Record
from anodice.errors import AnodiceError


@dataclass(frozen=True)
class Split:
    """Indices into the records of a walk.

    Attributes:
        fit: normal photos that the network learns from, one of each set of copies.
        validation: normal photos held out, then anomalous ones; one of each set of copies.
        test: every photo of the published test split, then those drawn from the photos without one.
        leaked: those of `test` whose pixels also occur in the training folder.
        digest: hash of the three sets of pixels; equal digests mean equal splits.
    """

    fit: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    leaked: frozenset[int]
    digest: str


def make_split(records: Sequence[Record], *, validation_fraction: float, test_fraction: float, seed: int) -> Split:
    """Split decoded records.

    Of each class the fraction `validation_fraction` of its distinct normal photos (at least one) is held out, more of
    few photos (see `enough_to_validate`), and where there is no published split, `test_fraction` of them (at least one)
    goes to the test; classes that have too few photos for that are divided together. Anomalous training photos are for
    validation; those without a published split go to validation and test by halves. The choice depends on the seed and
    the pixels alone, not on file names or their order. Photos filed both as normal and as anomalous are used neither
    for fitting nor for validation.

    Raises:
        AnodiceError: a fraction is not inside (0, 1) or both leave nothing to fit, there are too few distinct photos,
            or no normal one is left.
    """
    check_fractions(validation_fraction=validation_fraction, test_fraction=test_fraction)
    fit: list[int] = []
    held_out: list[int] = []
    anomalies: list[int] = []
    drawn: list[int] = []
    contents: dict[PublishedSplit, set[str]] = defaultdict(set)
    for record in records:
        contents[record.split].add(record.content)
    used = {r.content for r in records if r.anomalous} & {r.content for r in records if not r.anomalous}

    training = _by_class(records, "train", used)
    share = enough_to_validate(validation_fraction, sum(map(len, training[False].values())))
    for parts, rest in _divided(training[False], (share,), seed):
        held_out += parts[0]
        fit += rest
    anomalies += [i for photos in training[True].values() for i in photos.values()]
    # What has copies in a published part stays there: nothing that is drawn here can leak.
    unsplit = _by_class(records, "any", used | contents["train"] | contents["test"])
    if unsplit[False]:
        check_together(validation_fraction, test_fraction)
    left = (1 - test_fraction) * sum(map(len, unsplit[False].values()))
    share = (1 - test_fraction) * enough_to_validate(validation_fraction / (1 - test_fraction), left)
    for parts, rest in _divided(unsplit[False], (share, test_fraction), seed):
        held_out += parts[0]
        drawn += parts[1]
        fit += rest
    dealt = [i for name, photos in unsplit[True].items() for i in _shuffled(name, photos, seed)]
    anomalies += dealt[::2]
    drawn += dealt[1::2]

    _check_enough(len(fit) + len(held_out), len(held_out), len(records), drawing=bool(unsplit[False]))
    validation = sorted(held_out) + sorted(anomalies)
    published = [i for i, r in enumerate(records) if r.split == "test"]
    test = [*published, *sorted(drawn)]
    leaked = frozenset(i for i in published if records[i].content in contents["train"])
    return split_of(records, sorted(fit), validation, test, leaked)


def split_of(
    records: Sequence[Record],
    fit: Sequence[int],
    validation: Sequence[int],
    test: Sequence[int],
    leaked: frozenset[int],
) -> Split:
    """The split with these parts, and its digest."""
    digest = _digest([[records[i].content for i in part] for part in (fit, validation, test)])
    return Split(tuple(fit), tuple(validation), tuple(test), leaked, digest)


def with_fewer_to_fit(split: Split, records: Sequence[Record], *, per_class: int, seed: int) -> Split:
    """The split with at most `per_class` photos of each class to fit, the same ones for a seed; the rest is unused."""
    chosen: list[int] = []
    for class_name in sorted({records[i].class_name for i in split.fit}):
        own = {records[i].content: i for i in split.fit if records[i].class_name == class_name}
        chosen += _shuffled(class_name, own, seed)[:per_class]
    return split_of(records, sorted(chosen), split.validation, split.test, split.leaked)


def enough_to_validate(fraction: float, normals: float) -> float:
    """The fraction of so many normal photos to hold out: enough for 25 of them, but no third for their sake.

    A threshold from fewer normal photos is a guess.

    >>> enough_to_validate(0.1, 1000), enough_to_validate(0.1, 100), enough_to_validate(0.1, 30)
    (0.1, 0.25, 0.3333333333333333)
    """
    return max(fraction, min(25 / max(normals, 1), 1 / 3))


def check_fractions(**fractions: float) -> None:
    """Raise where one of the fractions is not inside (0, 1)."""
    for name, value in fractions.items():
        if not 0 < value < 1:
            raise AnodiceError(f"expected split.{name} between 0 and 1 (exclusive), got {value}; 0.1 is usual.")


def check_together(validation_fraction: float, test_fraction: float) -> None:
    """Raise where nothing would be left to fit."""
    if validation_fraction + test_fraction >= 1:
        raise AnodiceError(
            f"expected split.validation_fraction and split.test_fraction below 1 together, got {validation_fraction} "
            f"and {test_fraction}; the rest is what the network learns from."
        )


def write_split(path: Path, split: Split, records: Sequence[Record]) -> None:
    """Write `split.json`: the pixel hashes of fit, validation and test, those of test that leaked, and the digest."""
    parts = {"fit": split.fit, "validation": split.validation, "test": split.test, "leaked": sorted(split.leaked)}
    contents = {name: sorted({records[i].content for i in part}) for name, part in parts.items()}
    write_json(path, {**contents, "digest": split.digest})


def _by_class(
    records: Sequence[Record], split: PublishedSplit, used: set[str]
) -> dict[bool, dict[str, dict[str, int]]]:
    """Anomalous or not -> class -> pixels -> index: the first of each set of copies, without those of `used`."""
    found: dict[bool, dict[str, dict[str, int]]] = {False: {}, True: {}}
    seen = set(used)
    for index, record in enumerate(records):
        if record.split == split and record.content not in seen:
            found[record.anomalous].setdefault(record.class_name, {})[record.content] = index
            seen.add(record.content)  # further copies, in whatever class
    return found


def _divided(
    classes: Mapping[str, dict[str, int]], fractions: Sequence[float], seed: int
) -> list[tuple[list[list[int]], list[int]]]:
    """A part of each fraction and the rest, of each class; all rest where there are too few photos in all."""
    least = len(fractions) + 1
    enough = {name: photos for name, photos in classes.items() if len(photos) >= least}
    pooled = {content: i for name, photos in classes.items() if name not in enough for content, i in photos.items()}
    divided = [_hold_out(name, photos, fractions, seed) for name, photos in enough.items()]
    if len(pooled) >= least:
        divided.append(_hold_out("", pooled, fractions, seed))
    elif pooled:
        divided.append(([[] for _ in fractions], list(pooled.values())))
    return divided


def _hold_out(
    class_name: str, photos: dict[str, int], fractions: Sequence[float], seed: int
) -> tuple[list[list[int]], list[int]]:
    """One photo at least for each part, and one for the rest."""
    order = _shuffled(class_name, photos, seed)
    parts: list[list[int]] = []
    for fraction in fractions:
        spare = len(fractions) - len(parts)  # one for each of the other parts and for the rest
        count = min(max(1, round(len(photos) * fraction)), len(order) - spare)
        parts.append(order[:count])
        order = order[count:]
    return parts, order


def _shuffled(class_name: str, photos: dict[str, int], seed: int) -> list[int]:
    """The indices of a class in an order that its name, the seed and the pixels give."""
    contents = sorted(photos)
    generator = np.random.default_rng([seed, number_of(class_name)])
    return [photos[contents[k]] for k in generator.permutation(len(contents))]


def number_of(class_name: str) -> int:
    """A number of a class, for seeds."""
    if class_name.isdecimal():
        return int(class_name)
    return int.from_bytes(hashlib.blake2b(class_name.encode(), digest_size=8).digest(), "big")


def _check_enough(normals: int, held_out: int, decoded: int, *, drawing: bool) -> None:
    """Raise where no distinct normal photo is left to learn from, or none to hold out."""
    if normals == 0:
        raise AnodiceError(
            "expected normal training photos that can be decoded and are not filed as anomalous as well, found none "
            f"among {decoded} decoded photos; check the files in the class folders of the training folder."
        )
    if held_out == 0:
        least, purpose = (3, "fit, one to validate, one to test") if drawing else (2, "fit, one to validate")
        raise AnodiceError(
            f"expected at least {least} distinct normal photos (one to {purpose}), got {normals}; add photos."
        )


def _digest(parts: Sequence[Sequence[str]]) -> str:
    state = hashlib.blake2b(digest_size=8)
    for part in parts:
        state.update("\n".join(sorted(part)).encode() + b"\0")
    return state.hexdigest()
