"""How an object was made, in plain values, and making it again: what a checkpoint holds of a detector.

The convention is that of scikit-learn: an object keeps each argument of its constructor as an attribute of the same
name. A recipe is what Hydra's configs are: `_target_` names the class, the rest its arguments.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from anodice.app.conf import CONF
from anodice.errors import AnodiceError, first_line

_PACKAGE = __name__.partition(".")[0]
_ROOMS = ("augmentation", "baselines", "data", "dice", "models", "objects", "scoring", "thresholds")
"""Where the parts of a run are: public classes of theirs may stand in a recipe from anywhere."""

_CALLBACKS = "pytorch_lightning.callbacks"
"""Whose public classes may be added to any training, and so stand in its config."""

TRUSTED = "ANODICE_PACKAGES"
"""The environment variable with the names of packages, separated by commas, whose parts are built as well."""


def recipe(made: object) -> Any:
    """Numbers, words, lists and dicts that tell how to make the object again.

    Raises:
        AnodiceError: something in it cannot be told so, such as a lambda.

    >>> from anodice.scoring.pooling import TopMean
    >>> recipe(TopMean(fraction=0.01))
    {'_target_': 'anodice.scoring.pooling.TopMean', 'fraction': 0.01}
    """
    if made is None or isinstance(made, bool | int | float | str):
        return made
    if isinstance(made, Path):
        return str(made)
    if isinstance(made, Mapping):
        return {str(key): recipe(value) for key, value in made.items()}
    if isinstance(made, Sequence):
        return [recipe(value) for value in made]
    if isinstance(made, partial):
        return {"_target_": _name(made.func), "_partial_": True, **recipe(made.keywords)}
    if inspect.isfunction(made):
        return {"_target_": _name(made), "_partial_": True}
    arguments = _arguments(type(made))
    missing = [name for name in arguments if not hasattr(made, name)]
    if missing:
        raise AnodiceError(
            f"expected {type(made).__name__} to keep the arguments it was made with, but it has no {missing[0]}; set "
            f"self.{missing[0]} in its constructor."
        )
    return {"_target_": _name(type(made)), **{name: recipe(getattr(made, name)) for name in arguments}}


def make(told: Any, *, known: Mapping[str, type] | None = None) -> Any:
    """The inverse of `recipe`, which may come from a stranger: only what `conf/` names, public classes of our parts,
    and what is given are built.

    Parts of other packages are built where the user has named these in the environment variable `ANODICE_PACKAGES`.

    Args:
        known: further classes by the name that a recipe has for them.

    Raises:
        AnodiceError: another name, one that is not there, or arguments that do not fit.

    >>> make({"_target_": "anodice.scoring.pooling.TopMean", "fraction": 0.01}).fraction
    0.01
    """
    if isinstance(told, Mapping):
        arguments = {key: make(value, known=known) for key, value in told.items() if not key.startswith("_")}
        if "_target_" not in told:
            return arguments
        target = (known or {}).get(told["_target_"]) or _found(told["_target_"])
        return partial(target, **arguments) if told.get("_partial_") else _called(target, arguments)
    return [make(value, known=known) for value in told] if isinstance(told, list | tuple) else told


def _called(target: Any, arguments: dict[str, Any]) -> Any:
    try:
        inspect.signature(target).bind(**arguments)
    except TypeError as error:
        raise AnodiceError(
            f"expected the arguments of {_name(target)} in a recipe, got {', '.join(arguments) or 'none'}: {error}."
        ) from error
    try:
        return target(**arguments)
    except AnodiceError:
        raise
    except Exception as error:  # of any kind, from arguments of any kind
        told = ", ".join(f"{name}={value!r:.60}" for name, value in arguments.items())
        raise AnodiceError(
            f"expected arguments that make a {_name(target)}, got {told or 'none'}: {first_line(error)}."
        ) from error


def _arguments(kind: type) -> list[str]:
    """The names of the constructor's arguments; a torch module without a constructor of its own has none."""
    owner = next(one for one in kind.__mro__ if "__init__" in vars(one))  # whatever a library has put there meanwhile
    if (owner.__module__, owner.__qualname__) == ("torch.nn.modules.module", "Module"):
        return []
    return list(inspect.signature(kind).parameters)


def _name(target: Any) -> str:
    name = f"{target.__module__}.{target.__qualname__}"
    if "<" in name:
        raise AnodiceError(f"expected a class or a function that can be imported, got {name}; define it in a module.")
    return name


def check_names(told: Any, *, trusted: Collection[str] = ()) -> None:
    """Refuse a config that names what `make` would not build; for one that Hydra builds.

    Args:
        told: plain values.
        trusted: further names, such as those of the user's own command.

    Raises:
        AnodiceError: the name, and how to trust its package.
    """
    for name in sorted(set(names_in(told)) - set(trusted)):
        _check_name(name)


def names_in(told: Any) -> Iterator[str]:
    """Every name that a config would have built.

    >>> list(names_in({"a": {"_target_": "x.Y", "b": [{"_target_": "z"}]}}))
    ['x.Y', 'z']
    """
    if isinstance(told, Mapping):
        if "_target_" in told:
            yield str(told["_target_"])
        told = list(told.values())
    if isinstance(told, list | tuple):
        for value in told:
            yield from names_in(value)


@cache
def _in_conf() -> frozenset[str]:
    """The names in `conf/`, our own and the few of Lightning."""
    texts = (path.read_text() for path in CONF.rglob("*.yaml"))
    return frozenset(name for text in texts for name in re.findall(r"_target_:\s*([\w.]+)", text))


def _check_name(name: str) -> None:
    """Raise for a name that is neither in `conf/` nor a public class of ours, unless the user trusts its package."""
    module, _, attribute = name.rpartition(".")
    package, _, rest = module.partition(".")
    if name in _in_conf() or (package not in ("", _PACKAGE) and package in os.environ.get(TRUSTED, "").split(",")):
        return
    if (
        module == _CALLBACKS and attribute in importlib.import_module(module).__all__
    ):  # whose arguments are names as well
        return
    own = package == _PACKAGE and rest.partition(".")[0] in _ROOMS and not attribute.startswith("_")
    if not own or not inspect.isclass(_imported(name)) or _imported(name).__module__ != module:
        raise AnodiceError(
            f"expected a name of conf/ or a public class of {_PACKAGE}.{{{','.join(_ROOMS)}}} in a recipe, got "
            f"'{name}', which is not built; if it is yours, name its package in the environment: "
            f"{TRUSTED}={package or 'PACKAGE'}."
        )


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise AnodiceError(f"expected a name of {_PACKAGE} in a recipe, got '{name}', which is not there.") from error


def _found(name: str) -> Any:
    _check_name(name)
    found = _imported(name)
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        raise AnodiceError(f"expected a class or a function in a recipe, got '{name}'.")
    return found
