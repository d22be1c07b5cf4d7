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
        training_copies: paths of training photos whose pixels an earlier training photo already has.
        test_copies: the same within the test photos.
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
        line = (
            f"audit: {len(self.training_copies)} of {self.training} training photos are exact copies of others (one of "
            f"each is used); {len(self.leaked)} of {self.test} test photos are copies of training photos (figures come "
            f"with and without them)"
        )
        if self.conflicts:
            first = " and ".join(self.conflicts[0])
            line += (
                f"; {len(self.conflicts)} photos are filed as normal and as anomalous (left out of training): {first}"
            )
        return line + "."


def audit(records: Sequence[Record]) -> Audit:
    """Find the exact copies among decoded records (near copies, re-encoded or shifted, are not looked for)."""
    training = [r for r in records if r.split == "train"]
    test = [r for r in records if r.split == "test"]
    in_training = {r.content for r in training}
    return Audit(
        training=len(training),
        test=len(test),
        training_copies=_repeated(training),
        test_copies=_repeated(test),
        leaked=tuple(r.path for r in test if r.content in in_training),
        conflicts=_conflicts(records),
    )


def _repeated(records: Sequence[Record]) -> tuple[str, ...]:
    seen: set[str] = set()
    copies = []
    for record in records:
        if record.content in seen:
            copies.append(record.path)
        seen.add(record.content)
    return tuple(copies)


def _conflicts(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    first: dict[str, dict[bool, str]] = defaultdict(dict)
    for record in records:
        first[record.content].setdefault(record.anomalous, record.path)
    return tuple((paths[False], paths[True]) for paths in first.values() if len(paths) == 2)
