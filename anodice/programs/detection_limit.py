"""How small a defect a finished run still finds: what `scripts/detection_limit.py` runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anodice.app import run_folder
from anodice.errors import AnodiceError
from anodice.evaluation.detection_limit import FEWEST, flags, held_out, measure_detection
from anodice.evaluation.run_results import read_thresholds
from anodice.programs.loading import load_run
from anodice.reporting.detection_limit import DetectionReport

FOLDER = "detection_limit"


def detection_limit(run: Path, *, root: str | None, photos: int, seed: int) -> str:
    """Measure the run, write tables and picture into its folder `detection_limit`, and tell what was found.

    Args:
        root: where the photos are now; None where the run found them.
        photos: how many to paint on, at least 5.
        seed: of the places and the intervals.

    Raises:
        AnodiceError: too few photos are there, or are passed as they are.
    """
    if photos < FEWEST:
        raise AnodiceError(f"expected at least {FEWEST} photos to paint on, got {photos}; 60 give fair intervals.")
    threshold = read_thresholds(run).chosen
    detector, data = load_run(run, root)
    chosen = held_out(data, photos)
    pixels = [data.photos.pixels[data.photos.rows[i]] for i in chosen]
    passed = ~flags(detector, data, threshold, pixels) if pixels else np.zeros(0, dtype=bool)
    if passed.sum() < FEWEST:
        raise AnodiceError(
            f"expected at least {FEWEST} clean normal test photos that {run} passes, got {int(passed.sum())} of "
            f"{len(chosen)}; a threshold that flags what has no defect finds every defect. Evaluate with another one."
        )
    measured = measure_detection(
        detector, data, threshold, [p for p, ok in zip(pixels, passed, strict=True) if ok], seed=seed
    )
    report = DetectionReport(threshold, data.image_size, len(chosen), measured, seed=seed)
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    report.write(folder)
    return f"{report.text()}\nwritten to {run_folder.readable(folder.absolute())}"
