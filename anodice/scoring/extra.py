"""What the extra `baselines` brings, imported when it is used."""

from __future__ import annotations

import importlib
from types import ModuleType

from anodice.errors import AnodiceError


def from_scikit_learn(part: str, wanted_for: str) -> ModuleType:
    """A module of scikit-learn.

    Args:
        wanted_for: what needs it, for the error message.

    Raises:
        AnodiceError: scikit-learn is not installed.
    """
    try:
        return importlib.import_module(f"sklearn.{part}")
    except ImportError as error:
        raise AnodiceError(
            f'expected scikit-learn for {wanted_for}, which is not installed; pip install "anodice[baselines]".'
        ) from error
