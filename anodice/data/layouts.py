"""The folder layouts that are understood. Each is a function of the root, so that it can look at the names there.

A layout declares what is read and never raises over what is missing: `anodice.data.records.walk` does.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path, PurePosixPath

from anodice.data.records import Folder, Layout, PublishedSplit, is_hidden, is_photo
from anodice.errors import AnodiceError, unknown

ANOMALIES = "ano"
"""The folder of every anomalous photo of a die; nobody wrote down which face such a photo shows."""

SPLITS: dict[PublishedSplit, str] = {"train": "train_set", "test": "test_set"}
"""The folders of the published split of the dice."""

MASKS = "ground_truth"
"""The folder of the masks, where there are any; it mirrors the folders of the anomalies."""

# The logo, in its four orientations, stands for the six.
FACES = {"00": 1, "01": 2, "02": 2, "03": 3, "04": 3, "05": 4, "06": 5, "07": 6, "08": 6, "09": 6, "10": 6}
"""Class 00..10 (face and orientation) -> face 1..6."""

_DICE11 = f"ROOT/{{{','.join(SPLITS.values())}}}/{{00..10,{ANOMALIES}}}/<photos>"
_ROOT_NAMES = " (DICE_ROOT in the environment names ROOT, too)"


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct names by number where all are numbers, else by name.

    >>> in_order(["10", "2", "1", "2"]), in_order(["b", "10", "2"])
    (('1', '2', '10'), ('10', '2', 'b'))
    """
    distinct = sorted(set(names))
    return tuple(sorted(distinct, key=int) if all(name.isdecimal() for name in distinct) else distinct)


def dice11(root: Path) -> Layout:
    """Dice by face and orientation, as they are published: `{train_set,test_set}/{00..10,ano}/*`.

    The folders may also be named `0`..`10`; the classes are `00`..`10` all the same. Masks are looked for in
    `ground_truth/{train_set,test_set}/ano/`.
    """
    folders = []
    for split, name in SPLITS.items():
        for class_name, face in FACES.items():
            there = [s for s in _spellings(class_name) if (root / name / s).is_dir()] or [class_name]
            folders += [Folder(f"{name}/{s}", split, class_name, anomalous=False, face=face) for s in there]
        folders.append(_dice_anomalies(split, name))
    return Layout(tuple(folders), tuple(FACES), tuple(SPLITS.values()), _DICE11 + _ROOT_NAMES)


def dice6(root: Path) -> Layout:
    """Dice by face: `{train_set,test_set}/{1..6,ano}/*`, or the folders of `dice11`, folded to faces.

    The photos of the 11 folders are not upright: they still have to be turned.
    """
    there = {path.name for name in SPLITS.values() for path in _subfolders(root / name)}
    faces = in_order(str(face) for face in FACES.values())
    of_eleven = {spelling for class_name in FACES for spelling in _spellings(class_name)} - set(faces)
    tree = f"{_DICE11} or with {{{faces[0]}..{faces[-1]}}} for {{00..10}}{_ROOT_NAMES}"
    parents = tuple(SPLITS.values())
    if there & of_eleven:
        folders = [f if f.face is None else replace(f, class_name=str(f.face)) for f in dice11(root).folders]
        return Layout(tuple(folders), faces, parents, tree, upright=False)
    folders = []
    for split, name in SPLITS.items():
        folders += [Folder(f"{name}/{face}", split, face, anomalous=False, face=int(face)) for face in faces]
        folders.append(_dice_anomalies(split, name))
    return Layout(tuple(folders), faces, parents, tree)


def dsm(root: Path, *, meals: int) -> Layout:
    """Canteen dishes: `DSM-<meals>/images/<dish>/*`, with two kinds of anomalies under `DSM-<meals>/ANO-DSM/`.

    Without a published split, but for `test-images/{correct,incorrect}/<dish>/*`, which are test photos where they are
    there. Classes are the dishes.

    Args:
        meals: 50 or 100, the set to read.
    """
    if meals not in (50, 100):
        raise AnodiceError(f"expected data.layout.meals 50 or 100 (there are DSM-50 and DSM-100), got {meals!r}.")
    images = f"DSM-{meals}/images"
    folders = [Folder(path, "any", Path(path).name, anomalous=False) for path in _each(root, images)]
    for kind in ("uncorrect-meals", "unknown-meals"):
        paths = _each(root, f"DSM-{meals}/ANO-DSM/{kind}/images")
        folders += [Folder(path, "any", kind, anomalous=True) for path in paths]
    if (root / "test-images").is_dir():
        correct, incorrect = _each(root, "test-images/correct"), _each(root, "test-images/incorrect")
        folders += [Folder(path, "test", Path(path).name, anomalous=False) for path in correct]
        folders += [Folder(path, "test", "incorrect", anomalous=True) for path in incorrect]
    tree = f"ROOT/DSM-{meals}/{{images,ANO-DSM/{{uncorrect-meals,unknown-meals}}/images}}/<dish>/<photos>"
    return Layout(tuple(folders), _classes(folders), (images,), tree)


