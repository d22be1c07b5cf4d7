"""Write a synthetic data set of dice photos in the published layout, with masks of the anomalies."""

from __future__ import annotations

import io
import logging
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.app.console import counted
from anodice.data.drawn_folder import drawn_once, folder_name
from anodice.data.layouts import ANOMALIES, MASKS
from anodice.data.layouts import SPLITS as SPLIT_FOLDERS
from anodice.dice.defects import Defect, paint, suitable
from anodice.dice.renderer import CLASSES, SESSIONS, SMALLEST, render
from anodice.errors import AnodiceError

log = logging.getLogger(__name__)

SPLITS: tuple[str, ...] = tuple(SPLIT_FOLDERS.values())
RECORD = "synthetic.json"
# Raised whenever the same arguments would give other pixels.
VERSION = 2

_JPEG_QUALITY = (90, 96)


@dataclass(frozen=True)
class _Plan:
    """The arguments that fix every pixel of the set."""

    seed: int
    train_per_class: int
    train_anomalies: int
    test_per_class: int
    test_anomalies: int
    size: int

    def counts(self, split: str) -> tuple[int, int]:
        """Photos per class, and anomalies, of one split."""
        if split == "train_set":
            return self.train_per_class, self.train_anomalies
        return self.test_per_class, self.test_anomalies

    def files(self) -> int:
        """How many PNG files the set has, masks included."""
        normal = (self.train_per_class + self.test_per_class) * len(CLASSES)
        return normal + 2 * (self.train_anomalies + self.test_anomalies)


def write_synthetic(
    root: Path,
    *,
    seed: int = 0,
    train_per_class: int = 100,
    train_anomalies: int = 110,
    test_per_class: int = 20,
    test_anomalies: int = 60,
    size: int = 128,
) -> Path:
    """Write the set to the folder `root` and return it.

    Photos are `<root>/{train_set,test_set}/{00..10}/<session>_<class>_<NNN>.png` and
    `<root>/{train_set,test_set}/ano/<session>_anomalies_<NNN>.png`, one channel of 8 bits, `size` x `size`; the masks
    (0 or 255) are `<root>/ground_truth/{train_set,test_set}/ano/` with the anomalies' names. Classes, kinds of defect
    and sessions come in turn, so that none gives the anomalies away. A photo depends on the seed, its split, its
    class and its number alone: a larger set holds the smaller one.

    The folder appears whole or not at all. One that was written with the same arguments is returned untouched.

    Raises `AnodiceError` for a negative count or seed, a size below 64, and where `root` is there already but is not
    this very set.
    """
    plan = _Plan(seed, train_per_class, train_anomalies, test_per_class, test_anomalies, size)
    _check_plan(plan)
    return drawn_once(
        Path(root),
        _record(plan),
        lambda draft: _draw(draft, plan),
        files=plan.files(),
        record=RECORD,
        what="synthetic set",
    )


def cached_synthetic(
    *,
    cache_dir: str,
    seed: int,
    train_per_class: int,
    train_anomalies: int,
    test_per_class: int,
    test_anomalies: int,
    size: int,
) -> Path:
    """The set in a folder of its own under `cache_dir`, named by its arguments; drawn when it is first asked for."""
    plan = _Plan(seed, train_per_class, train_anomalies, test_per_class, test_anomalies, size)
    root = synthetic_folder(cache_dir=cache_dir, **asdict(plan))
    if not root.exists():
        log.info("drawing the synthetic dice, once, into %s", root)
    return write_synthetic(root, **asdict(plan))


def synthetic_folder(*, cache_dir: str, **arguments: int) -> Path:
    """Where `cached_synthetic` with these arguments has its set, or would have it."""
    return Path(cache_dir) / "synthetic" / folder_name(_record(_Plan(**arguments)))


def _record(plan: _Plan) -> dict[str, int]:
    """What the record of a complete folder tells."""
    return {"version": VERSION} | asdict(plan)


