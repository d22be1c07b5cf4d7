"""The walk over a folder of photos: which files are records, which are skipped and why.

One walk, declared layouts, no guessing: a folder that the layout does not name is not read.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from anodice.errors import AnodiceError

PublishedSplit = Literal["train", "test", "any"]
"""The published split of a photo; `any` where nobody has published one."""

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
    "WEBP": (b"RIFF",),
}
FORMATS = tuple(_SIGNATURES)
"""The formats of photos, by Pillow's names; it reads others, some by starting programs."""

_STARTS = tuple(start for starts in _SIGNATURES.values() for start in starts)
_SESSION = re.compile(r"^(\d\d_\d\d_\d\d)_")
_CAMERA = re.compile(r"(img|image|dsc|dscn|dscf|pxl|pict?|p|gopr|photo|frame|screenshot)?\d*", re.IGNORECASE)
"""What cameras and programs start a name with, and bare numbers: such names tell no session."""

UNKNOWN = "unknown"
"""The session of photos whose names tell none."""


@dataclass(frozen=True)
class Folder:
    """A folder that is read, and what the photos directly in it are.

    Attributes:
        path: relative to the root, with forward slashes.
        split: the published split.
        class_name: the class of normal photos, the kind of anomalous ones.
        anomalous: whether the photos are.
        face: 1..6 for a die, None where it is not known.
        masks: folder of the masks, relative to the root; it need not be there. The mask of `<stem>.<ext>` is
            `<stem>_mask.png` or `<stem>.png`.
        only: names of the files that are meant; None for all in the folder.
    """

    path: str
    split: PublishedSplit
    class_name: str
    anomalous: bool
    face: int | None = None
    masks: str | None = None
    only: frozenset[str] | None = None


