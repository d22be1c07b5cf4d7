"""Whether photos have colour, from a look at a few of them; needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from anodice.data.records import FORMATS, Layout, is_photo

_LOOKED_AT = 12
"""Photos that are opened, spread over the folders of normal photos to train on."""
_SIDE = 64
_COLOURED = 12
"""Grey levels by which the channels of a small copy differ somewhere; less is what JPEG makes of grey."""


def channels_of(layout: Callable[[Path], Layout], root: str | Path) -> int:
    """3 where some of the photos to train on have colour, else 1; 1 where none can be read.

    Args:
        layout: from the root to what is in it.
    """
    root = Path(root).expanduser()
    files = list(_normals(layout(root), root))
    chosen = {files[k] for k in np.linspace(0, len(files) - 1, min(len(files), _LOOKED_AT)).round().astype(int)}
    return 3 if any(_coloured(path, path.stat().st_mtime_ns) for path in sorted(chosen)) else 1


def _normals(layout: Layout, root: Path) -> Iterator[Path]:
    for folder in layout.folders:
        if folder.anomalous or folder.split == "test" or not (root / folder.path).is_dir():
            continue
        for path in sorted((root / folder.path).iterdir()):
            if folder.only is None or path.name in folder.only:
                yield path


@lru_cache(maxsize=256)
def _coloured(path: Path, changed: int) -> bool:
    """Whether a photo has colour; asked for each use of a config, so looked at once as long as it has not changed."""
    del changed
    if not is_photo(path):
        return False
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.mode in ("L", "1", "I", "I;16"):
                return False
            image.draft("RGB", (_SIDE, _SIDE))
            small = np.asarray(image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.int16)
    except (OSError, ValueError, SyntaxError):
        return False  # the walk tells of it
    return bool((small.max(2) - small.min(2)).max() > _COLOURED)
