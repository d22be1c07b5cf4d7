"""What an exported model tells of itself, in words that need neither torch nor the runtime that scores with it."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from anodice.errors import AnodiceError
from anodice.prediction.settings import Settings

METADATA = "anodice"
"""The key under which a file keeps what is told here, as JSON."""
FORMAT = 1
"""Of what is told; a file with a higher one is of a later version."""

PHOTOS = "photos"
"""The name of a graph's input: (N, S, S, C) uint8, upright."""
OUTPUTS = ("maps", "scores", "classes")
"""The names of its outputs, see `anodice.prediction.network.Outputs`; no classes where a detector tells none apart."""

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch_export": ".pt2"}
"""What the files of each format end with; OpenVINO keeps the weights in a `.bin` beside its `.xml`."""

_TURNERS = ("anodice.dice.orientation.", "anodice.baselines.dark_ray.", "anodice.data.pose.")


def told(settings: Settings) -> str:
    """The JSON that a file keeps."""
    turned = "" if settings.orientation is None else f", turned upright before by {settings.orientation['_target_']}"
    frame, channels = settings.frame, settings.in_channels
    found = {
        "format": FORMAT,
        "input": f"{PHOTOS} (N, {frame.height}, {frame.width}, {channels}) uint8{turned}",
        "run": settings.run,
        "split_digest": settings.threshold.split_digest,
        "versions": {name: importlib.metadata.version(name) for name in ("anodice", "torch")},
        "settings": settings.as_dict(),
    }
    return json.dumps(found)


def settings_of(text: str | None, file: Path) -> Settings:
    """The inverse of `told`, which may come from a stranger.

    Raises:
        AnodiceError: the file is none of ours, damaged or of a later version, or names what this package does not make.
    """
    if text is None:
        raise AnodiceError(f"expected a model that export.py has written, got {file}, which tells nothing of a run.")
    try:
        found = json.loads(text)
        if found["format"] > FORMAT:
            raise AnodiceError(
                f"expected an export of format {FORMAT}, got {file} with format {found['format']}, of a later version; "
                "upgrade anodice, or export the run again."
            )
        settings = Settings.from_dict(found["settings"])
        _check_turner(settings.orientation, file)
    except AnodiceError:
        raise
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise AnodiceError(
            f"expected {file} to tell of its run, but what it tells is damaged ({type(error).__name__}: {error}); "
            "export the run again."
        ) from error
    return settings


def _check_turner(orientation: dict[str, Any] | None, file: Path) -> None:
    if orientation is None:
        return
    name = str(orientation["_target_"])
    # Recipes may name whatever runs are made of, and some of it writes files.
    if not name.startswith(_TURNERS) or any(isinstance(value, dict | list) for value in orientation.values()):
        raise AnodiceError(
            f"expected {file} to name what turns its photos upright, got '{name}', which is not built; export the run "
            "again."
        )
