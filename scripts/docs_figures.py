"""Draw the figures of the pages on detectors, docs/figures/*.webp, from trainings on drawn dice.

    python scripts/docs_figures.py

Each detector is trained once, for four epochs, a third of the usual training, with seed 0: enough to see how their maps
differ. Trainings that are finished are not repeated, so the command can be interrupted and called again.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from earlier_projects import PROJECT, finished
from matplotlib.figure import Figure
from PIL import Image

from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.run_results import read_scores, read_thresholds
from anodice.programs.loading import load_run
from anodice.reporting.run_files import score_figures
from anodice.reporting.visualise import Shown, detector_figures, sample

DETECTORS = (
    *("local_memory", "patchcore", "defect_unet", "vae", "conv_ae", "ae_classifier", "inception_cae"),
    "template",
)
_DOTS, _QUALITY = 80, 85
"""Per inch; of WebP, of 100. Figures in a repository are to stay small."""


def main() -> None:
    parser = _parser()
    options = parser.parse_args(as_options(parser, sys.argv[1:]))
    chosen = DETECTORS if options.only is None else options.only.split(",")
    for name in chosen:
        if name not in DETECTORS:
            raise unknown("detector", name, DETECTORS)
    run_folder.register_resolvers()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        run = _trained(name, options.log_dir / name, options.overrides)
        for kind, figure in _figures(name, run).items():
            _write(figure, options.output / f"{kind}.webp")


def _trained(name: str, log_dir: Path, overrides: list[str]) -> Path:
    """The run folder of a detector, which is trained if nobody has."""
    if finished(log_dir) is None:
        told = [f"model={name}", "seed=0", "trainer.max_epochs=4", f"paths.log_dir={log_dir}", *overrides]
        print(f"== {' '.join(['python train.py', *told])}", flush=True)
        subprocess.run([sys.executable, str(PROJECT / "train.py"), *told], check=True)
    run = finished(log_dir)
    assert run is not None
    return run


def _figures(name: str, run: Path) -> dict[str, Figure]:
    """Of each detector the same four validation photos; of one the scores, of one the templates."""
    detector, data = load_run(run, None)
    about = f"{name} on drawn dice, seed 0"
    shown = sample(detector, data, of_each=3)
    figures = {name: _joined(f"{about}: validation photos", shown["normal"], shown["anomalous"]).page()}
    if name == "vae":
        found = score_figures(read_scores(run), read_thresholds(run), title=about)
        figures["scores"] = found["validation_scores"]
    if name == "template":
        figures |= detector_figures(detector, None, title=about)
    return figures


def _joined(title: str, normal: Shown, anomalous: Shown) -> Shown:
    """The first normal photo and all anomalous ones."""

    def both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate([first[:1], second])

    there = normal.reconstructions is not None and anomalous.reconstructions is not None
    return Shown(
        title,
        both(normal.images, anomalous.images),
        both(normal.reconstructions, anomalous.reconstructions) if there else None,
        both(normal.maps, anomalous.maps),
        [normal.masks[0], *anomalous.masks],
        [normal.captions[0], *anomalous.captions],
    )


def _write(figure: Figure, path: Path) -> None:
    """As a small picture, without the names and times of a machine."""
    file = io.BytesIO()
    figure.savefig(file, dpi=_DOTS)
    Image.open(file).convert("RGB").save(path, quality=_QUALITY, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help=f"detectors, separated by commas; all: {', '.join(DETECTORS)}")
    parser.add_argument("--log-dir", type=Path, default=Path("logs/docs_figures"), help="for the runs (%(default)s)")
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "figures", help="folder for the figures")
    parser.add_argument("overrides", nargs="*", help="further overrides of train.py, such as threads=1")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
