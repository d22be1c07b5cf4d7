"""Put a detector of anomalib beside a run of ours: the same photos to fit, thresholds, test photos and figures.

    python scripts/beside_anomalib.py run=latest --detector Padim backbone=resnet18 n_features=100

Leaves a folder with its scores, which `evaluate.py` compares with other runs at any threshold, such as
`python evaluate.py 'run=[latest,anomalib_Padim]' threshold=f1_max`. Words of the form name=value are settings of the
detector. Needs anomalib, which is not installed with this project.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from torch.utils.data import DataLoader

from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.app.process import use_threads
from anodice.data.datamodule import DiceDataModule
from anodice.data.photos import Photos, groups, near_leaks
from anodice.data.splitting.split import with_fewer_to_fit
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.run_metrics import MEASURED, run_metrics
from anodice.evaluation.run_results import METRICS, read_metrics
from anodice.evaluation.score_table import score_table
from anodice.reporting.markdown import runs_table
from anodice.reporting.run_files import write_results
from anodice.thresholds.fitted import fit_thresholds

if TYPE_CHECKING:
    from anomalib.models import AnomalibModule


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_intermixed_args(as_options(parser, sys.argv[1:] if arguments is None else arguments))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_folder.register_resolvers()
    run = run_folder.find_run(options.run.removeprefix("run="), options.log_dir, need=METRICS)
    config, measured = run_folder.read_config(run), read_metrics(run)
    if options.root is not None:
        config.data.root = options.root
    use_threads("auto")
    pl.seed_everything(config.seed, verbose=False)
    settings = OmegaConf.to_container(OmegaConf.from_dotlist(options.settings))
    detector = make(options.detector, settings, options.weights, config.data.image_size)
    data: DiceDataModule = instantiate(config.data)
    photos, split = data.photos, data.photos.split
    fit = split.fit
    if options.per_class is not None:
        fit = with_fewer_to_fit(split, photos.records, per_class=options.per_class, seed=config.seed).fit
    scores, figures = fit_and_score(detector, photos, fit, epochs=options.epochs)
    scored = scores[[*split.validation, *split.test]]
    table = score_table(
        photos.records, split, scored, np.full(len(scored), ""), groups=groups(photos), near_leaked=near_leaks(photos)
    )
    rule = instantiate(config.threshold)
    fitted = fit_thresholds(rule, table.validation, table.published, split_digest=split.digest)
    config.name.model = f"anomalib's {options.detector}"
    metrics = {
        **{name: measured[name] for name in ("data", "split", "seed")},
        "model": config.name.model,
        "parameters": sum(values.numel() for values in detector.parameters()),
        **dict.fromkeys(MEASURED),
        **figures,
        **run_metrics(table, fitted, seed=config.seed),
    }
    folder = Path(run_folder.claim_folder(str(options.log_dir / "runs" / f"anomalib_{options.detector}")))
    OmegaConf.save(config, folder / run_folder.CONFIG)
    shutil.copy(run / run_folder.SPLIT, folder / run_folder.SPLIT)
    write_results(folder, metrics, table, fitted)
    print(f"\n{runs_table({run.name: measured, folder.name: metrics})}\n\nwritten to {run_folder.readable(folder)}")


def make(name: str, settings: dict[str, Any], weights: Path | None, image_size: int) -> AnomalibModule:
    """The detector of that name, without what it would download, at our size of images and with raw scores.

    Args:
        weights: a state dict of its timm backbone, entries in the order of timm's; None for random ones.
    """
    try:
        import anomalib.models
    except ImportError as missing:
        raise AnodiceError("expected anomalib, which is not installed; pip install anomalib.") from missing
    known = sorted(anomalib.models.image.__all__)
    if name not in known:
        raise unknown("detector of anomalib", name, known)
    kind = getattr(anomalib.models, name)
    if "pre_trained" in inspect.signature(kind).parameters:
        settings = {"pre_trained": False, **settings}
    try:
        detector = kind(
            **settings,
            pre_processor=kind.configure_pre_processor(image_size=(image_size, image_size)),
            **dict.fromkeys(("post_processor", "evaluator", "visualizer"), False),
        )
    except (TypeError, ValueError) as error:
        raise AnodiceError(f"expected settings of anomalib's {name}, got {settings}: {error}.") from error
    if weights is not None:
        _load(detector, settings.get("backbone"), weights)
    return detector


def _load(detector: AnomalibModule, backbone: str | None, weights: Path) -> None:
    """Put the weights into the detector's feature extractor, which holds the first layers of the backbone."""
    extractor = getattr(detector.model, "feature_extractor", None)
    if backbone is None or extractor is None:
        raise AnodiceError("expected a detector with a backbone for --weights; name it, such as backbone=resnet18.")
    import timm  # came with anomalib

    network = timm.create_model(backbone, pretrained=False)
    try:
        values = torch.load(weights, map_location="cpu", weights_only=True).values()
        network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))
    except (OSError, ValueError, RuntimeError) as error:
        raise AnodiceError(f"expected the weights of timm's {backbone} in {weights}, got {error}.") from error
    whole = network.state_dict()
    extractor.load_state_dict({name: whole[name.removeprefix("feature_extractor.")] for name in extractor.state_dict()})


def fit_and_score(
    detector: AnomalibModule, photos: Photos, fit: Sequence[int], *, epochs: int | None
) -> tuple[np.ndarray, dict[str, float]]:
    """Fit the detector to the photos with the indices `fit`, as anomalib's users do, and score all others.

    Returns:
        scores (N,) of all records, NaN of those that are not scored, and the seconds of the fit and the milliseconds an
        image of the scoring; each reads the photos from files.
    """
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine

    scores = np.full(len(photos.records), np.nan)
    with tempfile.TemporaryDirectory() as temporary:
        to_fit, to_score = Path(temporary, "normal"), Path(temporary, "others")
        others = [*photos.split.validation, *photos.split.test]
        _write(photos, fit, to_fit)
        _write(photos, others, to_score)
        length = {} if epochs is None else {"max_epochs": epochs}
        engine = Engine(
            default_root_dir=temporary, logger=False, accelerator="cpu", devices=1, enable_progress_bar=False, **length
        )
        data = Folder("photos", to_fit, num_workers=2, test_split_mode="none", val_split_mode="none")
        data.setup()
        start = time.perf_counter()
        engine.fit(detector, train_dataloaders=data.train_dataloader())
        fitted = time.perf_counter()
        held = PredictDataset(to_score)
        loader = DataLoader(held, batch_size=32, num_workers=2, collate_fn=held.collate_fn)
        for batch in engine.predict(detector, dataloaders=loader):
            scores[[int(Path(path).stem) for path in batch.image_path]] = batch.pred_score.flatten()
        seconds = time.perf_counter() - fitted
    return scores, {"fit_seconds": fitted - start, "score_milliseconds": 1000 * seconds / len(others)}


def _write(photos: Photos, indices: Sequence[int], folder: Path) -> None:
    """Write the photos, as our detectors see them, each under its index."""
    folder.mkdir()
    for i in indices:
        pixels = photos.pixels[photos.rows[i]]
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(folder / f"{i}.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="run=RUN", help="a run folder, its name, or latest, as for evaluate.py")
    parser.add_argument("--detector", default="Patchcore", help="(%(default)s)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of its backbone; default: random ones")
    parser.add_argument("--per-class", type=int, metavar="N", help="fit at most N photos of each class; default: all")
    parser.add_argument("--epochs", type=int, metavar="N", help="default: as many as anomalib's")
    parser.add_argument("--root", help="where the photos are now, if they have moved since the training")
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="settings of the detector")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
