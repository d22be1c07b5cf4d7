"""What is wrong with a folder of photos before anything is trained on it: copies, leaks, conflicting labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from anodice.data.records import UNKNOWN, Record
from anodice.data.splitting.near_duplicates import Pair, near_contents

_FEW = 20
"""Normal photos of a session below which anomalies of that session may be told by the session alone."""


@dataclass(frozen=True)
class Audit:
    """Copies among the records, by the hash of the pixels.

    Attributes:
        training: how many photos there are that are not published as test photos.
        test: how many photos are published as test photos.
        training_copies: paths of those among `training` whose pixels an earlier one already has, or, where no split is
            published for them, a published test photo.
        test_copies: paths of test photos whose pixels an earlier one already has.
        leaked: paths of test photos whose pixels also occur in the training folder.
        conflicts: pairs of paths with equal pixels, one filed as normal and one as anomalous.
        nearly_leaked: paths of test photos, beside the leaked ones, that are near duplicates of training photos; None
            where nobody has looked for them.
        near_conflicts: pairs of paths of near duplicates, one filed as normal and one as anomalous.
        pairs: paths and kind (see `Pair`) of any two photos that show the same, exact copies included; empty where
            nobody has looked for them.
    """

    training: int
    test: int
    training_copies: tuple[str, ...]
    test_copies: tuple[str, ...]
    leaked: tuple[str, ...]
    conflicts: tuple[tuple[str, str], ...]
    nearly_leaked: tuple[str, ...] | None = None
    near_conflicts: tuple[tuple[str, str], ...] = ()
    pairs: tuple[tuple[str, str, str], ...] = ()

    def sentence(self) -> str:
        """One line for the start of a training."""
        photos = "photos" if self.test == 0 else "training photos"
        line = (
            f"audit: {len(self.training_copies)} of {self.training} {photos} are exact copies of others (one of each "
            f"is used)"
        )
        if self.test > 0:
            line += (
                f"; {len(self.leaked)} of {self.test} test photos are copies of training photos (split=published gives "
                f"figures with and without them, the other splits keep them apart)"
            )
            if self.nearly_leaked is not None:
                line += f"; {len(self.nearly_leaked)} more are near duplicates of training photos"
        if self.conflicts:
            first = " and ".join(self.conflicts[0])
            line += (
                f"; {len(self.conflicts)} photos are filed as normal and as anomalous (left out of training): {first}"
            )
        return line + "."


@dataclass(frozen=True)
class Session:
    """The photos of one shooting session.

    Attributes:
        classes: class or kind of anomaly -> how many photos, anomalies under their own names.
        normals, anomalies: how many photos there are of either.
    """

    name: str
    classes: dict[str, int]
    normals: int
    anomalies: int


def audit(records: Sequence[Record], pairs: Sequence[Pair] | None = None) -> Audit:
    """Find the exact copies among decoded records.

    Args:
        pairs: the near duplicates among them, where they are known.
    """
    training = [r for r in records if r.split != "test"]
    test = [r for r in records if r.split == "test"]
    in_training = {r.content for r in training if r.split == "train"}
    return Audit(
        training=len(training),
        test=len(test),
        training_copies=_repeated(training, {r.content for r in records if r.split != "any"}),
        test_copies=_repeated(test, set()),
        leaked=tuple(r.path for r in test if r.content in in_training),
        conflicts=_conflicts(records),
        nearly_leaked=None if pairs is None else _nearly_leaked(records, pairs, in_training),
        near_conflicts=() if pairs is None else _near_conflicts(records, pairs),
        pairs=tuple((records[pair.first].path, records[pair.second].path, pair.kind) for pair in pairs or ()),
    )


def sessions(records: Sequence[Record]) -> tuple[Session, ...]:
    """What each shooting session holds, by name."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.session].append(record)
    return tuple(
        Session(
            name,
            dict(sorted(Counter(r.class_name for r in photos).items())),
            sum(not r.anomalous for r in photos),
            sum(r.anomalous for r in photos),
        )
        for name, photos in sorted(found.items())
    )


def session_warning(records: Sequence[Record]) -> str | None:
    """A sentence where anomalies come from sessions with few or no normal photos: a detector may learn the session.

    None where they do not, or where nearly each photo has a session of its own, so that the names tell none.
    """
    found = sessions(records)
    if 2 * len(found) > len(records):
        return None
    alone = [s for s in found if s.name != UNKNOWN and s.anomalies > 0 and s.normals < _FEW]
    count, total = sum(s.anomalies for s in alone), sum(s.anomalies for s in found)
    if not alone:
        return None
    return (
        f"{count} of {total} anomalous photos come from sessions with fewer than {_FEW} normal photos "
        f"({', '.join(s.name for s in alone)}): a detector that tells sessions apart would seem to find anomalies; "
        f"look at the false alarms of each session, or test on another one with split=session."
    )


def _repeated(records: Sequence[Record], published: set[str]) -> tuple[str, ...]:
    """Those that are copies of earlier ones, or, without a published split, of photos that have one."""
    seen: set[str] = set()
    copies = []
    for record in records:
        if record.content in seen or (record.split == "any" and record.content in published):
            copies.append(record.path)
        seen.add(record.content)
    return tuple(copies)


def _conflicts(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    first: dict[str, dict[bool, str]] = defaultdict(dict)
    for record in records:
        first[record.content].setdefault(record.anomalous, record.path)
    return tuple((paths[False], paths[True]) for paths in first.values() if len(paths) == 2)


def _nearly_leaked(records: Sequence[Record], pairs: Sequence[Pair], in_training: set[str]) -> tuple[str, ...]:
    near = near_contents(records, pairs, in_training)
    return tuple(r.path for r in records if r.split == "test" and r.content in near)


def _near_conflicts(records: Sequence[Record], pairs: Sequence[Pair]) -> tuple[tuple[str, str], ...]:
    found = []
    for pair in pairs:
        one, other = sorted((records[pair.first], records[pair.second]), key=lambda r: r.anomalous)
        if pair.kind != "exact" and one.anomalous != other.anomalous:
            found.append((one.path, other.path))
    return tuple(found)
