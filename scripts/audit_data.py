"""Say what is wrong with a folder of photos before anything is trained on it: `python scripts/audit_data.py --help`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from anodice.app.arguments import TOLD, as_options
from anodice.data import layouts
from anodice.data.cache import cached_images
from anodice.data.decode import decode
from anodice.data.image_format import ImageFormat
from anodice.data.records import Layout, Record, walk
from anodice.data.splitting.audit import Audit, audit, session_warning, sessions
from anodice.data.splitting.near_duplicates import PAIR_KINDS, Pair, group_ids, near_duplicate_pairs
from anodice.errors import AnodiceError
from anodice.reporting.plots.thumbnails import Thumbnails, page, sheet

LAYOUTS = ("dice11", "dice6", "dsm", "mvtec", "folder")
FOLDERS = ("normal", "anomalous", "test_normal", "test_anomalous")
SIDE = 128
REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="Find copies, near duplicates, conflicting labels, sessions that tell the label and broken files.",
        epilog=f"{TOLD} Exit status: 0; with --strict 1 where something was found; 2 after a mistake.",
    )
    parser.add_argument("--root", type=Path, help="folder of the photos (default: DICE_ROOT in the environment)")
    parser.add_argument("--layout", choices=LAYOUTS, default="dice11", help="how it is laid out (default: %(default)s)")
    for name in FOLDERS:
        parser.add_argument(
            f"--{name.replace('_', '-')}", nargs="+", default=[], metavar="FOLDER", help="for --layout folder"
        )
    parser.add_argument("--meals", type=int, default=100, help="for --layout dsm: 50 or 100 (default: %(default)s)")
    parser.add_argument("--names", action="store_true", help="also name the two files of each pair, worst pairs first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was found as JSON")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also draw the pairs: FILE.html or FILE.png")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="also draw each pair by itself, under the number of --names"
    )
    parser.add_argument(
        "--most", type=int, default=200, help="pairs that are drawn, worst first (default: %(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="as paths.cache_dir (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="exit status 1 where something was found")
    options = parser.parse_args(as_options(parser, sys.argv[1:] if arguments is None else arguments))
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        found_something = report(options)
    except AnodiceError as error:
        parser.exit(2, f"error: {error}\n")
    parser.exit(1 if options.strict and found_something else 0)


def report(options: argparse.Namespace) -> bool:
    """Print what was found and write the files that are asked for; whether anything was."""
    root = _root(options)
    _check(options)
    layout = _layout(options)
    walked = walk(root, layout(root))
    cached = cached_images(root, walked.records, ImageFormat(SIDE, 1), cache_dir=options.cache)
    decoded = [i for i in range(len(walked.records)) if i not in cached.undecodable]
    records = [walked.records[i].with_content(cached.contents[i]) for i in decoded]
    skipped = [*walked.skipped, *((walked.records[i].path, why) for i, why in cached.undecodable.items())]
    pairs = near_duplicate_pairs(records, lambda: cached.pixels[decoded, ..., 0], cache_dir=options.cache)
    found = audit(records, pairs)
    pairs = sorted(pairs, key=lambda pair: _severity(records, pair))
    _print(root, records, skipped, pairs, found, names=options.names)
    if options.json is not None:
        text = json.dumps(_as_json(root, records, skipped, pairs, found), indent=1)
        _written(options.json).write_text(f"{text}\n")
    if options.sheet is not None or options.pictures is not None:
        _draw(options, root, records, pairs)
    warned = session_warning(records) is not None
    return bool(pairs or skipped or found.conflicts or found.near_conflicts or warned)


def _root(options: argparse.Namespace) -> Path:
    root = options.root or os.environ.get("DICE_ROOT")
    if not root:
        raise AnodiceError("expected the folder of the photos, got none; name it with data.root=DIR, or set DICE_ROOT.")
    return Path(root).expanduser().absolute()


def _check(options: argparse.Namespace) -> None:
    for name in FOLDERS:
        if getattr(options, name) and options.layout != "folder":
            raise AnodiceError(f"expected --{name.replace('_', '-')} with --layout folder only, got {options.layout}.")
    if options.sheet is not None and options.sheet.suffix not in (".html", ".png"):
        raise AnodiceError(f"expected --sheet FILE.html or FILE.png, got {options.sheet}.")
    if options.most < 1:
        raise AnodiceError(f"expected --most of at least 1, got {options.most}.")
    for target, what in ((options.sheet, "file"), (options.pictures, "folder")):
        if target is not None and REPOSITORY in (target.expanduser().resolve() / "picture").parents:
            raise AnodiceError(
                f"photos do not belong into the repository, but {target} lies in it; name a {what} outside."
            )


def _layout(options: argparse.Namespace) -> Callable[[Path], Layout]:
    layout = getattr(layouts, options.layout)
    if options.layout == "folder":
        return partial(layout, **{name: getattr(options, name) for name in FOLDERS})
    return partial(layout, meals=options.meals) if options.layout == "dsm" else layout


def _print(
    root: Path,
    records: Sequence[Record],
    skipped: Sequence[tuple[str, str]],
    pairs: Sequence[Pair],
    found: Audit,
    *,
    names: bool,
) -> None:
    print(f"{len(records)} photos under {root}\n")
    print("pairs of photos that show the same, by what they are and where they lie")
    where = ("within training", "within test", "across")
    counts = Counter((pair.kind, _where(records, pair)) for pair in pairs)
    rows = [["", *where], *([kind, *(str(counts[kind, place]) for place in where)] for kind in PAIR_KINDS)]
    _table(rows)
    sizes = Counter(group_ids(records, pairs).tolist()).values()
    joined = [size for size in sizes if size > 1]
    print(f"  {sum(joined)} photos lie in {len(joined)} groups of 2 to {max(joined, default=0)}.\n" if joined else "")
    if names:
        _print_names(records, pairs)
    print(found.sentence())
    for title, conflicts in (("equal pixels", found.conflicts), ("near duplicates", found.near_conflicts)):
        for normal, anomalous in conflicts:
            print(f"  {title}, two labels: {normal} and {anomalous}")
    print("\nphotos of each shooting session")
    classes = layouts.in_order(r.class_name for r in records)
    table = [["session", *classes]]
    table += [[s.name, *(str(s.classes.get(c, 0)) for c in classes)] for s in sessions(records)]
    if len(table) > 30:
        print(f"  {len(table) - 1} sessions: the names tell none")
    else:
        _table(table)
    warning = session_warning(records)
    if warning is not None:
        print(f"  {warning}")
    print("\nfiles that are not read")
    for reason, count in Counter(reason for _, reason in skipped).most_common():
        print(f"  {count} x {reason}, such as {next(path for path, why in skipped if why == reason)}")
    if not skipped:
        print("  none")


def _print_names(records: Sequence[Record], pairs: Sequence[Pair]) -> None:
    for number, pair in enumerate(pairs, start=1):
        paths = f"{records[pair.first].path} and {records[pair.second].path}"
        print(f"  {number}: {pair.kind}, {_where(records, pair)}, difference {pair.difference:.1f}: {paths}")
    print()


def _severity(records: Sequence[Record], pair: Pair) -> tuple[bool, bool, float]:
    """Pairs across training and test come first, near ones before exact ones."""
    return _where(records, pair) != "across", pair.kind == "exact", pair.difference


def _where(records: Sequence[Record], pair: Pair) -> str:
    tested = {records[pair.first].split == "test", records[pair.second].split == "test"}
    if len(tested) == 2:
        return "across"
    return "within test" if tested == {True} else "within training"


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _as_json(
    root: Path,
    records: Sequence[Record],
    skipped: Sequence[tuple[str, str]],
    pairs: Sequence[Pair],
    found: Audit,
) -> dict:
    """Paths are relative to the root; differences in grey levels, angles in degrees, shifts in 128ths of the width."""
    return {
        "root": str(root),
        "photos": {"training": found.training, "test": found.test},
        "training_copies": found.training_copies,
        "test_copies": found.test_copies,
        "leaked": found.leaked,
        "nearly_leaked": found.nearly_leaked,
        "conflicts": found.conflicts,
        "near_conflicts": found.near_conflicts,
        "pairs": [
            {
                "first": records[pair.first].path,
                "second": records[pair.second].path,
                "kind": pair.kind,
                "where": _where(records, pair),
                "difference": pair.difference,
                "angle": pair.angle,
                "shift": pair.shift,
            }
            for pair in pairs
        ],
        "sessions": {s.name: s.classes for s in sessions(records)},
        "session_warning": session_warning(records),
        "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
    }


def _draw(options: argparse.Namespace, root: Path, records: Sequence[Record], pairs: Sequence[Pair]) -> None:
    """Draw the first pairs, on a sheet and one by one."""
    if not pairs:
        print("\nthere is no pair to draw")
        return
    shown = [_thumbnails(root, records, pair) for pair in pairs[: options.most]]
    if options.sheet is not None:
        target = _written(options.sheet)
        if target.suffix == ".html":
            target.write_text(page(shown, title=f"{len(shown)} of {len(pairs)} pairs that show the same"))
        else:
            sheet(shown).savefig(target, dpi=100)
        print(f"\n{len(shown)} of {len(pairs)} pairs are drawn in {options.sheet}")
    if options.pictures is not None:
        digits = len(str(len(shown)))
        for number, pair in enumerate(shown, start=1):
            sheet([pair]).savefig(_written(options.pictures / f"{number:0{digits}}.png"), dpi=100)
        print(f"\n{len(shown)} of {len(pairs)} pairs are drawn one by one in {options.pictures}")


def _thumbnails(root: Path, records: Sequence[Record], pair: Pair) -> Thumbnails:
    first, second = records[pair.first].path, records[pair.second].path
    photos = [decode(root / path, image_size=SIDE, in_channels=1)[0][..., 0] for path in (first, second)]
    title = f"{pair.kind}, {_where(records, pair)}, difference {pair.difference:.1f}"
    return Thumbnails(photos[0], photos[1], (first, second), title)


def _written(file: Path) -> Path:
    """The file, in a folder that is there."""
    file = file.expanduser()
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


if __name__ == "__main__":
    main()