@dataclass(frozen=True)
class Layout:
    """Which folders of a root are read, and what they mean.

    Attributes:
        folders: in the order in which they are read.
        classes: names of the normal classes that there are photos to learn from, in order.
        parents: folders that must be there; others in them are not read, and named.
        around: further folders of which others in them are not read, and named.
        tree: the expected folders, for error messages.
        upright: false where the photos still have to be turned.
    """

    folders: tuple[Folder, ...]
    classes: tuple[str, ...]
    parents: tuple[str, ...]
    tree: str
    upright: bool = True
    around: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One image file and what is known about it.

    Attributes:
        path: relative to the root, with forward slashes.
        split: the published split, `train`, `test` or `any`.
        class_name: the class of a normal photo, such as `00`..`10`; the kind of an anomalous one, such as `ano`.
        anomalous: whether the photo is filed as anomalous.
        face: 1..6, or None where it is not known.
        mask: path of the mask of its defects, relative to the root; None without one.
        session: shooting session read from the file name, `DD_MM_YY`; the leading word where there is no date, and
            `UNKNOWN` where that is a camera's.
        file_hash: hash of the file's bytes.
        content: hash of the decoded pixels; empty until the image is decoded.
    """

    path: str
    split: PublishedSplit
    class_name: str
    anomalous: bool
    face: int | None
    mask: str | None
    session: str
    file_hash: str
    content: str = ""

    def with_content(self, content: str) -> Record:
        """The same record, decoded."""
        return replace(self, content=content)


@dataclass(frozen=True)
class Walk:
    """What a walk found.

    Attributes:
        records: in a fixed order.
        skipped: path and reason of each file that is no record.
        empty: folders of the layout without a record.
        unread: folders beside these that the layout does not name.
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
        AnodiceError: a folder is missing, or no normal photo to train on is there.
    """
    root = Path(root).expanduser().absolute()
    _check_root(root, layout)
    records: list[Record] = []
    skipped: list[tuple[str, str]] = []
    empty: list[str] = []
    for folder in layout.folders:
        masks = _masks(root, folder)
        below = "".join(f"{part}/" for part in Path(folder.path).parts)
        before = len(records)
        for name in _files(root / folder.path):
            if folder.only is not None and name not in folder.only:
                continue
            path = f"{below}{name}"
            data, reason = _read(f"{root}/{path}", name)
            if reason is not None:
                skipped.append((path.encode(errors="surrogateescape").decode(errors="replace"), reason))
                continue
            records.append(
                Record(
                    path=path,
                    split=folder.split,
                    class_name=folder.class_name,
                    anomalous=folder.anomalous,
                    face=folder.face,
                    mask=_mask(name, masks),
                    session=sys.intern(session_of(name)),
                    file_hash=hashlib.blake2b(data, digest_size=16).hexdigest(),
                )
            )
        if len(records) == before:
            empty.append(folder.path)
    unread = _unread(root, layout)
    if not any(r.split != "test" and not r.anomalous for r in records):
        others = f", and {listed(unread)}, which it does not name" if unread else ""
        raise AnodiceError(
            f"expected normal photos under {root / layout.parents[0]}, found none in the class folders "
            f"({len(skipped)} files were skipped){others}; the layout is {layout.tree}; data=folder reads folders of "
            "any name."
        )
    return Walk(root, layout, tuple(records), tuple(skipped), tuple(empty), unread)


def listed(names: Sequence[str], *, most: int = 6) -> str:
    """Names in a sentence, not all of very many.

    >>> listed(["a"]), listed("abc"), listed("abcdefgh", most=2)
    ('a', 'a, b and c', 'a, b and 6 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def session_of(file_name: str) -> str:
    """The shooting session that a file name tells.

    >>> session_of("16_09_21_05_011.png"), session_of("monday-7.png"), session_of("IMG_1234.jpg")
    ('16_09_21', 'monday', 'unknown')
    """
    dated = _SESSION.match(file_name)
    word = dated.group(1) if dated else re.split(r"[_\W]", file_name, maxsplit=1)[0]
    return UNKNOWN if _CAMERA.fullmatch(word) else word


def _files(folder: Path) -> list[str]:
    """The names of the files of one folder, in order; none where the folder is missing."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if _is_file(entry))


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one; a link that leads nowhere is told with the others that cannot be read."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # such as a loop of links
        return True


def _read(path: str, name: str) -> tuple[bytes, str | None]:
    """The content of a file, and why it is no photo; None where it looks like one."""
    if _is_hidden(name):
        return b"", "hidden file"
    try:
        name.encode()
    except UnicodeEncodeError:
        return b"", "its name is not UTF-8; rename it"
    try:
        data = read_bytes(path)
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"
    return data, _why_not_an_image(data)


def read_bytes(path: str) -> bytes:
    """A whole file; a `Path` for each photo would take as long as the reading."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def _masks(root: Path, folder: Folder) -> dict[str, str]:
    """The masks of a folder's photos: stem of the file -> path relative to the root."""
    if folder.masks is None:
        return {}
    names = (name for name in _files(root / folder.masks) if name.endswith(".png") and not _is_hidden(name))
    return {name.removesuffix(".png"): f"{folder.masks}/{name}" for name in names}


def _mask(name: str, masks: dict[str, str]) -> str | None:
    """The mask of the photo with this file name, if there is one."""
    if not masks:
        return None
    stem = Path(name).stem
    return masks.get(f"{stem}_mask", masks.get(stem))


def _unread(root: Path, layout: Layout) -> tuple[str, ...]:
    """Folders that somebody may have meant as classes."""
    # Those that hold a folder which is read are no such thing.
    known = [Path(name) for f in layout.folders for name in (f.path, f.masks) if name is not None]
    read = {above for path in known for above in (path, *path.parents)}
    parents = (*layout.parents, *layout.around)
    found = (path for parent in parents for path in sorted((root / parent).iterdir()) if path.is_dir())
    unknown = (path for path in found if path.relative_to(root) not in read and not is_hidden(path))
    return tuple(path.relative_to(root).as_posix() for path in unknown)


def is_hidden(path: Path) -> bool:
    """Whether a name is none that a person gave: `.DS_Store`, `._x`, the folder `__MACOSX`."""
    return _is_hidden(path.name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def is_photo(path: Path) -> bool:
    """Whether a path is a file that a walk would make a record of."""
    if is_hidden(path) or not path.is_file():
        return False
    with path.open("rb") as file:
        return _why_not_an_image(file.read(16)) is None


def _why_not_an_image(data: bytes) -> str | None:
    """Why the bytes cannot be an image; None where they look like one."""
    if not data:
        return "empty file"
    if data.startswith(_STARTS):
        return None
    return f"not an image (expected {', '.join(_SIGNATURES)})"


def _check_root(root: Path, layout: Layout) -> None:
    missing = [name for name in layout.parents if not (root / name).is_dir()]
    if not missing:
        return
    raise AnodiceError(
        f"expected {' and '.join(f'{name}/' for name in missing)} in {root}, {_what_is_there(root)}"
        f"{_did_you_mean(root, layout, missing)}; "
        f"set data.root to the folder laid out as {layout.tree}{_nearby(root, layout)}."
    )


def _did_you_mean(root: Path, layout: Layout, missing: list[str]) -> str:
    """The folders nearest in name to the missing ones, as deep below the root; nothing where none is near."""
    near = []
    for name in missing if root.is_dir() else []:
        found = (path for path in root.glob("/".join("*" for _ in name.split("/"))) if path.is_dir())
        free = {path.relative_to(root).as_posix() for path in found} - set(layout.parents)
        near += difflib.get_close_matches(name, sorted(free), n=1, cutoff=0.7)
    return f" (did you mean {' and '.join(f'{name}/' for name in near)}?)" if near else ""


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
        if all((candidate / name).is_dir() for name in layout.parents):
            return f"; {candidate} has that layout"
    return ""
