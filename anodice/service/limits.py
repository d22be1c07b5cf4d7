"""What the service takes at most, and how long it waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from anodice.errors import AnodiceError


def _limit(default: Any, told: str) -> Any:
    """A field with the words of `--help`."""
    return field(default=default, metadata={"help": told})


@dataclass(frozen=True)
class Limits:
    """Bounds that keep one client from taking the memory or the time of all; each tells what it bounds."""

    megabytes: float = _limit(20.0, "of a request, at most")
    megapixels: float = _limit(25.0, "of a photo, at most")
    waiting: int = _limit(64, "requests that are read, decoded or scored at a time; more are turned away")
    batch: int = _limit(32, "photos that are scored together, at most")
    wait_ms: float = _limit(2.0, "how long the first photo of a batch waits for others")
    read_seconds: float = _limit(10.0, "how long a client may take to send a photo")

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value < 0 or (value == 0 and one.name != "wait_ms"):
                raise AnodiceError(f"expected {one.name} above 0, got {value:g}.")
