"""The figures that callbacks may watch."""

from __future__ import annotations

from collections.abc import Sequence

from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from anodice.errors import AnodiceError, unknown
from anodice.models.detector import Detector, TrainedDetector

VALIDATION_FIGURES = ("val/auroc", "val/average_precision", "val/f1_max")
"""What every detector logs of labelled photos; all are better when higher. The losses are when lower."""
COUNTS = ("step", "epoch")
"""What checkpoints may watch besides, with mode=max, to keep the latest weights."""


def check_monitors(callbacks: Sequence[Callback], detector: Detector, *, labelled: bool) -> None:
    """Refuse, before the first batch, a callback that watches a figure which will never be logged.

    Args:
        labelled: whether validation holds normal and anomalous photos.

    Raises:
        AnodiceError: an unknown name, the wrong mode, a figure that needs anomalies where validation has none, or a
            loss of a detector that learns without gradients.
    """
    losses = [f"val/{name}" for name in detector.loss_names] if isinstance(detector, TrainedDetector) else []
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor is None or (monitor in COUNTS and isinstance(callback, ModelCheckpoint)):
            continue
        if monitor == "val/loss" and not losses:
            raise AnodiceError(
                f"expected no loss to monitor for {type(callback).__name__}, because {type(detector).__name__} learns "
                "without gradients and has none; use callbacks=one_pass."
            )
        if monitor not in (*losses, *VALIDATION_FIGURES):
            raise unknown(f"figure to monitor for {type(callback).__name__}", monitor, [*losses, *VALIDATION_FIGURES])
        wanted = "max" if monitor in VALIDATION_FIGURES else "min"
        if getattr(callback, "mode", wanted) != wanted:
            raise AnodiceError(
                f"expected mode={wanted} to monitor {monitor}, got mode={callback.mode}; set mode={wanted}."
            )
        if monitor in VALIDATION_FIGURES and not labelled:
            raise AnodiceError(
                f"expected anomalous validation photos to monitor {monitor}, got none; monitor val/loss."
            )
