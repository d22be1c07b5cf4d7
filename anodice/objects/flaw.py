"""What is to be wrong with a drawn object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Flaw:
    """The kind of a flaw, None for none, and the random numbers of it alone: the object is drawn with its own."""

    kind: str | None
    generator: np.random.Generator