def mvtec(root: Path) -> Layout:
    """One object of MVTec AD (Bergmann et al. 2019): `train/good/*`, `test/{good,<defect>}/*`.

    Masks are `ground_truth/<defect>/*`; without them there are no figures of pixels.
    """
    defects = [path.name for path in _subfolders(root / "test") if path.name != "good"]
    folders = [Folder(f"{split}/good", split, "good", anomalous=False) for split in SPLITS]
    folders += [Folder(f"test/{d}", "test", d, anomalous=True, masks=f"{MASKS}/{d}") for d in defects]
    tree = f"ROOT/{{train/good,test/good,test/<defect>}}/<photos>, masks in ROOT/{MASKS}/<defect>"
    return Layout(tuple(folders), ("good",), ("train", "test"), tree)


def mvtec_ad2(root: Path) -> Layout:
    """One object of MVTec AD 2 (Heckler-Kram et al. 2025): `{train,validation}/good/*`, `test_public/{good,bad}/*`.

    Masks are `test_public/ground_truth/bad/*`, or `ground_truth/bad/*`. The photos of `validation` are normal ones like
    those of `train`: both are split into fit and validation. The private test photos, whose labels nobody has, are not
    read.
    """
    masks = next((m for m in (f"test_public/{MASKS}/bad", f"{MASKS}/bad") if (root / m).is_dir()), f"{MASKS}/bad")
    learned = [Folder(f"{part}/good", "train", "good", anomalous=False) for part in ("train", "validation")]
    tested = [
        Folder("test_public/good", "test", "good", anomalous=False),
        Folder("test_public/bad", "test", "bad", anomalous=True, masks=masks),
    ]
    tree = f"ROOT/{{train/good,validation/good,test_public/good,test_public/bad}}/<photos>, masks in ROOT/{masks}"
    return Layout((*learned, *tested), ("good",), ("train", "test_public"), tree)


def visa(root: Path, *, kind: str) -> Layout:
    """One object of VisA (Zou et al. 2022): its photos, divided by the table `split_csv/1cls.csv`.

    The table has the columns `object`, `split` (train or test), `label` (normal or anomaly), `image` and `mask`, the
    latter two as paths relative to the root, such as `candle/Data/Images/Normal/0000.JPG`.

    Args:
        kind: the object, such as `candle`.

    Raises:
        AnodiceError: a table without these columns, or without that object.
    """
    tree = f"ROOT/split_csv/1cls.csv and ROOT/{kind}/Data/{{Images,Masks}}/{{Normal,Anomaly}}/<photos>"
    parents = ("split_csv", f"{kind}/Data/Images")
    table = root / "split_csv" / "1cls.csv"
    if not table.is_file():
        return Layout((), (kind,), parents, tree)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"object", "split", "label", "image", "mask"} <= rows[0].keys():
        there = ", ".join(rows[0]) if rows else "no row"
        raise AnodiceError(f"expected the columns object, split, label, image and mask in {table}, got {there}.")
    own = [row for row in rows if row["object"] == kind]
    if not own:
        raise unknown("data.layout.kind", kind, in_order(row["object"] for row in rows))
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in own:
        where = PurePosixPath(row["image"]).parent.as_posix()
        groups.setdefault((where, row["split"], row["label"]), []).append(row)
    folders = []
    for (where, split, label), members in groups.items():
        masks = {PurePosixPath(row["mask"]).parent.as_posix() for row in members if row["mask"]}
        folders.append(
            Folder(
                where,
                "train" if split == "train" else "test",
                kind if label == "normal" else label,
                anomalous=label != "normal",
                masks=min(masks, default=None),
                only=frozenset(PurePosixPath(row["image"]).name for row in members),
            )
        )
    return Layout(tuple(folders), (kind,), parents, tree)


