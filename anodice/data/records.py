"""The walk over a folder of photos: which files are records, which are skipped and why.

One walk, a declared table of layouts, no guessing: a folder that the layout does not name is not read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from anodice.errors import AnodiceError

ANOMALIES = "ano"
"""The class of every anomalous photo; nobody wrote down which face such a photo shows."""

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
    "WEBP": (b"RIFF",),
}
_SESSION = re.compile(r"^(\d\d_\d\d_\d\d)_")


@dataclass(frozen=True)
class Layout:
    """Which folders of a root are read, and what they mean.

    Attributes:
        splits: split name (`train`, `test`) -> folder name.
        faces: class folder -> face 1..6.
    """

    splits: dict[str, str]
    faces: dict[str, int]

    @property
    def classes(self) -> list[str]:
        """The class folders in numeric order, the anomalies last."""
        return [*sorted(self.faces, key=int), ANOMALIES]

    def tree(self) -> str:
        """The expected folders, for an error message."""
        names = sorted(self.faces, key=int)
        splits = ",".join(self.splits.values())
        return f"ROOT/{{{splits}}}/{{{names[0]}..{names[-1]},{ANOMALIES}}}/<photos>"


LAYOUTS = {
    "dice11": Layout(
        splits={"train": "train_set", "test": "test_set"},
        # The logo, in its four orientations, stands for the six.
        faces={"00": 1, "01": 2, "02": 2, "03": 3, "04": 3, "05": 4, "06": 5, "07": 6, "08": 6, "09": 6, "10": 6},
    ),
}
"""The folder layouts that are understood, by name."""


@dataclass(frozen=True)
class Record:
    """One image file and what is known about it.

    Attributes:
        path: relative to the root, with forward slashes.
        split: the published split, `train` or `test`.
        class_name: the class folder, `00`..`10` or `ano`.
        face: 1..6, or None for an anomaly.
        session: shooting session read from the file name, `DD_MM_YY`; the leading word where there is no date.
        file_hash: hash of the file's bytes.
        content: hash of the decoded pixels; empty until the image is decoded.
    """

    path: str
    split: str
    class_name: str
    face: int | None
    session: str
    file_hash: str
    content: str = ""

    @property
    def anomalous(self) -> bool:
        return self.class_name == ANOMALIES

    def with_content(self, content: str) -> Record:
        """The same record, decoded."""
        return replace(self, content=content)


@dataclass(frozen=True)
class Walk:
    """What a walk found.

    Attributes:
        records: in a fixed order.
        skipped: path and reason of each file that is no record.
        empty: class folders without a record.
        unread: folders within the splits that the layout does not name.
    """

    root: Path
    layout: Layout
    records: tuple[Record, ...]
    skipped: tuple[tuple[str, str], ...]
    empty: tuple[str, ...]
    unread: tuple[str, ...]


def walk(root: str | Path, layout: Layout) -> Walk:
    """Find the photos under `root`.

    Hidden files, AppleDouble twins (`._x`), empty files and files that are no image by their first bytes are skipped
    and named; the file's extension does not matter. Folders that the layout does not name are not read.

    Raises:
        AnodiceError: a split folder is missing, or no normal training photo is there.
    """
    root = Path(root).expanduser().absolute()
    _check_root(root, layout)
    records: list[Record] = []
    skipped: list[tuple[str, str]] = []
    empty: list[str] = []
    for split, folder in layout.splits.items():
        for class_name in layout.classes:
            before = len(records)
            for path in _files(root / folder / class_name):
                name = path.relative_to(root).as_posix()
                data = b"" if _is_hidden(path) else path.read_bytes()
                reason = "hidden file" if _is_hidden(path) else _why_not_an_image(data)
                if reason is not None:
                    skipped.append((name, reason))
                    continue
                file_hash = hashlib.blake2b(data, digest_size=16).hexdigest()
                face = layout.faces.get(class_name)
                records.append(Record(name, split, class_name, face, session_of(path.name), file_hash))
            if len(records) == before:
                empty.append(f"{folder}/{class_name}")
    if not any(r.split == "train" and not r.anomalous for r in records):
        raise AnodiceError(
            f"expected normal photos under {root / layout.splits['train']}, found none in its class folders "
            f"({len(skipped)} files were skipped); the layout is {layout.tree()}."
        )
    return Walk(root, layout, tuple(records), tuple(skipped), tuple(empty), _unread(root, layout))


def session_of(file_name: str) -> str:
    """The shooting session that a file name tells.

    >>> session_of("16_09_21_05_011.png"), session_of("img_25197_cropped.jpg")
    ('16_09_21', 'img')
    """
    dated = _SESSION.match(file_name)
    return dated.group(1) if dated else re.split(r"[_\W]", file_name, maxsplit=1)[0]


def _files(folder: Path) -> Iterator[Path]:
    """The files of one folder by name; nothing where the folder is missing."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from sorted(Path(e.path) for e in entries if e.is_file())


def _unread(root: Path, layout: Layout) -> tuple[str, ...]:
    """Folders that somebody may have meant as classes."""
    found = (path for folder in layout.splits.values() for path in sorted((root / folder).iterdir()))
    unknown = (path for path in found if path.is_dir() and path.name not in layout.classes and not _is_hidden(path))
    return tuple(path.relative_to(root).as_posix() for path in unknown)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _why_not_an_image(data: bytes) -> str | None:
    """Why the bytes cannot be an image; None where they look like one."""
    if not data:
        return "empty file"
    if any(data.startswith(signature) for starts in _SIGNATURES.values() for signature in starts):
        return None
    return f"not an image (expected {', '.join(_SIGNATURES)})"


def _check_root(root: Path, layout: Layout) -> None:
    missing = [name for name in layout.splits.values() if not (root / name).is_dir()]
    if not missing:
        return
    raise AnodiceError(
        f"expected {' and '.join(f'{name}/' for name in missing)} in {root}, {_what_is_there(root)}; "
        f"set data.root (or DICE_ROOT) to the folder laid out as {layout.tree()}{_nearby(root, layout)}."
    )


def _what_is_there(root: Path) -> str:
    if not root.exists():
        parent = next(p for p in root.parents if p.exists())
        return f"but the folder does not exist ({parent} does)"
    if not root.is_dir():
        return "but that is a file"
    names = sorted(p.name + ("/" if p.is_dir() else "") for p in root.iterdir())
    if not names:
        return "but the folder is empty"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"found {', '.join(names[:8])}{more}"


def _nearby(root: Path, layout: Layout) -> str:
    """A hint at a folder close by that has the layout: the parent, or a child."""
    candidates = [root.parent, *(sorted(root.iterdir()) if root.is_dir() else [])]
    for candidate in candidates:
        if all((candidate / name).is_dir() for name in layout.splits.values()):
            return f"; {candidate} has that layout"
    return ""
