"""What is wrong with a folder of photos before anything is trained on it: copies, leaks, conflicting labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from anodice.data.records import Record


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
    """

    training: int
    test: int
    training_copies: tuple[str, ...]
    test_copies: tuple[str, ...]
    leaked: tuple[str, ...]
    conflicts: tuple[tuple[str, str], ...]

    def sentence(self) -> str:
        """One line for the start of a training."""
        photos = "photos" if self.test == 0 else "training photos"
        line = (
            f"audit: {len(self.training_copies)} of {self.training} {photos} are exact copies of others (one of each "
            f"is used)"
        )
        if self.test > 0:
            line += (
                f"; {len(self.leaked)} of {self.test} test photos are copies of training photos (figures come with and "
                f"without them)"
            )
        if self.conflicts:
            first = " and ".join(self.conflicts[0])
            line += (
                f"; {len(self.conflicts)} photos are filed as normal and as anomalous (left out of training): {first}"
            )
        return line + "."


def audit(records: Sequence[Record]) -> Audit:
    """Find the exact copies among decoded records (near copies, re-encoded or shifted, are not looked for)."""
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
