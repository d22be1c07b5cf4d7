"""What the values of a training's config may be: a table of ranges, looked at before any photo is read."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from omegaconf import DictConfig

from anodice.app.configs import flatten
from anodice.errors import AnodiceError


class Range(NamedTuple):
    """Which values of a key are right, and how to say so."""

    holds: Callable[[Any], bool]
    words: str


def _at_least(least: float, *, whole: bool = False) -> Range:
    kind = int if whole else (int, float)
    words = f"a {'whole ' if whole else ''}number of at least {least}"
    return Range(lambda v: isinstance(v, kind) and not isinstance(v, bool) and v >= least, words)


def _or_null(of: Range) -> Range:
    return Range(lambda v: v is None or of.holds(v), f"{of.words}, or null")


_WORD = Range(lambda v: isinstance(v, str) and v.strip() != "", "a word or a path")
_POSITIVE = Range(lambda v: isinstance(v, int | float) and v > 0, "a number above 0")
_SHARE = Range(lambda v: isinstance(v, int | float) and 0 <= v < 1, "a number of [0, 1)")
_WIDTHS = Range(
    lambda v: isinstance(v, list) and v != [] and all(isinstance(one, int) and one > 0 for one in v),
    "a list of whole numbers of at least 1, such as [32,64]",
)
_METRICS = ("auroc", "average_precision")

RANGES: Mapping[str, Range] = {
    "seed": Range(lambda v: isinstance(v, int) and 0 <= v < 2**32, "a whole number of at least 0 and below 2**32"),
    "*.seed": Range(lambda v: isinstance(v, int) and 0 <= v < 2**32, "a whole number of at least 0 and below 2**32"),
    "optimized_metric": Range(lambda v: v in _METRICS, f"one of {', '.join(_METRICS)}"),
    "figure_formats": Range(lambda v: isinstance(v, list), "a list such as [png] or []"),
    "name.*": _WORD,
    "paths.*": _WORD,
    "data.root": _WORD,
    "data.cache_dir": _WORD,
    "data.image_size": _at_least(1, whole=True),
    "data.in_channels": Range(lambda v: v in (1, 3), "1 (grey) or 3 (RGB)"),
    "data.batch_size": _at_least(1, whole=True),
    "data.steps_per_epoch": _or_null(_at_least(1, whole=True)),
    "augmentation.*": Range(lambda v: not isinstance(v, int | float) or v >= 0, "at least 0"),
    "optimizer.lr": _at_least(0),
    "optimizer.weight_decay": _at_least(0),
    "optimizer.momentum": _SHARE,
    "optimizer.eps": _POSITIVE,
    "split.validation_fraction": _at_least(0),
    "split.test_fraction": _at_least(0),
    "score.smoothing": _at_least(0),
    "model.network.widths": _WIDTHS,
    "trainer.accumulate_grad_batches": _at_least(1, whole=True),
    "trainer.gradient_clip_val": _or_null(_POSITIVE),
    "trainer.log_every_n_steps": _at_least(0, whole=True),
    "trainer.num_sanity_val_steps": _at_least(-1, whole=True),
    "trainer.check_val_every_n_epoch": _or_null(_at_least(1, whole=True)),
    "callbacks.early_stopping.patience": _at_least(0, whole=True),
    "callbacks.*.every_n_steps": _at_least(1, whole=True),
    "callbacks.*.every_n_epochs": _at_least(1, whole=True),
    "callbacks.*.of_each": _at_least(1, whole=True),
}
"""Keys, with `*` for any, whose values have a range; what a part checks itself, or may be anything, is not here."""


def check_ranges(config: DictConfig) -> None:
    """Refuse the first value out of its range, and every number that is none or infinite.

    Values that are interpolations are looked at where they come from.

    Raises:
        AnodiceError: the key, what was expected and what came.
    """
    for key, value in flatten(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise AnodiceError(f"expected a finite number for {key}, got {value}; set {key}=NUMBER.")
        if isinstance(value, str) and ("${" in value or value == "???"):
            continue
        if key.endswith(("_target_", "_partial_")):
            continue
        for pattern, allowed in RANGES.items():
            if fnmatch.fnmatchcase(key, pattern) and not allowed.holds(value):
                raise AnodiceError(f"expected {key} to be {allowed.words}, got {_told(value)}; set {key}=VALUE.")
        if key in _PARTS and value is not None:
            raise AnodiceError(f"expected {key} to be a part, got {_told(value)}; choose one with {_PARTS[key]}=.")


_PARTS = {
    "data.augmentation": "augmentation",
    "data.split": "split",
    "data.orientation": "data",
    "model.score": "score",
}
"""Keys that hold a part -> the group that it is chosen with."""


def _told(value: Any) -> str:
    return "null" if value is None else str(value)
