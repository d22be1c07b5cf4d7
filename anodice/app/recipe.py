"""How an object was made, in plain values, and making it again: what a checkpoint holds of a detector.

The convention is that of scikit-learn: an object keeps each argument of its constructor as an attribute of the same
name. A recipe is what Hydra's configs are: `_target_` names the class, the rest its arguments.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anodice.errors import AnodiceError

_PACKAGE = __name__.partition(".")[0]
_ROOMS = ("augmentation", "baselines", "data", "dice", "models", "objects", "scoring", "thresholds")
"""Where the parts of a run are: a recipe from anywhere names nothing else."""

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
    """The inverse of `recipe`, which may come from a stranger: only parts of this package are built, and those given.

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
    return target(**arguments)


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


def _found(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    package, _, rest = module.partition(".")
    own = package == _PACKAGE and rest.partition(".")[0] in _ROOMS
    if not own and (package in ("", _PACKAGE) or package not in os.environ.get(TRUSTED, "").split(",")):
        rooms = ", ".join(f"{_PACKAGE}.{room}" for room in _ROOMS)
        raise AnodiceError(
            f"expected a name of {rooms} in a recipe, got '{name}', which is not built; if it is yours, name its "
            f"package in the environment: {TRUSTED}={package or 'PACKAGE'}."
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise AnodiceError(f"expected a name of {_PACKAGE} in a recipe, got '{name}', which is not there.") from error
    # What a module has imported from elsewhere may do anything.
    if not (inspect.isclass(found) or inspect.isfunction(found)) or found.__module__ != module:
        raise AnodiceError(f"expected a class or a function of {module} in a recipe, got '{name}'.")
    return found
