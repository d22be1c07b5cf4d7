"""What was found in a folder of photos, for the start of a training."""

from __future__ import annotations

from collections import Counter

from anodice.data.layouts import in_order
from anodice.data.photos import Photos
from anodice.data.records import Folder


def describe(photos: Photos, *, width: int = 80) -> str:
    """What was found, for the start of a run: a table split x class x count, the skipped files, the audit.

    Args:
        width: characters that the table may be wide; where the classes need more, normal and anomalous photos are
            counted.
    """
    table = _table(photos, by_class=True)
    if len(table[0]) > width:
        table = _table(photos, by_class=False)
    lines = [f"photos under {photos.walked.root}", *table]
    by_reason = Counter(reason for _, reason in photos.skipped)
    for reason, count in by_reason.most_common():
        example = next(path for path, why in photos.skipped if why == reason)
        lines.append(f"  skipped: {count} x {reason}, such as {example}")
    if not photos.skipped:
        lines.append("  skipped: no file")
    return "\n".join([*lines, photos.audit.sentence()])


def _table(photos: Photos, *, by_class: bool) -> list[str]:
    """The lines of the table; its columns are the classes, or normal and anomalous photos."""
    folders = photos.walked.layout.folders
    classes = [(name, anomalous) for anomalous in (False, True) for name in _names(folders, anomalous)]
    column_of = {c: c if by_class else ("anomalous" if c[1] else "normal", c[1]) for c in classes}
    columns = list(dict.fromkeys(column_of.values()))
    rows = [["", *(name for name, _ in columns), "total"]]
    for name in ("fit", "validation", "test"):
        part = [photos.records[i] for i in getattr(photos.split, name)]
        counts = Counter(column_of[r.class_name, r.anomalous] for r in part)
        rows.append([name, *(str(counts[c]) for c in columns), str(len(part))])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _names(folders: tuple[Folder, ...], anomalous: bool) -> tuple[str, ...]:
    """The classes of the normal folders, or the kinds of the anomalous ones."""
    return in_order(f.class_name for f in folders if f.anomalous == anomalous)
