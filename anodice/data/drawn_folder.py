"""A folder of drawn pictures that appears whole or not at all, and is drawn once."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anodice.errors import AnodiceError


def drawn_once(
    root: Path, plan: Mapping[str, Any], draw: Callable[[Path], None], *, files: int, record: str, what: str
) -> Path:
    """Draw into a folder beside `root`, give it that name, and return it; one of the same plan is left untouched.

    Args:
        plan: all that fixes the pictures, for the record that a complete folder holds.
        draw: writes `files` PNG files below the folder that it is given.
        record: name of the record's file.
        what: such a folder, for error messages, such as `synthetic set`.

    Raises:
        AnodiceError: `root` is there already, but does not hold this very set.
    """
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        _check_written(root, plan, files=files, record=record, what=what)
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = root.parent / f".{root.name}-{uuid.uuid4().hex}"
    try:
        draft.mkdir()
        draw(draft)
        (draft / record).write_text(_text(plan))
        try:
            draft.replace(root)
        except OSError:  # unless another process was faster with the same set
            if not root.exists():
                raise
            _check_written(root, plan, files=files, record=record, what=what)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return root


def folder_name(plan: Mapping[str, Any]) -> str:
    """A name for the folder of a plan in a cache: another plan has another."""
    return hashlib.blake2b(_text(plan).encode(), digest_size=6).hexdigest()


def _text(plan: Mapping[str, Any]) -> str:
    return json.dumps(dict(plan), indent=2) + "\n"


def _check_written(root: Path, plan: Mapping[str, Any], *, files: int, record: str, what: str) -> None:
    """Raise unless `root` holds the complete set of this plan."""
    path = root / record
    if not path.is_file():
        raise AnodiceError(
            f"{root} is there already but holds no complete {what} (no {record}); remove it or name another folder."
        )
    if path.read_text() != _text(plan):
        raise AnodiceError(
            f"{root} holds a {what} of other arguments or another version; see {record} in it, and remove the folder "
            f"or name another."
        )
    found = sum(1 for _ in root.glob("**/*.png"))
    if found != files:
        raise AnodiceError(f"{root} holds {found} PNG files where its {what} has {files}; remove it to write it anew.")
