"""The ways to split photos that `split=` chooses from. All but the published one keep near duplicates together."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anodice.data.records import Record, session_of
from anodice.data.splitting.split import (
    Split,
    check_fractions,
    check_together,
    enough_to_validate,
    make_split,
    number_of,
    split_of,
    with_fewer_to_fit,
)
from anodice.errors import AnodiceError, unknown

log = logging.getLogger(__name__)

Groups = Callable[[], NDArray[np.int64]]
"""The group of each record, (N,), looked for when it is called: see `group_ids` of `near_duplicates`."""


@dataclass(frozen=True, kw_only=True)
class Splitting(ABC):
    """A way to divide decoded records into fit, validation and test.

    Attributes:
        validation_fraction: share of the distinct normal training photos of each class that is held out.
        fit_per_class: at most so many normal photos of each class to learn from; None for all.
        seed: of the choice.

    Raises:
        AnodiceError: a value out of range; records that cannot be divided so.
    """

    validation_fraction: float = 0.1
    fit_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_fractions(validation_fraction=self.validation_fraction)
        if self.fit_per_class is not None and (not isinstance(self.fit_per_class, int) or self.fit_per_class < 1):
            raise AnodiceError(
                f"expected split.fit_per_class to be a whole number of at least 1, or null for all photos, got "
                f"{self.fit_per_class!r}."
            )

    def __call__(self, records: Sequence[Record], *, groups: Groups) -> Split:
        split = self.divide(records, groups)
        if self.fit_per_class is None:
            return split
        return with_fewer_to_fit(split, records, per_class=self.fit_per_class, seed=self.seed)

    @abstractmethod
    def divide(self, records: Sequence[Record], groups: Groups) -> Split:
        """The split with all photos to fit."""


@dataclass(frozen=True, kw_only=True)
class _WithPublishedTest(Splitting):
    """The test photos are those that were published as such, and a share of the photos without a published split.

    Attributes:
        test_fraction: share of the photos without a published split that is tested.
    """

    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fractions(test_fraction=self.test_fraction)


@dataclass(frozen=True, kw_only=True)
class Published(_WithPublishedTest):
    """The split as it is published; among photos without one, no pixels straddle. Near duplicates are not looked for.

    See `anodice.data.splitting.split.make_split`.
    """

    def divide(self, records: Sequence[Record], groups: Groups) -> Split:
        del groups
        return make_split(
            records,
            validation_fraction=self.validation_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True)
class Whole(Published):
    """As published, but every normal photo outside the test is learned from: copies, and those of validation.

    It is how earlier projects made their templates, and for measuring those alone: the normal photos of validation are
    known to the detector, so that thresholds fitted on them come out too low.
    """

    def divide(self, records: Sequence[Record], groups: Groups) -> Split:
        split = super().divide(records, groups)
        known = {records[i].content for i in (*split.fit, *split.validation) if not records[i].anomalous}
        fit = [i for i, r in enumerate(records) if r.split != "test" and not r.anomalous and r.content in known]
        log.warning(
            "split=whole: the normal photos of validation are learned from too, so thresholds that are fitted on them "
            "come out too low; it is for repeating what earlier projects did."
        )
        return split_of(records, fit, split.validation, split.test, split.leaked)


@dataclass(frozen=True, kw_only=True)
class Clean(_WithPublishedTest):
    """The published test photos, and a training that has seen nothing near any of them.

    Photos whose group reaches into the test folder are neither fitted nor validated, and no group straddles fit and
    validation. Photos without a published split are divided by groups. Nothing leaks, so the clean test is the whole.
    """

    def divide(self, records: Sequence[Record], groups: Groups) -> Split:
        found = groups()
        test = [i for i, r in enumerate(records) if r.split == "test"]
        free = _usable(records, [i for i, r in enumerate(records) if r.split != "test"], found, away_from=test)
        # A group with a photo of the published training folder is trained on, all of it.
        fixed = {int(found[i]) for i in free if records[i].split == "train"}
        unsplit = [i for i in free if int(found[i]) not in fixed]
        drawn: list[int] = []
        if unsplit:
            check_together(self.validation_fraction, self.test_fraction)
            share = self.test_fraction
            drawn = _held_out(records, unsplit, found, fraction=share, anomalous_fraction=0.5, seed=self.seed)
        rest = sorted(set(free) - set(drawn))
        share = self.validation_fraction if not drawn else self.validation_fraction / (1 - self.test_fraction)
        return _trained_on(records, rest, [*test, *drawn], found, validation_fraction=share, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Folds(Splitting):
    """One of `folds` parts of all photos, of the training and of the test folder, is the test; the others the training.

    The parts hold every class in like shares, no group straddles them, and each distinct photo is tested in one fold.
    They depend on the seed, so that every fold of a sweep needs the same one.

    Attributes:
        fold: which part is the test, 0 <= fold < folds.
        folds: how many there are, at least 2.
    """

    fold: int
    folds: int

    def __post_init__(self) -> None:
        super().__post_init__()
        fold, folds = self.fold, self.folds
        if not isinstance(folds, int) or folds < 2:
            raise AnodiceError(f"expected split.folds to be a whole number of at least 2, got {folds!r}; 5 is usual.")
        if not isinstance(fold, int) or not 0 <= fold < folds:
            raise AnodiceError(
                f"expected split.fold to be one of 0 to {folds - 1} (split.folds={folds}), got {fold!r}."
            )

    def divide(self, records: Sequence[Record], groups: Groups) -> Split:
        found = groups()
        usable = _usable(records, range(len(records)), found, away_from=())
        members = _members(usable, found)
        if len(members) < self.folds:
            raise AnodiceError(
                f"expected at least {self.folds} groups of photos (split.folds), got {len(members)}; set fewer folds."
            )
        counts: list[Counter[tuple[str, bool]]] = [Counter() for _ in range(self.folds)]
        test: list[int] = []
        # Large groups first: small ones even out what they leave.
        for group in sorted(_shuffled(records, members, self.seed), key=lambda g: -len(members[g])):
            kinds = _kinds(records, members[group])
            most = max(sorted(kinds), key=kinds.__getitem__)
            fold = min(range(self.folds), key=lambda k: (counts[k][most], counts[k].total(), k))
            counts[fold] += kinds
            if fold == self.fold:
                test += members[group]
        rest, share = sorted(set(usable) - set(test)), self.validation_fraction
        return _trained_on(records, rest, sorted(test), found, validation_fraction=share, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class HeldOutSessions(Splitting):
    """The photos of some shooting sessions are the test, those of the others the training, whatever is published.

    Photos whose group reaches into the test are left out of the training.

    Attributes:
        test: the sessions to test on, as file names tell them, such as `26_01_22`.
    """

    test: Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.test, str) or not isinstance(self.test, Iterable) or not list(self.test):
            raise AnodiceError(
                f"expected split.test to be a list of sessions, got {self.test!r}; write split.test=[26_01_22], for "
                "example."
            )

    def divide(self, records: Sequence[Record], groups: Groups) -> Split:
        there = {r.session for r in records}
        tested = {_session(str(name), there) for name in self.test}
        if not any(r.session not in tested and not r.anomalous for r in records):
            raise AnodiceError(
                f"expected a session with normal photos beside those of split.test, got all of them "
                f"({', '.join(sorted(there))}); leave one out to train on."
            )
        found = groups()
        of_test = [i for i, r in enumerate(records) if r.session in tested]
        test = _usable(records, of_test, found, away_from=())
        for anomalous, what in ((False, "normal"), (True, "anomalous")):
            if not any(records[i].anomalous == anomalous for i in test):
                log.warning("the sessions of split.test hold no %s photos: most figures cannot be had.", what)
        others = [i for i, r in enumerate(records) if r.session not in tested]
        rest = _usable(records, others, found, away_from=test)
        share = self.validation_fraction
        return _trained_on(records, rest, test, found, validation_fraction=share, seed=self.seed)


def _session(name: str, there: Iterable[str]) -> str:
    """The session that is meant: on the command line 26_01_22 reads as the number 260122, and img tells none."""
    spelled = {known.replace("_", ""): known for known in there} | {known: known for known in there}
    name = name if name in spelled else session_of(name)
    if name not in spelled:
        raise unknown("shooting session", name, there)
    return spelled[name]


def _usable(
    records: Sequence[Record], indices: Iterable[int], groups: NDArray[np.int64], *, away_from: Sequence[int]
) -> list[int]:
    """One of each set of copies, of groups that hold none of `away_from`, without photos that have two labels."""
    used = {r.content for r in records if r.anomalous} & {r.content for r in records if not r.anomalous}
    near = {int(groups[i]) for i in away_from}
    chosen = []
    for index in indices:
        content = records[index].content
        if content not in used and int(groups[index]) not in near:
            used.add(content)
            chosen.append(index)
    return chosen


def _trained_on(
    records: Sequence[Record],
    rest: Sequence[int],
    test: Sequence[int],
    groups: NDArray[np.int64],
    *,
    validation_fraction: float,
    seed: int,
) -> Split:
    """Divide what is not tested into fit and validation: all anomalies, and normal photos by groups."""
    anomalies = [i for i in rest if records[i].anomalous]
    beside = {int(groups[i]) for i in anomalies}
    normals = [i for i in rest if not records[i].anomalous]
    alone = [i for i in normals if int(groups[i]) not in beside]
    share = enough_to_validate(validation_fraction, len(alone))
    held_out = _held_out(records, alone, groups, fraction=share, anomalous_fraction=validation_fraction, seed=seed)
    fit = sorted(set(alone) - set(held_out))
    held_out = sorted(set(normals) - set(fit))
    if not fit or not held_out:
        raise AnodiceError(
            f"expected at least 2 groups of normal photos to train on (one to fit, one to validate), got "
            f"{len({int(groups[i]) for i in normals})} from {len(records)} photos; add photos, or choose another split."
        )
    return split_of(records, fit, [*held_out, *anomalies], test, frozenset())


def _held_out(
    records: Sequence[Record],
    indices: Sequence[int],
    groups: NDArray[np.int64],
    *,
    fraction: float,
    anomalous_fraction: float,
    seed: int,
) -> list[int]:
    """Whole groups that hold about this fraction of each class: at least one group, and not all."""
    members = _members(indices, groups)
    by_kind: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for group in _shuffled(records, members, seed):
        kinds = _kinds(records, members[group])
        by_kind[max(sorted(kinds), key=kinds.__getitem__)].append(group)
    lonely = [group for kind in sorted(by_kind) if len(by_kind[kind]) == 1 for group in by_kind[kind]]
    parts = [(kind[1], found) for kind, found in sorted(by_kind.items()) if len(found) > 1]
    if lonely:  # classes of one group are divided together
        parts.append((False, lonely))
    chosen: list[int] = []
    for anomalous, found in parts:
        wanted = sum(len(members[g]) for g in found) * (anomalous_fraction if anomalous else fraction)
        taken: list[int] = []
        count = 0
        for group in found:
            fits = count + len(members[group]) <= max(round(wanted), 1)
            if fits and len(taken) < len(found) - 1:
                taken.append(group)
                count += len(members[group])
        if not taken and len(found) > 1:  # each group is larger than the share
            taken = [min(found, key=lambda g: len(members[g]))]
        chosen += [i for group in taken for i in members[group]]
    return sorted(chosen)


def _kinds(records: Sequence[Record], indices: Iterable[int]) -> Counter[tuple[str, bool]]:
    """How many there are of each class, anomalous or not."""
    return Counter((records[i].class_name, records[i].anomalous) for i in indices)


def _members(indices: Iterable[int], groups: NDArray[np.int64]) -> dict[int, list[int]]:
    """Group -> the indices in it."""
    members: dict[int, list[int]] = defaultdict(list)
    for index in indices:
        members[int(groups[index])].append(index)
    return members


def _shuffled(records: Sequence[Record], members: dict[int, list[int]], seed: int) -> list[int]:
    """The groups in an order that the seed and the pixels give, whatever the files are called.

    Each class is shuffled for itself, so that another class does not change it.
    """

    def name(group: int) -> tuple[str, str]:
        first = min(members[group], key=lambda i: records[i].content)
        return records[first].class_name, records[first].content

    by_class: dict[str, list[int]] = defaultdict(list)
    for group in sorted(members, key=name):
        by_class[name(group)[0]].append(group)
    order: list[int] = []
    for class_name, found in sorted(by_class.items()):
        generator = np.random.default_rng([seed, number_of(class_name)])
        order += [found[k] for k in generator.permutation(len(found))]
    return order
