"""Photos from what a browser sends: a name that may be anything, and bytes that may be anything."""

from __future__ import annotations

import re

from anodice.prediction.photos import Photo, photo_of_bytes
from anodice.prediction.prediction import Unreadable
from anodice.prediction.settings import Settings

_LONGEST = 80


def read_upload(name: str, data: bytes, settings: Settings) -> Photo | Unreadable:
    """Decode what was sent; whatever is wrong with it is told, not raised."""
    shown = shown_name(name)
    if len(data) == 0:
        return Unreadable(shown, "empty file")
    return photo_of_bytes(data, shown, image_size=settings.frame, in_channels=settings.in_channels)


def shown_name(name: str) -> str:
    """A name on one line and of a bearable length; it is never used as a path.

    >>> shown_name("../two" + chr(10) + "lines.png")
    '../two?lines.png'
    """
    printable = "".join(letter if letter.isprintable() else "?" for letter in name) or "?"
    return printable if len(printable) <= _LONGEST else f"{printable[: _LONGEST - 12]}...{printable[-9:]}"


def quoted(name: str) -> str:
    """A name as code in Markdown, in which nothing is read as formatting, a link or HTML.

    >>> quoted("<b>`x`")
    "`<b>'x'`"
    """
    return f"`{name.replace('`', chr(39))}`"


def escaped(text: str) -> str:
    """Text in Markdown as it stands.

    >>> escaped("![a](b) of 2_x")
    '\\\\!\\\\[a\\\\]\\\\(b\\\\) of 2\\\\_x'
    """
    return re.sub(r"([\\`*_{}\[\]()<>#!|~$:])", r"\\\1", text)


def refusal(found: Unreadable) -> str:
    """The sentence for a file that is no photo, in Markdown."""
    reason = found.reason if found.reason.startswith("cannot") else f"is refused ({found.reason})"
    return f"{quoted(found.name)} {reason}; give a JPEG, PNG, BMP, TIFF or WEBP."