def folder(
    root: Path,
    *,
    normal: Sequence[str],
    anomalous: Sequence[str],
    test_normal: Sequence[str],
    test_anomalous: Sequence[str],
) -> Layout:
    """The folders of any project, named one by one, relative to the root.

    Each subfolder of a named folder is a class (of the anomalies: a kind). Photos that lie directly in the named folder
    are a class of its name.

    Args:
        normal: folders of normal photos; those to train on where `test_normal` is given, else all, to be split.
        anomalous: folders of anomalous photos; those of validation where `test_anomalous` is given, else all.
        test_normal: folders of normal test photos.
        test_anomalous: folders of anomalous test photos.

    Raises:
        AnodiceError: no folder of normal photos, a folder outside the root, or one inside another.
    """
    given = {"normal": normal, "anomalous": anomalous, "test_normal": test_normal, "test_anomalous": test_anomalous}
    named = {key: _named(key, names) for key, names in given.items()}
    parents = [path for paths in named.values() for path in paths]
    if not named["normal"]:
        raise AnodiceError(
            "expected at least one folder in data.layout.normal, got none; name those of the normal photos, such as "
            "data.layout.normal=[good]."
        )
    for one, other in combinations(map(PurePosixPath, parents), 2):
        if one == other or one in other.parents or other in one.parents:
            raise AnodiceError(
                f"expected folders in data.layout that lie apart, got {one} and {other}; name each photo's folder once."
            )
    folders: list[Folder] = []
    for key, paths in named.items():
        split: PublishedSplit = "test" if key.startswith("test_") else "train" if named[f"test_{key}"] else "any"
        for path in paths:
            folders += _with_subfolders(root, path, split, anomalous=key.endswith("anomalous"))
    tree = f"ROOT/{{{','.join(parents)}}}/[<class>/]<photos>, as data.layout names them"
    around = tuple({PurePosixPath(path).parent.as_posix() for path in parents})
    return Layout(tuple(folders), _classes(folders), tuple(parents), tree, around=around)


def _spellings(class_name: str) -> tuple[str, ...]:
    """`05` and `5`."""
    return tuple(dict.fromkeys((class_name, str(int(class_name)))))


def _dice_anomalies(split: PublishedSplit, name: str) -> Folder:
    return Folder(f"{name}/{ANOMALIES}", split, ANOMALIES, anomalous=True, masks=f"{MASKS}/{name}/{ANOMALIES}")


def _classes(folders: Iterable[Folder]) -> tuple[str, ...]:
    """The classes that there are photos to learn from."""
    return in_order(f.class_name for f in folders if not f.anomalous and f.split != "test")


def _subfolders(path: Path) -> list[Path]:
    """The folders in a folder that are not hidden, in order; none where it is missing."""
    if not path.is_dir():
        return []
    names = in_order(p.name for p in path.iterdir() if p.is_dir() and not is_hidden(p))
    return [path / name for name in names]


def _each(root: Path, path: str) -> list[str]:
    """The subfolders of a folder, relative to the root; the folder itself where it has none, so that it is missed."""
    return [f"{path}/{sub.name}" for sub in _subfolders(root / path)] or [path]


def _with_subfolders(root: Path, path: str, split: PublishedSplit, *, anomalous: bool) -> list[Folder]:
    subfolders = _subfolders(root / path)
    folders = [Folder((PurePosixPath(path) / s.name).as_posix(), split, s.name, anomalous) for s in subfolders]
    if not folders or any(is_photo(file) for file in (root / path).iterdir()):
        folders.insert(0, Folder(path, split, (root / path).name, anomalous))
    return folders


def _named(key: str, names: Sequence[str]) -> list[str]:
    """The folders that the user named, spelled the same way."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise AnodiceError(
            f"expected data.layout.{key} to be a list of folders, got {names!r}; write data.layout.{key}=[{names}]."
        )
    paths = [PurePosixPath(str(name)) for name in names]
    for path in paths:
        if path.is_absolute() or ".." in path.parts:
            raise AnodiceError(
                f"expected folders inside data.root in data.layout.{key}, got {path}; set data.root to a folder that "
                f"holds all of them."
            )
    return [path.as_posix() for path in paths]
