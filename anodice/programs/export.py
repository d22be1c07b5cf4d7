"""Writing a finished run as one model for other runtimes, and comparing it with the run: what `export.py` runs."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from anodice.app import run_folder
from anodice.app.process import use_threads
from anodice.errors import AnodiceError, unknown
from anodice.prediction import from_export, from_run
from anodice.prediction.agreement import TOLERANCE, agreement
from anodice.prediction.export import export
from anodice.prediction.exported import SUFFIXES
from anodice.prediction.settings import Settings
from anodice.programs.loading import load_photos

log = logging.getLogger(__name__)

_DRAWN = 64
"""Pictures that are compared where the photos are not there."""


def export_run(config: DictConfig) -> bool:
    """Write the model of a run, and keep it if its scores are those of the run.

    Returns:
        whether they are.

    Raises:
        AnodiceError: no such run or format, a detector that is no graph, or a package that is not installed.
    """
    if config.format not in SUFFIXES:
        raise unknown("format", str(config.format), SUFFIXES)
    use_threads(config.threads)
    run = run_folder.find_run(str(config.run), Path(config.paths.log_dir))
    out = _out(config, run)
    ours, settings = from_run.load(run, None, log_dir=Path(config.paths.log_dir), device="cpu")
    log.info("run        %s", run_folder.readable(run))
    log.info("threshold  %s", settings.threshold.sentence())
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        file = Path(folder) / out.name
        export(ours.detector, settings, file, format=config.format)
        theirs, _ = from_export.load(file, None, trusted=True)
        what, photos = _photos(run, config.data.root, settings)
        found = agreement(ours, theirs, photos, settings)
        log.info("compared   %s: %s", what, found.sentence())
        if not found.holds:
            log.error("the scores differ by more than %g: nothing is written", TOLERANCE)
            return False
        _move(file, out)
    size = sum(part.stat().st_size for part in _parts(out)) / 2**20
    log.info("written    %s (%.1f MiB)", run_folder.readable(out), size)
    return True


def _out(config: DictConfig, run: Path) -> Path:
    suffix = SUFFIXES[config.format]
    out = run / "export" / f"model{suffix}" if config.out is None else Path(config.out).expanduser()
    if out.suffix != suffix:
        raise AnodiceError(f"expected out to end with {suffix} for format={config.format}, got {out.name}.")
    if out.is_dir():
        raise AnodiceError(f"expected out to be a file, but {out} is a folder.")
    return out.absolute()


def _photos(run: Path, root: str | None, settings: Settings) -> tuple[str, NDArray[np.uint8]]:
    """The photos (N, S, S, C) that the run was validated on, or drawn pictures where they are gone, and which."""
    try:
        photos = load_photos(run, root).photos
    except (AnodiceError, OSError) as error:
        if root is not None:
            raise
        log.warning(
            "the photos of the run are not there, so drawn pictures are compared; data.root=DIR says where its photos "
            "are now (%s)",
            error,
        )
        return "drawn pictures", _pictures(settings)
    return "validation", photos.pixels[photos.rows[list(photos.split.validation)]]


def _pictures(settings: Settings) -> NDArray[np.uint8]:
    """Blocks of noise, from coarse to fine, of more and more contrast, and flat pictures."""
    generator, frame = np.random.default_rng(0), settings.frame
    pictures = []
    for k in range(_DRAWN):
        blocks = 2 ** (k % 6)
        coarse = generator.random((blocks, blocks, settings.in_channels))
        rows, columns = (np.arange(side) * blocks // side for side in (frame.height, frame.width))
        pictures.append(128 + 255 * (k / _DRAWN) * (coarse[rows][:, columns] - 0.5))
    return np.stack(pictures).astype(np.uint8)


def _parts(out: Path) -> list[Path]:
    """The files of a model."""
    return [out, out.with_suffix(".bin")] if out.suffix == SUFFIXES["openvino"] else [out]


def _move(file: Path, out: Path) -> None:
    for part, place in zip(_parts(file), _parts(out), strict=True):
        shutil.move(part, place)
