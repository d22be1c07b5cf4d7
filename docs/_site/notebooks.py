"""Pages of the notebooks under notebooks/, with the outputs that are kept in them; none where there are none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def notebook_pages(folder: Path = NOTEBOOKS) -> dict[str, str]:
    """Path in the site -> Markdown: a page for each notebook, and one that says what each is for."""
    notebooks = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.ipynb"))}
    if not notebooks:
        return {}
    pages = {f"notebooks/{stem}.md": as_markdown(cells) for stem, cells in notebooks.items()}
    rows = [f"| [{_title(pages[page])}]({Path(page).name}) | {_first(pages[page])} |" for page in pages]
    return {"notebooks/index.md": "\n".join([_HEAD, *rows]) + "\n"} | pages


_HEAD = """# Notebooks

They lie in `notebooks/`; these pages show what they printed.

| notebook | what it is for |
|---|---|"""


def as_markdown(notebook: dict[str, Any]) -> str:
    """The cells of a notebook one after the other, each piece of code with what it printed and drew.

    >>> cell = {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"data": {"text/plain": ["2"]}}]}
    >>> as_markdown({"cells": [cell]}).splitlines()
    ['```python', '1 + 1', '```', '', '```text', '2', '```']
    >>> table = {"data": {"text/markdown": ["# two\\n", "- of them"], "text/plain": ["<object>"]}}
    >>> as_markdown({"cells": [{"cell_type": "code", "source": "run", "outputs": [table]}]}).splitlines()[4:]
    ['**two**', '- of them']
    """
    parts = []
    for cell in notebook["cells"]:
        text = _text(cell["source"])
        parts.append(_linked(text) if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        parts += [_shown(output) for output in cell.get("outputs", [])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![what the cell above draws](data:image/png;base64,{_text(data['image/png']).replace(chr(10), '')})"
    if "text/markdown" in data:  # headings of an output are none of the page
        return re.sub(r"^#+ (.+)$", r"**\1**", _text(data["text/markdown"]), flags=re.MULTILINE)
    text = _text(output.get("text", data.get("text/plain", ""))).rstrip()
    return f"```text\n{text}\n```" if text else ""


def _linked(text: str) -> str:
    """Links between notebooks, and from them to files of docs/, as links between their pages.

    >>> _linked("[sweeps](04_sweeps.ipynb), [more](../docs/more.md)")
    '[sweeps](04_sweeps.md), [more](../more.md)'
    """
    return re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", text).replace("](../docs/", "](../")


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def _title(page: str) -> str:
    found = re.search(r"^# (.+)$", page, flags=re.MULTILINE)
    return "untitled" if found is None else found[1]


def _first(page: str) -> str:
    """The first paragraph under the title, on one line."""
    paragraphs = [part for part in page.partition("\n\n")[2].split("\n\n") if not part.startswith(("```", "[![", "!["))]
    return " ".join(paragraphs[0].split()).replace("|", "\\|") if paragraphs else ""
