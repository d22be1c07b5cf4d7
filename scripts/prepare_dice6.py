"""Turn the photos of the 11-class dice upright and fold them to six faces: `python scripts/prepare_dice6.py --help`."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from anodice.baselines.dark_ray import DarkRayUpright
from anodice.data.decode import decode
from anodice.data.layouts import ANOMALIES, SPLITS, dice11
from anodice.data.records import Record, walk
from anodice.dice.orientation import SMALLEST, Turner, Upright
from anodice.errors import AnodiceError

METHODS = {"upright": Upright, "dark_ray": DarkRayUpright}
REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0] + ".")
    parser.add_argument("source", type=Path, help="folder with {train_set,test_set}/{00..10,ano}/<photos>")
    parser.add_argument("target", type=Path, help="new folder for {train_set,test_set}/{1..6,ano}/<name>.png")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="upright",
        help="upright: by the drawings of the faces (default); dark_ray: the rule of an earlier project",
    )
    parser.add_argument("--size", type=int, default=128, help="side of the written photos in pixels (default: 128)")
    parser.add_argument(
        "--force",
        action="store_true",
        help="write into a folder that is not empty; what is there stays, and files that would change are refused",
    )
    parser.add_argument(
        "--means", type=Path, metavar="FOLDER", help="also write each face's mean picture, before and after, as figures"
    )
    options = parser.parse_args(arguments)
    try:
        prepare(options.source, options.target, METHODS[options.method](), options.size, options.force, options.means)
    except AnodiceError as error:
        parser.exit(2, f"error: {error}\n")


def prepare(source: Path, target: Path, method: Turner, size: int, force: bool, means: Path | None) -> None:
    """Write the folded root and say what was done."""
    source, target = source.expanduser().resolve(), target.expanduser().resolve()
    _check(source, target, size, force, means)
    found = walk(source, dice11(source))
    records, photos, broken = _decoded(source, found.records, size)
    upright = method(photos)
    paths = [target / name for name in _names(records)]
    there = [path.exists() for path in paths]
    changed = [p for p, old, new in zip(paths, there, upright, strict=True) if old and not _holds(p, new)]
    if changed:
        raise AnodiceError(
            f"{changed[0]} and {len(changed) - 1} more files hold something else than would be written; nothing was "
            f"written: choose another folder, or move them away."
        )
    for path, old, photo in zip(paths, there, upright, strict=True):
        if not old:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo).save(path)
    if means is not None:
        _draw_means(means, records, photos, upright, method.name)
    _report(target, method, len(paths) - sum(there), sum(there), [*found.skipped, *broken], records)


def _check(source: Path, target: Path, size: int, force: bool, means: Path | None) -> None:
    if size < SMALLEST:
        raise AnodiceError(f"expected --size of at least {SMALLEST} pixels, got {size}.")
    if target == source or source in target.parents or target in source.parents:
        raise AnodiceError(f"expected a target apart from the source {source}, got {target}; name a folder beside it.")
    if target.exists() and not target.is_dir():
        raise AnodiceError(f"expected a folder to write to, but {target} is a file; name another.")
    if target.is_dir() and any(target.iterdir()) and not force:
        raise AnodiceError(f"expected a new or empty folder, but {target} is not empty; name another, or use --force.")
    for folder in (target, means):
        if folder is not None and REPOSITORY in (folder.expanduser().resolve(), *folder.expanduser().resolve().parents):
            raise AnodiceError(f"photos do not belong into the repository, but {folder} lies in it; name one outside.")


def _decoded(
    root: Path, records: Sequence[Record], size: int
) -> tuple[list[Record], NDArray[np.uint8], list[tuple[str, str]]]:
    """The records that can be decoded, their photos (N, size, size), and path and reason of the others."""
    good: list[Record] = []
    photos: list[NDArray[np.uint8]] = []
    broken: list[tuple[str, str]] = []
    for record in records:
        try:
            photos.append(decode(root / record.path, image_size=size, in_channels=1)[0][..., 0])
        except Exception as error:  # Pillow's readers raise all sorts of errors on broken files
            broken.append((record.path, f"cannot be decoded ({type(error).__name__})"))
        else:
            good.append(record)
    if not good:
        raise AnodiceError(f"none of the {len(records)} photos in {root} can be decoded; are the files damaged?")
    return good, np.stack(photos), broken


def _names(records: Sequence[Record]) -> list[str]:
    """Where each photo goes, relative to the target; the class leads the name where another has the same."""
    folders = [f"{SPLITS[r.split]}/{ANOMALIES if r.face is None else r.face}" for r in records]
    plain = [f"{folder}/{Path(r.path).stem}" for folder, r in zip(folders, records, strict=True)]
    full = [
        f"{folder}/{Path(r.path).parent.name}_{Path(r.path).name.replace('.', '_')}"
        for folder, r in zip(folders, records, strict=True)
    ]
    # File systems that ignore case would write two such names to one file.
    often = Counter(name.lower() for name in plain)
    names = [p if often[p.lower()] == 1 else f for p, f in zip(plain, full, strict=True)]
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise AnodiceError(f"two photos would both be named {twice[0]}.png; rename one of them in the source.")
    return [f"{name}.png" for name in names]


def _holds(path: Path, photo: NDArray[np.uint8]) -> bool:
    """Whether a file is a grey picture of just these pixels."""
    try:
        with Image.open(path) as file:
            return file.mode == "L" and np.array_equal(np.asarray(file), photo)
    except OSError:
        return False


def _draw_means(
    folder: Path, records: Sequence[Record], before: NDArray[np.uint8], after: NDArray[np.uint8], method: str
) -> None:
    """One figure per split: the mean picture of each face, before above after."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        faces: dict[int, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            if record.split == split and record.face is not None:
                faces[record.face].append(index)
        if not faces:
            continue
        figure = Figure(figsize=(1.8 * len(faces), 4.2), layout="constrained")
        axes = figure.subplots(2, len(faces), squeeze=False)
        for column, (face, members) in enumerate(sorted(faces.items())):
            for axis, photos in zip(axes[:, column], (before, after), strict=True):
                axis.imshow(photos[members].mean(0), cmap="gray", vmin=0, vmax=255)
                axis.set(xticks=[], yticks=[])
            axes[0, column].set_title(f"face {face} ({len(members)})")
        axes[0, 0].set_ylabel("before")
        axes[1, 0].set_ylabel(method)
        figure.savefig(folder / f"means_{split}.png", dpi=120)


def _report(
    target: Path,
    method: Turner,
    written: int,
    there: int,
    skipped: Sequence[tuple[str, str]],
    records: Sequence[Record],
) -> None:
    print(f"{target}: {written} photos written, turned by {method.name}; {there} were there already.")
    for reason, count in Counter(reason for _, reason in skipped).most_common():
        example = next(path for path, why in skipped if why == reason)
        print(f"skipped {count}: {reason}, such as {example}")
    masks = sum(record.mask is not None for record in records)
    if masks:
        print(f"left out: the masks of {masks} photos, which are not turned.")


if __name__ == "__main__":
    main()
