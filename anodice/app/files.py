"""Files that later commands rely on: written beside and renamed, so whole or as they were; read with their checksums.

`checksums.json` of a folder holds the SHA-256 of its files. A file is taken out of it before it is written anew, and
noted once it is whole: a kill in between leaves a file that nobody checks, never one that is called damaged.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anodice.errors import AnodiceError, first_line

CHECKSUMS = "checksums.json"


def make_folder(path: Path, key: str) -> Path:
    """Make a folder to write to, and those above it.

    Args:
        key: of the config that chooses it.

    Raises:
        AnodiceError: it cannot be made, or nothing can be written to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"room")
    except OSError as error:
        raise AnodiceError(
            f"expected to write to {path}, which the system refuses ({error.strerror}); make room, or choose another "
            f"place with {key}=DIR."
        ) from error
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left half-built in a folder: `.building-*`, `.damaged-*`, untouched for an hour."""
    for left in (*folder.glob(".building-*"), *folder.glob(".damaged-*")):
        with suppress(OSError):  # somebody else may be faster
            touched = max(path.stat().st_mtime for path in (left, *left.rglob("*")))
            if time.time() - touched < _UNTOUCHED:
                continue
            shutil.rmtree(left) if left.is_dir() else left.unlink()


_UNTOUCHED = 3600
"""Seconds after which nobody is still at work."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place if all went well and is removed if not.

    Raises:
        AnodiceError: the disk is full, or nothing can be written there.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise AnodiceError(
            f"expected to write {path}, which the system refuses ({error.strerror}); it is left as it was: make room, "
            "and call the command again."
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text, in UTF-8 whatever the locale; a reader never sees half of it."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object; a reader never sees half of it."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def forget_checksums(folder: Path, *names: str) -> None:
    """Take files out of the checksums of a folder, before they are written anew."""
    known = _checksums(folder)
    if known.keys() & set(names):
        write_json(folder / CHECKSUMS, {name: found for name, found in known.items() if name not in names})


def note_checksums(folder: Path, *names: str) -> None:
    """Note files as they are now, those of them that are there; what is noted of others stays."""
    found = {name: _checksum(folder / name) for name in names if (folder / name).is_file()}
    write_json(folder / CHECKSUMS, {**_checksums(folder), **found})


def check(folder: Path, name: str) -> Path:
    """The path of a file, if it is what was noted; a folder from before there were checksums has none to differ.

    Raises:
        AnodiceError: it is missing, or another one.
    """
    path = folder / name
    if not path.is_file():
        raise AnodiceError(f"expected {path}, which is missing; {_mended(path)}.")
    expected = _checksums(folder).get(name)
    if expected is not None and _checksum(path) != expected:
        raise AnodiceError(
            f"expected {path} as it was written, but its checksum differs: it is damaged or was changed; "
            f"{_mended(path)}, or, if the change is yours, delete {folder / CHECKSUMS}."
        )
    return path


def read_text(folder: Path, name: str) -> str:
    """The text of a file of a folder.

    Raises:
        AnodiceError: it is missing or damaged.
    """
    path = check(folder, name)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, first_line(error)) from error


def read_json(folder: Path, name: str, needed: Mapping[str, type | tuple[type, ...]] | None = None) -> dict[str, Any]:
    """A JSON object of a folder.

    Args:
        needed: what it must hold: keys, joined by dots, and the types of their values.

    Raises:
        AnodiceError: it is missing or damaged, or holds something else.
    """
    try:
        found = json.loads(read_text(folder, name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, AnodiceError):
            raise
        raise damaged(folder / name, first_line(error)) from error
    return checked(found, folder / name, needed or {})


def checked(found: Any, path: Path, needed: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """An object that was read from a file, if it holds what it must; see `read_json`."""
    if not isinstance(found, dict):
        raise damaged(path, f"it holds {type(found).__name__} where an object belongs")
    for key, kind in needed.items():
        value: Any = found
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise damaged(path, f"{key} is missing")
            value = value[part]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise damaged(path, f"{key} is {value!r:.40}")
    return found


def damaged(path: Path, why: str) -> AnodiceError:
    """The error for a file that does not hold what was written."""
    return AnodiceError(f"expected {path} as it was written, which is damaged ({why}); {_mended(path)}.")


def _mended(path: Path) -> str:
    """What to do about a file that is missing or damaged."""
    if path.name in ("config.yaml", "split.json") or path.suffix == ".ckpt":
        return "copy the run folder again, or train a new run"
    return f"make it again with python evaluate.py run={path.parent}, where the photos are"


def _checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise AnodiceError(
            f"expected checksums in {path}, which is damaged ({first_line(error)}); copy the run folder again, or "
            "delete that file if the others are right."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise AnodiceError(f"expected names and checksums in {path}, got something else; copy the run folder again.")
    return found


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
