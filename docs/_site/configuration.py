"""The configuration reference, from the files under conf/: each key with its default and its comment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

CONF = Path(__file__).parents[2] / "conf"
PROGRAMS = ("train", "evaluate", "predict", "export")
_LONGEST = 60
"""Characters of a default that are shown."""


class Row(NamedTuple):
    """A key of a file.

    Attributes:
        key: with those above it, joined by dots.
        default: as it stands in the file.
        comment: beside it.
    """

    key: str
    default: str
    comment: str


def configuration_pages() -> dict[str, str]:
    """Path in the site -> Markdown: one page for the programs, one for each group."""
    groups = sorted(folder for folder in CONF.iterdir() if folder.is_dir())
    first = [_HEAD, *(_section(CONF / f"{name}.yaml", f"{name}.py") for name in PROGRAMS)]
    pages = {"configuration/index.md": "\n\n".join(first) + "\n"}
    for group in groups:
        files = sorted(group.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
        sections = [_section(file, _choice(file)) for file in files]
        pages[f"configuration/{group.name}.md"] = "\n\n".join([f"# {group.name}", *sections]) + "\n"
    return pages


_HEAD = """# Configuration

Every key of every file under `conf/`, with its default and the comment that stands beside it there: these pages are
made of those files. A key is set by `key=value`, an option of a group is chosen by `group=option`; a key of a group has
the group's name before it, such as `model.network.code=32`. `python train.py --cfg job` shows what a command would run.

`${...}` takes the value of another key. *Builds* names the class or function whose arguments the keys below are."""


def rows(text: str) -> Iterator[Row]:
    """The keys of a file, in its order, but for its defaults list.

    >>> [tuple(row) for row in rows("a:  # what\\n  b: 1   # one\\nc: x")]
    [('a', '', 'what'), ('a.b', '1', 'one'), ('c', 'x', '')]
    """
    root, lines = yaml.compose(text), text.splitlines()
    if isinstance(root, yaml.MappingNode):
        yield from _rows(root, lines, "")


def _rows(node: yaml.MappingNode, lines: list[str], above: str) -> Iterator[Row]:
    for key, value in node.value:
        name = f"{above}{key.value}"
        if name == "defaults" or key.value in ("_target_", "_partial_"):
            continue
        line = lines[key.start_mark.line]
        if isinstance(value, yaml.MappingNode) and value.start_mark.line != key.start_mark.line:
            yield Row(name, _built(value), _comment(line, key.end_mark.column + 1))
            yield from _rows(value, lines, f"{name}.")
        else:
            same = value.end_mark.line == key.start_mark.line
            comment = _comment(line, value.end_mark.column if same else len(line))
            yield Row(name, _shown(lines, value), comment)


def defaults(text: str) -> Iterator[Row]:
    """The groups of a file's defaults list, each with the option that it takes.

    >>> [tuple(row) for row in defaults("defaults:\\n- score: l1  # of maps\\n- override /trainer@_global_.trainer: x")]
    [('score', 'l1', 'of maps'), ('trainer', 'x', '')]
    """
    root, lines = yaml.compose(text), text.splitlines()
    entries = {key.value: value for key, value in root.value}.get("defaults") if root else None
    for entry in [] if entries is None else entries.value:
        line = lines[entry.start_mark.line]
        if isinstance(entry, yaml.MappingNode):
            ((group, option),) = entry.value
            name = group.value.removeprefix("override ").partition("@")[0].lstrip("/")
            yield Row(name, option.value, _comment(line, option.end_mark.column))
        elif entry.value != "_self_":
            group, _, option = entry.value.rpartition("@")[0 if "@" in entry.value else 2].rpartition("/")
            yield Row(group or "the file", option, _comment(line, entry.end_mark.column))


def _built(node: yaml.MappingNode) -> str:
    target = next((value.value for key, value in node.value if key.value == "_target_"), None)
    return "" if target is None else f"builds {target.rpartition('.')[2]}"


def _shown(lines: list[str], node: yaml.Node) -> str:
    start, end = node.start_mark, node.end_mark
    if start.line != end.line:
        return "(several lines)" if isinstance(node, yaml.ScalarNode) else "(a list)"
    text = lines[start.line][start.column : end.column].strip() or "null"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _comment(line: str, column: int) -> str:
    before, sign, comment = line[column:].partition("#")
    return comment.strip() if sign and not before.strip() else ""


def _choice(file: Path) -> str:
    group = "/".join(file.relative_to(CONF).parts[:-1])
    return f"{group}={file.stem}"


def _section(file: Path, title: str) -> str:
    text = file.read_text()
    head, found = _head(text), list(rows(text))
    parts = [f"## {title}", *([head] if head else [])]
    document = yaml.safe_load(text) or {}
    if "_target_" in document:
        parts.append(f"Builds `{document['_target_']}`.")
    begins = list(defaults(text))
    if begins:
        parts.append(_table(("group", "default", "what"), begins))
    if found:
        parts.append(_table(("key", "default", "what"), found))
    return "\n\n".join(parts)


def _head(text: str) -> str:
    """The comments above the first key, as a paragraph."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return _escaped("\n".join(line for line in lines if not line.startswith("@package")))


def _table(heads: tuple[str, str, str], found: list[Row]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{row.key}` | {_code(row.default)} | {_escaped(row.comment)} |" for row in found)])


def _code(default: str) -> str:
    if default.startswith("builds "):
        return f"*builds* `{default.removeprefix('builds ')}`"
    return "" if default == "" else f"`{default}`"


def _escaped(text: str) -> str:
    """A comment as Markdown: a name in angle brackets is no tag, a bar no column, a star no emphasis."""
    for sign in "<|*_":
        text = text.replace(sign, f"\\{sign}")
    return text
