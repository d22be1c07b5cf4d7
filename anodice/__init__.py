"""Train, compare and explain visual anomaly detectors on photos of dice, with an F1 you can believe.

The names of `__init__.pyi` are the library; whatever else there is serves the commands. They load when they are first
used.
"""

import importlib.metadata

import lazy_loader

__version__ = importlib.metadata.version("anodice")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
