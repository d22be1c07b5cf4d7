"""Put a detector of anomalib beside a run of ours: the same photos to fit, thresholds, test photos and figures.

    python scripts/beside_anomalib.py run=latest --detector Padim backbone=resnet18 n_features=100
    python scripts/beside_anomalib.py run=latest --same

Leaves a folder with its scores, which `evaluate.py` compares with other runs at any threshold, such as
`python evaluate.py 'run=[latest,anomalib_Padim]' threshold=f1_max`. Words of the form name=value are settings of the
detector. Needs anomalib, which is not installed with this project.

`--same` is for a run of `model=patchcore` or `padim` with `model/backbone=timm`: anomalib's detector of that name gets
its network, weights, layers, share or number of features and photos. Each is fitted and scores the validation and test
photos in a process of its own. The table tells what both take; nothing is left behind.
"""

from __future__ import annotations

import argparse
import inspect
import json
import logging
import os
import resource
import shutil
import statistics
import subprocess
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
from omegaconf import DictConfig, OmegaConf, open_dict
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import Compose, Normalize, Resize

from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.app.process import keep_freed_memory, use_threads
from anodice.data.datamodule import DiceDataModule
from anodice.data.photos import Photos, groups, near_leaks
from anodice.data.splitting.split import with_fewer_to_fit
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.inference import score_photos
from anodice.evaluation.run_metrics import MEASURED, run_metrics
from anodice.evaluation.run_results import METRICS, read_metrics
from anodice.evaluation.score_table import score_table
from anodice.metrics.sweep import sweep
from anodice.models.backbones import INSTALLED, installed_weights
from anodice.reporting.markdown import markdown_table, number, runs_table
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
    if options.same:
        print(f"\n{same(config, run, options)}" if options.side is None else json.dumps(_side(config, options)))
        return
    settings = OmegaConf.to_container(OmegaConf.from_dotlist(options.settings))
    detector = make(options.detector, settings, options.weights, config.data.image_size)
    data: DiceDataModule = instantiate(config.data)
    photos, split = data.photos, data.photos.split
    fit = _to_fit(photos, options.per_class, config.seed)
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


def same(config: DictConfig, run: Path, options: argparse.Namespace) -> str:
    """The table of our detector and anomalib's with the same parts, each measured in processes of its own."""
    kind, settings, _ = _counterpart(config)
    measured: dict[str, list[dict[str, float]]] = {"ours": [], "anomalib": []}
    for _ in range(options.rounds):
        for side, found in measured.items():
            told = [f"run={run}", f"--log-dir={options.log_dir}", "--same", f"--side={side}"]
            told += [f"--{name}={value}" for name in ("root", "per-class") if (value := _option(options, name))]
            # Without this setting of the C library anomalib's memory grows with each choice of its coreset.
            environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "4000000"} if side == "anomalib" else None
            command = [sys.executable, __file__, *told]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
            if done.returncode != 0:
                raise AnodiceError(f"expected figures of {side}, got exit status {done.returncode}; see above.")
            found.append(json.loads(done.stdout.splitlines()[-1]))
    rows = [["", "ours", f"anomalib's {kind}", "ratio"]]
    for name, (what, digits) in SAME.items():
        ours, theirs = (statistics.median(each[name] for each in measured[side]) for side in measured)
        ratio = f"{theirs - ours:+.4f}" if name == "auroc" else f"{theirs / ours:.1f}"
        rows.append([what, number(ours, digits), number(theirs, digits), ratio])
    counts = measured["ours"][0]
    told = f"{counts['fitted']} photos to fit, {counts['scored']} to score; {settings}"
    return f"{told}\n\n{markdown_table(rows)}"


SAME = {
    "auroc": ("AUROC of the clean test (the difference)", 4),
    "fit_seconds": ("fitting, s", 1),
    "score_milliseconds": ("scoring, ms a photo, with reading it", 1),
    "batch_milliseconds": ("scoring, ms a photo, of 32 in memory", 1),
    "peak_memory_megabytes": ("highest memory, MB", 0),
}
"""What `--same` tells, with its decimals."""


