"""The one exception that people meet, and the nearest right word for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AnodiceError(ValueError):
    """A mistake that the user can mend.

    The message is one sentence or two: what was expected, what came, and what to do next. The command line prints it
    without a traceback.
    """


def first_line(error: BaseException, *, most: int = 200) -> str:
    """What an error of somebody else's says first, in so many characters, for a sentence of ours.

    >>> first_line(KeyError()), first_line(ValueError("one\\ntwo"))
    ('KeyError', 'one')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0][:most]


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known words that look like `word`, best first; empty where none does.

    >>> nearest("vea", ["conv_ae", "vae"])
    ['vae']
    """
    return difflib.get_close_matches(word, sorted(known), n=most, cutoff=0.5)


def unknown(what: str, word: str, known: Iterable[str]) -> AnodiceError:
    """The error for a name that is not among the known ones, with the nearest of them.

    >>> print(unknown("model", "vea", ["conv_ae", "vae"]))
    there is no model 'vea'; did you mean 'vae'? Known: conv_ae, vae.
    """
    names = sorted(known)
    near = nearest(word, names, most=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return AnodiceError(f"there is no {what} '{word}'{hint} Known: {', '.join(names)}.")
