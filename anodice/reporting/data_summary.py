"""What was found in a folder of photos, for the start of a training."""

from __future__ import annotations

from collections import Counter

from anodice.data.layouts import in_order
from anodice.data.photos import Photos
from anodice.data.records import Folder

_MOST_COLUMNS = 15


def describe(photos: Photos) -> str:
    """What was found, for the start of a run: a table split x class x count, the skipped files, the audit.

    With many classes the table counts normal and anomalous photos only.
    """
    folders = photos.walked.layout.folders
    columns = [(name, anomalous) for anomalous in (False, True) for name in _names(folders, anomalous)]
    column_of = {column: column for column in columns}
    if len(columns) > _MOST_COLUMNS:
        column_of = {column: ("anomalous" if column[1] else "normal", column[1]) for column in columns}
        columns = list(dict.fromkeys(column_of.values()))
    rows = [["", *(name for name, _ in columns), "total"]]
    for name in ("fit", "validation", "test"):
        part = [photos.records[i] for i in getattr(photos.split, name)]
        counts = Counter(column_of[r.class_name, r.anomalous] for r in part)
        rows.append([name, *(str(counts[c]) for c in columns), str(len(part))])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [f"photos under {photos.walked.root}"]
    lines += ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    by_reason = Counter(reason for _, reason in photos.skipped)
    for reason, count in by_reason.most_common():
        example = next(path for path, why in photos.skipped if why == reason)
        lines.append(f"  skipped: {count} x {reason}, such as {example}")
    if not photos.skipped:
        lines.append("  skipped: no file")
    return "\n".join([*lines, photos.audit.sentence()])


def _names(folders: tuple[Folder, ...], anomalous: bool) -> tuple[str, ...]:
    """The classes of the normal folders, or the kinds of the anomalous ones."""
    return in_order(f.class_name for f in folders if f.anomalous == anomalous)
