"""Options of scripts in the way of the commands: `run=latest port=8000`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anodice.errors import AnodiceError, unknown

Value = str | int | float


def key_values(words: Sequence[str], defaults: Mapping[str, Value]) -> dict[str, Value]:
    """The defaults with what the words put in their places, as values of the same kind.

    Raises:
        AnodiceError: a word without `=`, an unknown key, or no number where one is expected.

    >>> key_values(["port=8001"], {"run": "latest", "port": 8000})
    {'run': 'latest', 'port': 8001}
    """
    found = dict(defaults)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise AnodiceError(f"expected KEY=VALUE, got '{word}'; known keys: {', '.join(defaults)}.")
        if key not in defaults:
            raise unknown("option", key, defaults)
        kind = type(defaults[key])
        try:
            found[key] = kind(value)
        except ValueError as error:
            words_of = "a whole number" if kind is int else "a number"
            raise AnodiceError(f"expected {key} to be {words_of}, got '{value}'.") from error
    return found