def _side(config: DictConfig, options: argparse.Namespace) -> dict[str, float]:
    """What one of both sides takes in this process."""
    kind, settings, weights = _counterpart(config)
    data: DiceDataModule = instantiate(config.data)
    photos, split = data.photos, data.photos.split
    fit = _to_fit(photos, options.per_class, config.seed)
    before = _peak_megabytes()
    if options.side == "ours":
        keep_freed_memory()
        with open_dict(config):
            config.model.memory.score.border_radius = None  # anomalib's detectors look at the whole photo
            if "photos" in config.model.memory:
                config.model.memory.photos = len(fit)
        detector = instantiate(config.model).eval()
        start = time.perf_counter()
        detector.fit(data.evaluation_batches(fit), [])
        fitted = time.perf_counter()
        found = score_photos(detector, data)
        seconds = time.perf_counter() - fitted
        scores, figures = found.scores, {"fit_seconds": fitted - start}
        figures["score_milliseconds"] = 1000 * seconds / len(scores)
    else:
        shape = (config.data.image_size, config.data.image_size)
        normalise = Normalize(*_normalisation(settings["backbone"]))
        detector = make(kind, settings, weights, config.data.image_size, transform=[Resize(shape), normalise])
        scores, figures = fit_and_score(detector, photos, fit, epochs=None)
        scores = scores[[*split.validation, *split.test]]
        detector = detector.model.eval()
    peak = _peak_megabytes()
    images = torch.rand(32, config.data.in_channels if options.side == "ours" else 3, *2 * [config.data.image_size])
    times = []
    with torch.inference_mode():
        for _ in range(6):
            start = time.perf_counter()
            detector(images)
            times.append(time.perf_counter() - start)
    clean = score_table(
        photos.records, split, scores, np.full(len(scores), ""), groups=groups(photos), near_leaked=near_leaks(photos)
    ).clean
    return {
        **figures,
        "auroc": sweep(clean.score, clean.label).auroc,
        "batch_milliseconds": 1000 * min(times) / len(images),
        "peak_memory_megabytes": peak,
        "before_megabytes": before,
        "fitted": len(fit),
        "scored": len(scores),
    }


def _counterpart(config: DictConfig) -> tuple[str, dict[str, Any], Path | None]:
    """anomalib's name of a run's detector, its settings there, and the file of its weights."""
    memory, backbone = config.model.get("memory", {}), config.model.get("backbone", {})
    kind = {"PatchMemory": "Patchcore", "PatchGaussians": "Padim"}.get(str(memory.get("_target_")).rpartition(".")[2])
    if kind is None or backbone.get("library") != "timm":
        raise AnodiceError(
            "expected a run of model=patchcore or model=padim with model/backbone=timm for --same, got another; train "
            "one, such as python train.py model=padim model/backbone=timm."
        )
    settings = {"backbone": backbone.name, "layers": list(backbone.layers)}
    if kind == "Patchcore":
        settings |= {"coreset_sampling_ratio": memory.coreset, "num_neighbors": memory.neighbours}
    else:
        settings |= {"n_features": memory.features}
    weights = installed_weights(backbone.name) if backbone.weights == INSTALLED else backbone.weights
    return kind, settings, None if weights is None else Path(weights)


def _normalisation(backbone: str) -> tuple[list[float], list[float]]:
    """Mean and deviation of the colours that the backbone's weights expect."""
    import timm  # came with anomalib

    told = timm.get_pretrained_cfg(backbone)
    return list(told.mean), list(told.std)


def _to_fit(photos: Photos, per_class: int | None, seed: int) -> Sequence[int]:
    if per_class is None:
        return photos.split.fit
    return with_fewer_to_fit(photos.split, photos.records, per_class=per_class, seed=seed).fit


def _peak_megabytes() -> float:
    """The highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _option(options: argparse.Namespace, name: str) -> Any:
    return getattr(options, name.replace("-", "_"))


def make(
    name: str,
    settings: dict[str, Any],
    weights: Path | None,
    image_size: int,
    *,
    transform: Sequence[torch.nn.Module] | None = None,
) -> AnomalibModule:
    """The detector of that name, without what it would download, at our size of images and with raw scores.

    Args:
        weights: a state dict of its timm backbone, entries in the order of timm's; None for random ones.
        transform: what is done to its photos first; None for anomalib's choice.
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
    pre_processor = kind.configure_pre_processor(image_size=(image_size, image_size))
    if transform is not None:
        pre_processor = type(pre_processor)(transform=Compose(transform))
    try:
        detector = kind(
            **settings,
            pre_processor=pre_processor,
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
    parser.add_argument("--same", action="store_true", help="compare this run's detector with anomalib's of that name")
    parser.add_argument("--rounds", type=int, default=1, help="of --same, whose medians are told (%(default)s)")
    parser.add_argument("--side", choices=("ours", "anomalib"), help=argparse.SUPPRESS)
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
