"""The rules of `model=auto`: from what photos are like to the detector and the settings that suit them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anodice.data.fingerprint import Fingerprint
from anodice.errors import unknown

DETECTORS = ("local_memory", "patchcore", "padim", "defect_unet")
BACKBONES = ("own", "timm")

ALIKE = 0.5
"""Likeness from which on photos count as of one pose: objects in one pose have 0.9 and more, others below 0.3."""
FOUND = 0.8
"""Share of the photos in which an object with a long axis has to be found to turn them all by it."""
PLAIN = 0.5
"""Structure along the edges below which photos count as of objects on a plain ground: those have 0.1, textures 1."""
FINE = 192
"""Shorter sides of photos from which on 256 pixels show more than 128."""
SQUARE = 1.05
"""Elongation above which photos are squashed where nothing turns: all alike, and every pixel shows some of them."""
LONG = 2.0
"""Elongation from which on textures are cut into tiles along their longer side."""
NEARBY = 800
"""Patches of a texture that one is compared with, at least, counting each photo once: few photos need a wide radius."""
ENTRIES = 16384
"""Of a memory for all places, in all: a search through them takes some milliseconds for each photo."""
VIEWS = {"own": 3000, "timm": 1500}
"""Of a memory of more than 128 pixels: the 3,000 of our encoder are as many bytes as its 12,000 of 128 pixels."""

_EPOCHS = 6
_MOST_TILES = 4
_CELL = 8
_ALIGNED = ("as they lie", "turned")
_UNTURNED = ("as they lie", "texture")
_DETECTORS = {
    "as they lie": "local_memory",
    "turned": "local_memory",
    "any angle": "local_memory",
    "texture": "local_memory",
}
_POSES = {
    "as they lie": "objects in one pose",
    "turned": "objects at any angle with a long axis, on a plain ground",
    "any angle": "objects at any angle without a common axis, on a plain ground",
    "texture": "a texture, or objects that fill the photo anyhow",
}
_WHY = {
    "as they lie": "what is normal can be told place by place",
    "turned": "turned to one pose, what is normal can be told place by place",
    "any angle": "one memory for all places, filled with photos that are turned as well",
    "texture": "a patch is compared with normal ones of a neighbourhood that holds enough of them, wherever it lies",
}


@dataclass(frozen=True)
class Auto:
    """What a person leaves to the rules, None, and what they have chosen.

    Args:
        detector: of `DETECTORS`.
        backbone: of `BACKBONES`.
        radius: of `local_memory`.
        pretrained: whether a network that knows ImageNet may be chosen.

    Raises:
        AnodiceError: a detector or a backbone that is not among them.
    """

    detector: str | None = None
    backbone: str | None = None
    radius: int | None = None
    pretrained: bool = True

    def __post_init__(self) -> None:
        if self.detector is not None and self.detector not in DETECTORS:
            raise unknown("model.detector", self.detector, DETECTORS)
        if self.backbone is not None and self.backbone not in BACKBONES:
            raise unknown("model.backbone", self.backbone, BACKBONES)


@dataclass(frozen=True)
class Choice:
    """What the rules have chosen.

    Attributes:
        detector: the option of `model=`.
        backbone: that of `model/backbone=`; None for a detector without.
        settings: key of the config -> value.
        sentences: what the photos are like, what was chosen, and what was left as somebody had set it.
        augmentation: the option of `augmentation=`; None for that of the data.
    """

    detector: str
    backbone: str | None
    settings: Mapping[str, Any]
    sentences: tuple[str, str, str]
    augmentation: str | None = None


def choose(found: Fingerprint, auto: Auto, *, kept: Mapping[str, Any], installed: bool) -> Choice:
    """Choose what nobody has chosen.

    Args:
        auto: what somebody has chosen of the detector.
        kept: key of the config -> the value that somebody has set, such as `data.image_size`; not chosen again.
        installed: whether the extra `pretrained` is.

    >>> dice = Fingerprint(photos=5254, classes=11, width=128, height=128, colour=False, likeness=0.97,
    ...                    turned_likeness=0.97, found=0.0, shift=0.02, turned_shift=0.02, border=0.9, brightness=0.02)
    >>> choice = choose(dice, Auto(), kept={}, installed=True)
    >>> choice.detector, choice.backbone, dict(choice.settings)
    ('local_memory', 'own', {'model.memory.radius': 1})
    """
    pose = _pose(found, fixed="data.orientation" in kept)
    detector = auto.detector or _DETECTORS[pose]
    size = 256 if min(found.width, found.height) >= FINE else 128
    pretrained = installed and auto.pretrained and kept.get("data.image_size", size) > 128
    backbone = None if detector == "defect_unet" else auto.backbone or ("timm" if pretrained else "own")
    settings: dict[str, Any] = {} if size == 128 else {"data.image_size": size}
    if pose == "turned":
        settings["data.orientation"] = {"_target_": "anodice.data.pose.LongAxis"}
    if found.elongation > SQUARE and pose in _UNTURNED:
        settings["data.shape_to_square"] = "squash"
    if found.elongation >= LONG and pose == "texture":
        count = min(_MOST_TILES, round(found.elongation))
        settings["data.tile"] = [1, count] if found.width > found.height else [count, 1]
    if backbone == "own" or backbone is None:
        settings |= {"trainer.max_epochs": _EPOCHS} if size > 128 else {}
    settings = {key: value for key, value in settings.items() if key not in kept}
    used = kept.get("data.image_size", size)
    if detector == "local_memory":
        settings |= _memory(found, auto, pose, used, backbone)
    augmentation = None if "augmentation" in kept or pose != "any angle" else "any_angle"
    told = _sentences(found, pose, detector, backbone, settings, augmentation, kept, auto)
    return Choice(detector, backbone, settings, told, augmentation)


def _pose(found: Fingerprint, *, fixed: bool) -> str:
    """How the objects lie: a key of `_POSES`.

    Args:
        fixed: whether somebody has said how photos are turned.
    """
    if found.likeness >= ALIKE:
        return "as they lie"
    if not fixed and found.turned_likeness >= ALIKE and found.found >= FOUND:
        return "turned"
    return "any angle" if found.border < PLAIN else "texture"


def _memory(found: Fingerprint, auto: Auto, pose: str, size: int, backbone: str | None) -> dict[str, Any]:
    """The settings of `LocalMemory`: how far an object may be off, and no more than fits into memory and minutes."""
    cells = (size // _CELL) ** 2
    settings: dict[str, Any] = {}
    if auto.radius is not None:
        settings["model.memory.radius"] = auto.radius
    elif pose in _ALIGNED:
        shift = found.turned_shift if pose == "turned" else found.shift
        # As far as most photos lie from the others, at least one cell.
        settings["model.memory.radius"] = max(1, math.ceil(shift * size / _CELL - 0.5))
    elif pose == "texture":
        wide = math.ceil((math.sqrt(NEARBY / max(1, found.photos)) - 1) / 2)
        settings["model.memory.radius"] = min(max(1, wide), size // _CELL // 2)
    else:  # one memory for all places
        settings["model.memory.radius"] = None
        settings["model.memory.entries"] = max(1, ENTRIES // cells)
    if backbone is not None and (size > 128 or backbone == "timm"):
        settings["model.memory.views"] = VIEWS[backbone]
    return settings


def _sentences(
    found: Fingerprint,
    pose: str,
    detector: str,
    backbone: str | None,
    settings: Mapping[str, Any],
    augmentation: str | None,
    kept: Mapping[str, Any],
    auto: Auto,
) -> tuple[str, str, str]:
    colour = "in colour" if found.colour else "in grey"
    like = f"likeness {found.likeness:.2f} as they lie, {found.turned_likeness:.2f} turned to their long axis"
    photos = f"{found.photos} normal photos of {found.width}x{found.height} {colour}, of {_POSES[pose]}"
    first = f"model=auto: {photos} ({like}, structure at the edges {found.border:.2f} of that in the middle)."
    groups = [f"model={detector}", *([f"model/backbone={backbone}"] if backbone is not None else [])]
    groups += [f"augmentation={augmentation}"] if augmentation is not None else []
    words = [*groups, *(f"{key}={_word(value)}" for key, value in settings.items())]
    second = f"It takes {' '.join(words)}: {_WHY[pose]}."
    own = [f"model.{name}" for name in ("detector", "backbone", "radius") if getattr(auto, name) is not None]
    hands = [*(f"{key}={_word(value)}" for key, value in kept.items()), *own]
    third = f"Set by hand and kept: {', '.join(hands)}." if hands else "All of it can be set by hand, and is kept then."
    return first, second, third


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value["_target_"]).rpartition(".")[2]
    return "null" if value is None else str(value).replace(" ", "")
