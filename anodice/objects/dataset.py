"""Write a set of photos of a drawn object in the layout of MVTec AD, with masks of the flaws."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anodice.app.console import counted
from anodice.data.drawn_folder import drawn_once, folder_name
from anodice.data.layouts import MASKS
from anodice.errors import AnodiceError, unknown
from anodice.objects.drawing import KINDS, SMALLEST, draw

log = logging.getLogger(__name__)

RECORD = "object.json"
# Raised whenever the same arguments would give other pixels.
VERSION = 1


@dataclass(frozen=True)
class _Plan:
    """The arguments that fix every pixel of the set."""

    kind: str
    seed: int
    train: int
    test_good: int
    test_flawed: int
    size: int

    def photos(self) -> list[tuple[str, str | None, int]]:
        """Folder, flaw and number of each photo, in order."""
        flaws = KINDS[self.kind].flaws
        normal = [
            (f"{split}/good", None, k)
            for split, n in (("train", self.train), ("test", self.test_good))
            for k in range(n)
        ]
        return normal + [(f"test/{flaw}", flaw, k) for flaw in flaws for k in range(self.test_flawed)]


def write_object(
    root: Path | str,
    *,
    kind: str,
    seed: int = 0,
    train: int = 120,
    test_good: int = 40,
    test_flawed: int = 12,
    size: int = 128,
) -> Path:
    """Write the set to the folder `root` and return it.

    Photos are `<root>/{train,test}/good/<NNN>.png` and `<root>/test/<flaw>/<NNN>.png`, `size` pixels along their
    shorter side, grey or coloured as the object is; masks (0 or 255) are `<root>/ground_truth/<flaw>/<NNN>_mask.png`.
    A photo depends on the seed, its folder and its number alone: a larger set holds the smaller one.

    The folder appears whole or not at all. One that was written with the same arguments is returned untouched.

    Args:
        kind: `jars`, `bolts`, `weave`, `slabs`, `pills` or `rulers`.
        train, test_good: normal photos.
        test_flawed: photos of each flaw.

    Raises:
        AnodiceError: an unknown kind, a negative count or seed, a size below 32, or a `root` that is there already but
            is not this very set.
    """
    plan = _Plan(kind, seed, train, test_good, test_flawed, size)
    _check_plan(plan)
    files = len(plan.photos()) + test_flawed * len(KINDS[kind].flaws)
    return drawn_once(
        Path(root), _record(plan), lambda draft: _draw(draft, plan), files=files, record=RECORD, what="drawn object"
    )


def cached_object(
    *, cache_dir: str, kind: str, seed: int, train: int, test_good: int, test_flawed: int, size: int
) -> Path:
    """The set in a folder of its own under `cache_dir`, named by its arguments; drawn when it is first asked for."""
    plan = _Plan(kind, seed, train, test_good, test_flawed, size)
    _check_plan(plan)
    root = Path(cache_dir) / "objects" / f"{kind}_{folder_name(_record(plan))}"
    if not root.exists():
        log.info("drawing the %s, once, into %s", kind, root)
    return write_object(root, **asdict(plan))


def _record(plan: _Plan) -> dict[str, str | int]:
    """What the record of a complete folder tells."""
    return {"version": VERSION} | asdict(plan)


def _check_plan(plan: _Plan) -> None:
    """Raise for what no set can have."""
    if plan.kind not in KINDS:
        raise unknown("kind of object", plan.kind, KINDS)
    for name, value in asdict(plan).items():
        if name != "kind" and value < 0:
            raise AnodiceError(f"expected {name} of a drawn object to be 0 or more, got {value}.")
    if plan.size < SMALLEST:
        raise AnodiceError(f"expected the size of a drawn object to be at least {SMALLEST} pixels, got {plan.size}.")


def _draw(root: Path, plan: _Plan) -> None:
    """Write all photos and masks."""
    flaws = KINDS[plan.kind].flaws
    for name in ("train/good", "test/good", *(f"{top}/{flaw}" for flaw in flaws for top in ("test", MASKS))):
        (root / name).mkdir(parents=True)
    photos = plan.photos()
    for folder, flaw, number in counted(photos, len(photos), f"drawing {len(photos)} photos of {plan.kind}"):
        group = ("train/good", "test/good").index(folder) if flaw is None else 2 + flaws.index(flaw)
        generator = np.random.default_rng([plan.seed, list(KINDS).index(plan.kind), group, number])
        drawn = draw(plan.kind, generator, size=plan.size, flaw=flaw)
        Image.fromarray(drawn.image).save(root / folder / f"{number:03d}.png", compress_level=1)
        if flaw is not None:
            mask = Image.fromarray(drawn.mask.astype(np.uint8) * 255)
            mask.save(root / MASKS / flaw / f"{number:03d}_mask.png", compress_level=1)