def _check_plan(plan: _Plan) -> None:
    """Raise for numbers that no set can have."""
    for name, value in asdict(plan).items():
        if value < 0:
            raise AnodiceError(f"{name} of a synthetic set is 0 or more, not {value}; give a whole number from 0 up.")
    if plan.size < SMALLEST:
        raise AnodiceError(
            f"size of a synthetic set is at least {SMALLEST} pixels, not {plan.size}; give a larger one."
        )


def _draw(root: Path, plan: _Plan) -> None:
    """Write all photos and masks."""
    folders = list(product(SPLITS, (*CLASSES, ANOMALIES)))
    for split, name in counted(folders, len(folders), f"drawing {plan.files()} pictures"):
        if name == ANOMALIES:
            _write_anomalies(root, split, plan)
        else:
            _write_class(root, split, name, plan)


def _write_class(root: Path, split: str, die_class: str, plan: _Plan) -> None:
    """Write the normal photos of one class of one split."""
    folder = root / split / die_class
    folder.mkdir(parents=True)
    for number in range(plan.counts(split)[0]):
        session = SESSIONS[number % len(SESSIONS)]
        photo = _normal(split, die_class, number, session, plan)
        _save(photo, folder / f"{session}_{die_class}_{number:03d}.png")


def _write_anomalies(root: Path, split: str, plan: _Plan) -> None:
    """Write the anomalous photos of one split, and their masks."""
    photos, masks = root / split / ANOMALIES, root / MASKS / split / ANOMALIES
    photos.mkdir(parents=True)
    masks.mkdir(parents=True)
    for number, (die_class, kind, session) in enumerate(_schedule(plan.counts(split)[1])):
        defect = _anomaly(split, die_class, kind, number, session, plan)
        name = f"{session}_anomalies_{number:03d}.png"
        _save(defect.image, photos / name)
        _save(defect.mask.astype(np.uint8) * 255, masks / name)


def _schedule(count: int) -> list[tuple[str, str, str]]:
    """Class, kind and session of each anomaly: classes in turn, each with what was used least so far.

    A longer schedule starts with the shorter one.
    """
    fitting = {die_class: suitable(render(die_class, np.random.default_rng(0)).marks) for die_class in CLASSES}
    used: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    schedule = []
    for number in range(count):
        die_class = CLASSES[number % len(CLASSES)]
        kind = min(fitting[die_class], key=lambda name: (used[name], together[die_class, name]))
        session = min(SESSIONS, key=lambda name: (together[kind, name], together[die_class, name], used[name]))
        used.update((kind, session))
        together.update(((die_class, kind), (kind, session), (die_class, session)))
        schedule.append((die_class, kind, session))
    return schedule


def _generator(plan: _Plan, split: str, group: int, number: int) -> np.random.Generator:
    """The random numbers of one photo; `group` is the class, or the one after the last for anomalies."""
    return np.random.default_rng([plan.seed, SPLITS.index(split), group, number])


def _normal(split: str, die_class: str, number: int, session: str, plan: _Plan) -> NDArray[np.uint8]:
    """The pixels of one normal photo."""
    generator = _generator(plan, split, CLASSES.index(die_class), number)
    return _compress(render(die_class, generator, size=plan.size, session=session).image, generator)


def _anomaly(split: str, die_class: str, kind: str, number: int, session: str, plan: _Plan) -> Defect:
    """One anomaly, with the mask from before compression."""
    generator = _generator(plan, split, len(CLASSES), number)
    photo = render(die_class, generator, size=plan.size, session=session)
    defect = paint(photo.image, generator, kind=kind, marks=photo.marks)
    return Defect(image=_compress(defect.image, generator), mask=defect.mask, kind=kind)


def _compress(image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """The pixels after one JPEG round trip, which leaves a camera file's grain."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=int(generator.integers(*_JPEG_QUALITY)))
    return np.asarray(Image.open(stream))


def _save(image: NDArray[np.uint8], path: Path) -> None:
    """Write a lossless PNG, quickly."""
    Image.fromarray(image).save(path, "PNG", compress_level=1)
