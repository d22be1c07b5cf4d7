"""What the service takes at most, and how long it waits for it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from anodice.errors import AnodiceError


@dataclass(frozen=True)
class Limits:
    """Bounds that keep one client from taking the memory or the time of all.

    Attributes:
        megabytes: of a request.
        megapixels: of a photo.
        waiting: requests that are read, decoded or scored at a time; more are turned away.
        batch: photos that are scored together.
        wait_ms: how long the first photo of a batch waits for others.
        read_seconds: how long a client may take to send a photo.
    """

    megabytes: float = 20
    megapixels: float = 25
    waiting: int = 64
    batch: int = 32
    wait_ms: float = 2
    read_seconds: float = 10

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or (value == 0 and field.name != "wait_ms"):
                raise AnodiceError(f"expected {field.name} above 0, got {value:g}.")
