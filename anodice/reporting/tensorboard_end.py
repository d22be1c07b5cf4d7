"""What a person sees in TensorBoard of a run that has ended, in an event file of its own that a resumed run replaces.

Its tags start with `verdict`, which comes after `train` and `val`: progress first, then what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from anodice.evaluation.score_table import ScoreTable
from anodice.reporting.tensorboard import add_pr_curve
from anodice.reporting.visualise import Codes, Shown
from anodice.thresholds.threshold import Threshold

SUFFIX = ".final"
"""What the name of the event file ends in."""

_THUMBNAIL = 32
"""The side of a photo in the Projector, in pixels."""
_CARDS = 6
"""Photos of each kind of error."""


def write_final(
    trainer: pl.Trainer,
    told: Mapping[str, Any],
    metrics: dict[str, Any],
    *,
    report: str,
    table: ScoreTable,
    figures: Mapping[str, Figure],
    errors: Mapping[str, Shown],
) -> None:
    """Write the final figures and pictures, and what runs are compared by in the HPARAMS tab.

    Other loggers get the hyper-parameters and the figures.

    Args:
        told: the hyper-parameters, by name.
        report: Markdown.
        table: the scores of the run.
        figures: pictures of them, by name.
        errors: photos to look at, by name.
    """
    numbers, step = final_numbers(metrics), trainer.global_step
    for logger in trainer.loggers:
        if not isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(dict(told))
            logger.log_metrics(numbers, step=step)
            continue
        folder = Path(logger.log_dir)
        for old in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
            old.unlink()
        with SummaryWriter(str(folder), filename_suffix=SUFFIX) as writer:
            _write_hparams(writer, told, numbers, step)
            writer.add_text("report", report, global_step=step)
            add_pr_curve(writer, "verdict/precision_recall", table.clean.score, table.clean.label, step=step)
            for name, figure in figures.items():
                writer.add_figure(f"verdict_plots/{name}", figure, global_step=step)
            for name, shown in errors.items():
                for k, figure in enumerate(shown.cards(_CARDS), start=1):
                    writer.add_figure(f"verdict_{name}/{k}", figure, global_step=step)


def write_codes(folder: Path, codes: Codes, threshold: Threshold) -> None:
    """Write codes with thumbnails, paths, classes, faces, labels, scores and verdicts for the PROJECTOR tab.

    Args:
        folder: of the event files.
    """
    rows = codes.rows
    labels = ["anomalous" if label else "normal" for label in rows.label]
    flags = ["flagged" if flag else "passed" for flag in threshold.flags(rows.score, rows.predicted)]
    faces = [face if face > 0 else "unknown" for face in rows.face.tolist()]
    columns = {
        "label": labels,
        "class": rows.class_name.tolist(),
        "face": faces,
        "verdict": flags,
        "split": rows.split.tolist(),
        "session": rows.session.tolist(),
        "score": [f"{score:.4g}" for score in rows.score],
        "path": rows.path.tolist(),
    }
    thumbnails = F.interpolate(torch.from_numpy(codes.images), size=(_THUMBNAIL, _THUMBNAIL), mode="area")
    with SummaryWriter(str(folder), filename_suffix=SUFFIX) as writer:
        writer.add_embedding(
            codes.codes,
            metadata=[list(row) for row in zip(*columns.values(), strict=True)],
            metadata_header=list(columns),
            label_img=thumbnails.expand(-1, 3, -1, -1),
            tag="codes",
            global_step="projector",  # the name of the folder that holds its files
        )


def final_numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of the clean test and of validation that runs are compared by, those that can be had."""
    clean = metrics["test"]["clean"]
    row = clean["at"][metrics["threshold"]]
    part = "test_oracle" if metrics["threshold"] == "oracle" else "test"  # nobody takes an upper bound for a result
    found = {f"{part}_{name}": row[name] for name in ("f1", "precision", "recall")}  # the first is shown at once
    for prefix, ranking in ((part, clean), ("val", metrics["validation"])):
        # A short name: those of parallel coordinates stand side by side.
        found |= {f"{prefix}_auroc": ranking["auroc"], f"{prefix}_ap": ranking["average_precision"]}
    return {f"verdict/{name}": float(value) for name, value in found.items() if value is not None}


def _write_hparams(writer: SummaryWriter, told: Mapping[str, Any], numbers: Mapping[str, float], step: int) -> None:
    """As `SummaryWriter.add_hparams`, which would make a run of its own of the numbers."""
    for summary in hparams(dict(told), dict(numbers)):
        writer.file_writer.add_summary(summary)
    for name, value in numbers.items():
        writer.add_scalar(name, value, global_step=step)
