"""The arguments of scripts in the words of the programs: `run=latest data.root=DIR photos=60`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

WORDS = {
    "data": "--layout",
    "data.root": "--root",
    "paths.log_dir": "--log-dir",
    "paths.cache_dir": "--cache",
}
"""The keys of programs -> the options of scripts that mean the same."""

TOLD = "Options are also taken as the programs take their keys: data.root=DIR, paths.log_dir=DIR, NAME=VALUE."
"""For the help of a script."""


def as_options(parser: ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """The arguments with `key=value` turned into the parser's `--option=value`, where it has such an option.

    >>> parser = ArgumentParser()
    >>> _ = parser.add_argument("--root"), parser.add_argument("--log-dir"), parser.add_argument("run")
    >>> as_options(parser, ["run=latest", "data.root=DIR", "paths.log_dir=logs", "--root=B"])
    ['run=latest', '--root=DIR', '--log-dir=logs', '--root=B']
    """
    known = {option for action in parser._actions for option in action.option_strings}
    return [_option(argument, known) for argument in arguments]


def _option(argument: str, known: set[str]) -> str:
    key, sign, value = argument.partition("=")
    option = WORDS.get(key, f"--{key.replace('_', '-')}")
    return f"{option}={value}" if sign and option in known and not key.startswith("-") else argument
