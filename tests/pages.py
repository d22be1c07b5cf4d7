"""The pages that people read, and the commands and examples in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

PROJECT = Path(__file__).parents[1]
FILES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = {
    path.relative_to(PROJECT).as_posix(): path.read_text()
    for path in [*FILES, *sorted((PROJECT / "docs").rglob("*.md"))]
}
"""Path in the project -> text."""
WORDS = ("python", "pip", "tensorboard", "curl", "pytest", "mkdocs", "ruff", "mypy", "bash", "anodice-train")
"""What commands begin with."""


def commands_of(text: str) -> list[str]:
    """The commands in blocks of code and within lines, each once, without their comments.

    >>> commands_of("see `python a.py --help`:\\n\\n```\\npip install . && python b.py x=1   # what\\n```\\n")
    ['python a.py --help', 'pip install .', 'python b.py x=1']
    """
    lines = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for block in blocks_in(text, ""):
        lines += block.splitlines()
    lines += re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE)
    parts = [part.strip() for line in lines for part in re.sub(r"\s+# .*$", "", line).split(" && ")]
    found = [re.sub(r"^taskset -c \d+ ", "", part) for part in parts]
    return list(dict.fromkeys(part for part in found if part.split(" ")[0] in WORDS and " " in part))


def blocks_in(text: str, language: str) -> list[str]:
    """The blocks of code in a language, or in none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def blocks_of(page: str, language: str = "python") -> list[str]:
    """The blocks of code of a page."""
    return blocks_in(PAGES[page], language)


COMMANDS = sorted({command for text in PAGES.values() for command in commands_of(text)})
PROGRAMS = [shlex.split(c)[1:] for c in COMMANDS if re.match(r"python (train|evaluate|predict|export)\.py ", c)]
"""Words of each call of a program, its file first."""
SCRIPTS = [shlex.split(c)[1:] for c in COMMANDS if c.startswith("python scripts/")]
"""The same of each script."""
