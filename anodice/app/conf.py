"""Where the folder `conf/` lies."""

from __future__ import annotations

from pathlib import Path

CONF = next(
    folder for folder in (Path(__file__).parents[1] / "conf", Path(__file__).parents[2] / "conf") if folder.is_dir()
)
"""Inside the installed package, or beside it in a checkout."""
