"""Examples in docstrings, shown as code: to Markdown, `>>>` is a quotation in a quotation in a quotation."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Puts each paragraph that begins with `>>>` into a block of code."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The text with its examples in blocks of code.

    >>> fenced("What it is.\\n\\n>>> 1 + 1\\n2").splitlines()
    ['What it is.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    return re.sub(r"^(>>> (?:.+\n?)+)", _block, text, flags=re.MULTILINE).strip("\n")


def _block(example: re.Match[str]) -> str:
    return f"```pycon\n{example[1].rstrip()}\n```\n"
