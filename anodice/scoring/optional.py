"""What an optional extra brings, imported when it is used."""

from __future__ import annotations

import importlib
from types import ModuleType

from anodice.errors import AnodiceError


def optional(module: str, library: str, wanted_for: str, *, extra: str = "baselines") -> ModuleType:
    """A module that an extra brings.

    Args:
        module: such as `sklearn.svm`.
        library: what people call it, for the error message.
        wanted_for: what needs it, for the error message.
        extra: that brings it.

    Raises:
        AnodiceError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AnodiceError(
            f'expected {library} for {wanted_for}, which is not installed; pip install "anodice[{extra}]".'
        ) from error
