"""Photos that are the same evidence: copies, near copies, and frames of one burst; their pairs and their groups."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from anodice.app.console import waiting
from anodice.app.files import make_folder, remove_leftovers
from anodice.data.records import UNKNOWN, Record
from anodice.functional.registration import find_copies, likeness

log = logging.getLogger(__name__)

Kind = Literal["exact", "re-encoded", "shifted", "turned", "burst"]
"""What a pair is. `burst` are frames of one scene, by their numbers; the others are made from one photo."""

PAIR_KINDS: tuple[Kind, ...] = get_args(Kind)

_VERSION = 1
_TURNED = 1.0  # degrees; less cannot be told from none on a face that is round
_SHIFTED = 0.5  # pixels
_LARGEST_TURN_OF_A_BURST = 6.0  # degrees
_NEXT_FRAMES = 2
_LIKE_FRAMES = 0.98
_DATE = re.compile(r"\d\d_\d\d_\d\d")
_NUMBER = re.compile(r"\d+(?=\D*$)")


@dataclass(frozen=True)
class Pair:
    """Two records that show the same.

    Attributes:
        first, second: indices of the records.
        kind: what the second is of the first.
        difference: the largest difference that is left when one is laid onto the other, in grey levels of 0..255.
        angle: by which the second is turned against the first, in degrees.
        shift: by which it is shifted, x and y, in 128ths of the width.
    """

    first: int
    second: int
    kind: Kind
    difference: float
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


def near_duplicate_pairs(
    records: Sequence[Record], pictures: Callable[[], NDArray[np.uint8]], *, cache_dir: Path
) -> tuple[Pair, ...]:
    """The pairs among decoded records; computed once for these files (15 s for 6,500 photos on two cores), then read.

    Args:
        pictures: gives the photos of the records, (N, 128, 128) grey, where they are needed.
        cache_dir: where the pairs are kept.

    Copies of equal pixels are paired with the first of them, and that one alone with others. Frames are those of one
    numbered sequence: whatever of one session is nearly the same picture, and next numbers of a camera that look alike.
    """
    known = known_pairs(records, cache_dir=cache_dir)
    if known is not None:
        return known
    firsts: dict[str, int] = {}
    for index, record in enumerate(records):
        firsts.setdefault(record.content, index)
    distinct = list(firsts.values())
    pairs = [Pair(firsts[r.content], i, "exact", 0.0) for i, r in enumerate(records) if firsts[r.content] != i]
    if len(distinct) > 1:
        log.info("looking for near duplicates among %d photos, once ...", len(distinct))
        pairs += _near(records, distinct, pictures()[distinct])
    found = tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second)))
    _write(_file(records, cache_dir), found)
    return found


def known_pairs(records: Sequence[Record], *, cache_dir: Path) -> tuple[Pair, ...] | None:
    """The pairs where they have been computed before; None where they have not."""
    file = _file(records, cache_dir)
    if not file.is_file():
        return None
    try:
        rows = json.loads(file.read_text())
        return tuple(Pair(i, j, PAIR_KINDS[kind], gap, angle, (x, y)) for i, j, kind, gap, angle, x, y in rows)
    except (ValueError, TypeError, IndexError) as damage:
        log.warning("the near duplicates in %s are damaged (%s); they are looked for anew", file, damage)
        return None


def group_ids(records: Sequence[Record], pairs: Iterable[Pair]) -> NDArray[np.int64]:
    """Number each record's group, (N,): the same for all that pairs join, however many steps apart.

    >>> photos = [Record(name, "any", "00", False, None, None, "", "", name) for name in "abc"]
    >>> group_ids(photos, [Pair(0, 2, "burst", 1.0)]).tolist()
    [0, 1, 0]
    """
    first_of: dict[str, int] = {}
    joined = [(i, first_of.setdefault(record.content, i)) for i, record in enumerate(records)]
    joined += [(pair.first, pair.second) for pair in pairs]
    rows, columns = np.array(joined, dtype=np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(records), len(records)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def near_contents(records: Sequence[Record], pairs: Iterable[Pair], contents: set[str]) -> set[str]:
    """The pixel hashes that pairs join with some given ones, without these; pairs of pairs are not followed.

    >>> photos = [Record(name, "any", "00", False, None, None, "", "", name) for name in "abc"]
    >>> pairs = [Pair(0, 1, "burst", 1.0), Pair(1, 2, "burst", 1.0)]
    >>> near_contents(photos, pairs, {"a"}), sorted(near_contents(photos, pairs, {"b"}))
    ({'b'}, ['a', 'c'])
    """
    near: set[str] = set()
    for pair in pairs:
        one, other = records[pair.first].content, records[pair.second].content
        near |= {other} if one in contents else set()
        near |= {one} if other in contents else set()
    return near - contents


def _near(records: Sequence[Record], distinct: Sequence[int], pictures: NDArray[np.uint8]) -> Iterator[Pair]:
    with waiting("near duplicates") as tell:
        copies = find_copies(pictures, tell=tell)
    seen = set()
    for k in range(len(copies.first)):
        pair = Pair(
            distinct[copies.first[k]],
            distinct[copies.second[k]],
            "re-encoded",
            round(float(copies.difference[k]), 3),
            round(float(copies.angle[k]), 2),
            (round(float(copies.shift[k, 0]), 2), round(float(copies.shift[k, 1]), 2)),
        )
        seen.add(frozenset((pair.first, pair.second)))
        yield _of_kind(records, pair)
    follow = list(_next_frames(records, distinct))
    if follow:
        first, second = np.array(follow, dtype=np.int64).T
        alike, difference = likeness(pictures, first, second)
        for k in np.flatnonzero(alike > _LIKE_FRAMES):
            i, j = distinct[first[k]], distinct[second[k]]
            if frozenset((i, j)) not in seen:
                yield Pair(i, j, "burst", round(float(difference[k]), 3))


def _of_kind(records: Sequence[Record], pair: Pair) -> Pair:
    """The pair with its kind, by the names of the two and how one lies against the other."""
    kind: Kind = "re-encoded"
    one, other = records[pair.first], records[pair.second]
    sequence, number = _frame(one)
    other_sequence, other_number = _frame(other)
    of_one_sequence = one.session == other.session != UNKNOWN or sequence == other_sequence
    frames = number is not None and other_number is not None and number != other_number and of_one_sequence
    if frames and abs(pair.angle) <= _LARGEST_TURN_OF_A_BURST:
        kind = "burst"
    elif abs(pair.angle) > _TURNED:
        kind = "turned"
    elif max(map(abs, pair.shift)) > _SHIFTED:
        kind = "shifted"
    return Pair(pair.first, pair.second, kind, pair.difference, pair.angle, pair.shift)


def _next_frames(records: Sequence[Record], distinct: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Positions of photos of one class with next numbers; a name with a date counts the photos of a class instead."""
    numbered: dict[tuple[str, str], dict[int, int]] = {}
    for position, index in enumerate(distinct):
        sequence, number = _frame(records[index])
        if number is not None and _DATE.fullmatch(records[index].session) is None:
            numbered.setdefault((sequence, records[index].class_name), {})[number] = position
    for positions in numbered.values():
        for number, position in positions.items():
            for step in range(1, _NEXT_FRAMES + 1):
                if number + step in positions:
                    yield position, positions[number + step]


def _frame(record: Record) -> tuple[str, int | None]:
    """The name without its last number, and that number."""
    stem = Path(record.path).stem
    number = _NUMBER.search(stem)
    return _NUMBER.sub("#", stem), None if number is None else int(number.group())


def _file(records: Sequence[Record], cache_dir: Path) -> Path:
    state = hashlib.blake2b(f"{_VERSION}\n".encode(), digest_size=16)
    for record in records:
        state.update(f"{record.path}\0{record.class_name}\0{record.content}\n".encode())
    return cache_dir / "near_duplicates" / f"{state.hexdigest()}.json"


def _write(file: Path, pairs: Sequence[Pair]) -> None:
    """Write the pairs in one step: nobody sees half of them."""
    remove_leftovers(make_folder(file.parent, "paths.cache_dir"))
    rows = [[p.first, p.second, PAIR_KINDS.index(p.kind), p.difference, p.angle, *p.shift] for p in pairs]
    handle, building = tempfile.mkstemp(dir=file.parent, prefix=".building-")
    with os.fdopen(handle, "w") as out:
        json.dump(rows, out)
    Path(building).replace(file)
