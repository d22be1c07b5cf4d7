"""What came of a training or an evaluation, for a terminal; the files of the run tell all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anodice.reporting.markdown import opening, thresholds_table, with_interval
from anodice.reporting.run_files import FIGURES, REPORT
from anodice.thresholds.fitted import FittedThresholds


def results(metrics: dict[str, Any], fitted: FittedThresholds, *, width: int) -> str:
    """What a training or an evaluation found: the opening of its report, and the table of the clean test.

    Args:
        width: characters that the table may be wide.
    """
    clean, chosen = metrics["test"]["clean"], metrics["threshold"]
    title = "Test" if metrics["leaked"] == 0 else "Clean test: without copies of training images"
    ranking = [f"{name} {with_interval(clean, key, 3)}" for name, key in _RANKING.items()]
    parts = [opening(metrics, fitted), f"## {title}", ", ".join(ranking), thresholds_table(clean, chosen, width=width)]
    return "\n\n".join(parts)


def where_to_look(folder: Path, log_dir: str) -> str:
    """The ways to go on from a folder of results.

    Args:
        folder: as people read it.
        log_dir: of all runs.
    """
    lines = {
        "how to read it": f"{folder / REPORT}, with all figures",
        "pictures": f"{folder / FIGURES}",
        "curves": f"tensorboard --logdir {log_dir}",
        "new photos": f"python predict.py run={folder} photos=DIR_OR_FILES",
    }
    return "\n".join(f"{name + ':':16}{what}" for name, what in lines.items())


_RANKING = {"AUROC": "auroc", "AP": "average_precision"}
