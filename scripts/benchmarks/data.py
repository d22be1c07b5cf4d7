"""The way of the photos into the training: from files to batches, with augmentation and painted defects."""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from anodice.app.process import cores, keep_freed_memory
from anodice.app.run_folder import register_resolvers
from anodice.augmentation.appearance import Augmentation
from anodice.augmentation.defect_painter import DefectAugmentation, DefectPainter
from anodice.data.datamodule import DiceDataModule
from anodice.data.image_format import ImageFormat
from anodice.data.layouts import dice11
from anodice.data.photos import Photos, read_photos
from anodice.data.records import Record, Walk, session_of
from anodice.data.splitting.audit import audit
from anodice.data.splitting.split import make_split
from anodice.data.splitting.strategies import Published
from anodice.dice.defects import paint
from anodice.dice.renderer import CLASSES, render
from anodice.errors import AnodiceError
from benchmarks.rows import NotHereError, Row, row

_SIZE, _BATCH = 128, 64
_CONF = Path(__file__).parents[2] / "conf"
_PIECE = 32
_ALLOWED_MEGABYTES = 200


@row("data_path", reach=20)
def data_path() -> Row:
    """An image of an epoch, augmented (`strong`) and painted: decoding its file in 2 workers, against the data path."""
    keep_freed_memory()  # as train.py does
    photos = _data(_folder(256), augmentation=_strong_and_painted())
    pixels = photos.photos.pixels[photos.photos.rows]
    paths = [photos.photos.walked.root / record.path for record in photos.photos.records]
    if not np.array_equal(pixels[..., 0], [np.asarray(Image.open(path)) for path in paths]):
        raise AnodiceError("the cache holds other pixels than the files; that is a bug, please report it.")
    fit = [paths[i] for i in photos.photos.split.fit]
    workers = {"num_workers": 2, "persistent_workers": True}
    loader = DataLoader(_Files(fit), batch_size=_BATCH, shuffle=True, drop_last=True, **workers)
    epochs = 10  # of ours, for as long a time
    return Row(
        usual=lambda: _drain(loader),
        usual_items=len(loader) * _BATCH,
        ours=lambda: [_augmented(photos, len(loader)) for _ in range(epochs)],
        our_items=epochs * len(loader) * _BATCH,
    )


class _Files(Dataset):
    """Images and masks as a usual data set gives them: each from its file, changed and painted for itself."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.changes = v2.Compose(
            [
                v2.PILToTensor(),
                v2.ToDtype(torch.float32, scale=True),
                v2.RandomAffine(
                    degrees=4, translate=(3 / _SIZE, 3 / _SIZE), interpolation=v2.InterpolationMode.BILINEAR
                ),
                v2.Lambda(lambda image: v2.functional.adjust_gamma(image, float(torch.empty(()).uniform_(0.8, 1.2)))),
                v2.GaussianBlur(5, sigma=(0.1, 1.0)),
                v2.ColorJitter(brightness=0.1, contrast=0.2),
                v2.GaussianNoise(sigma=0.02),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.changes(Image.open(self.paths[index]).convert("L")), torch.zeros(1, _SIZE, _SIZE).bool()
        if torch.rand(()) < 0.5:
            photo = (image[0] * 255).to(torch.uint8).numpy()
            painted = paint(photo, np.random.default_rng(int(torch.randint(2**31, ()))))
            image, mask = torch.from_numpy(painted.image)[None] / 255, torch.from_numpy(painted.mask)[None]
        return image, mask


@row("painting", reach=0.1, at_most=True)
def painting() -> Row:
    """A training step of the smallest detector that paints (64 images), against the painting that is part of it."""
    keep_freed_memory()  # as train.py does
    detector = instantiate(_config("model=defect_unet").model).train()
    images = torch.from_numpy(_dice(_BATCH))[:, None] / 255
    optimizer = torch.optim.AdamW(detector.parameters())
    bfloat16 = bool(getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16"))

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            loss = detector.loss_terms({"image": images})["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return Row(usual=step, ours=lambda: detector.painter(images))


@row("painted_image")
def painted_image() -> Row:
    """A painted image: with scikit-image and SciPy one by one, against the painter of batches."""
    photos = _dice(_BATCH)
    images, painter = torch.from_numpy(photos)[:, None] / 255, _painter(share=1.0)
    generator = np.random.default_rng(0)
    return Row(
        usual=lambda: [paint(photo, generator) for photo in photos[:16]],
        usual_items=16,
        ours=lambda: painter(images),
        our_items=len(images),
    )


@row("first_start", reach=1.5, at_most=True, unit="ms")
def first_start() -> Row:
    """A photo of a new folder: reading the bytes and decoding alone, against the whole start (cache, audit, split)."""
    keep_freed_memory()  # as train.py does
    root, count = _folder(2000), 2000
    paths = sorted(root.rglob("*.png"))
    pieces = [paths[k : k + _PIECE] for k in range(0, count, _PIECE)]
    cache_dir = root.parent / "new"

    def alone() -> None:
        with ThreadPoolExecutor(cores()) as pool:  # as many as the start has
            read = list(pool.map(lambda piece: [path.read_bytes() for path in piece], pieces))
            list(pool.map(lambda piece: [np.asarray(Image.open(io.BytesIO(data))) for data in piece], read))

    def start() -> float:
        shutil.rmtree(cache_dir, ignore_errors=True)
        return _milliseconds(lambda: _read(root, cache_dir))

    return Row(usual=lambda: _milliseconds(alone), usual_items=count, ours=start, our_items=count)


@row("second_start", reach=1, at_most=True, unit="s")
def second_start() -> Row:
    """One second, against the time from nothing to the first augmented batch of a folder of 7,000 known photos."""
    root = _folder(7000)
    _read(root, root.parent / "cache")

    def start() -> None:
        _augmented(_data(root, augmentation=instantiate(_config().augmentation)), 1)

    return Row(usual=lambda: 1.0, ours=lambda: _milliseconds(start) / 1000)


@row("many_photos", reach=1.1, at_most=True)
def many_photos() -> Row:
    """An image of an epoch over 2,000 photos, against one over 200,000."""
    few, many = (_many(count, _temporary(f"many{count}")) for count in (2_000, 200_000))
    steps = 27  # as many as an epoch over the few has
    return Row(
        usual=lambda: _augmented(few, steps),
        usual_items=steps * _BATCH,
        ours=lambda: _augmented(many, steps),
        our_items=steps * _BATCH,
    )


@row("memory_of_photos", reach=1, at_most=True, unit="MB")
def memory_of_photos() -> Row:
    """The memory of a process that makes batches of 2,000 photos and 200 MB, against that of one with 200,000."""
    if not Path("/proc/self/status").exists():
        raise NotHereError("the system does not tell how much memory of a process is its own (/proc/self/status).")
    # Each takes seconds and hardly varies, so it is measured once.
    few, many = (_in_a_process(count) for count in (2_000, 200_000))
    return Row(usual=lambda: few + _ALLOWED_MEGABYTES, ours=lambda: many)


def _in_a_process(count: int) -> float:
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_most_memory, count, Path(folder)).result()


def _most_memory(count: int, folder: Path) -> float:
    """The most anonymous memory, in megabytes, after any batch; pages of the mapped cache belong to the system."""
    data = _many(count, folder)
    return max(_anonymous() for _ in _batches(data, 60))


def _anonymous() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def _many(count: int, folder: Path) -> DiceDataModule:
    """Photos of drawn records, with pixels from a sparse file."""
    records = []
    for i in range(count):
        class_name, split = CLASSES[i % len(CLASSES)], "test" if i % 20 == 0 else "train"
        name = f"{i // 500 % 28 + 1:02d}_09_21_{class_name}_{i:06d}.png"
        told = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        path = f"{split}_set/{class_name}/{name}"
        records.append(Record(path, split, class_name, False, None, None, session_of(name), told))
    decoded = tuple(record.with_content(f"{i:032x}") for i, record in enumerate(records))
    shape = (count, _SIZE, _SIZE, 1)
    np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    zlib.crc32(pixels)  # as a start does, which brings the file into the system's memory
    data = _module(folder, folder / "cache", augmentation=instantiate(_config().augmentation))
    data.photos = Photos(
        walked=Walk(folder, dice11(folder), tuple(records), (), (), ()),
        records=decoded,
        skipped=(),
        pixels=pixels,
        rows=np.arange(count),
        audit=audit(decoded),
        split=make_split(decoded, validation_fraction=0.1, test_fraction=0.2, seed=0),
        cache_dir=folder / "cache",
    )
    return data


def _milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)


def _drain(loader: DataLoader) -> None:
    for _ in loader:
        pass


def _augmented(data: DiceDataModule, count: int) -> None:
    for _ in _batches(data, count):
        pass


def _batches(data: DiceDataModule, count: int) -> Iterator[dict[str, Tensor]]:
    """So many training batches, as they come to the network."""
    for batch in itertools.islice(data.train_dataloader(), count):
        yield data.augmentation.augment(batch["image"])


def _data(root: Path, *, augmentation: torch.nn.Module) -> DiceDataModule:
    return _module(root, root.parent / "cache", augmentation=augmentation)


def _module(root: Path, cache_dir: Path, *, augmentation: torch.nn.Module) -> DiceDataModule:
    settings = {"image_size": _SIZE, "batch_size": _BATCH, "cache_dir": str(cache_dir)}
    return DiceDataModule(str(root), dice11, augmentation=augmentation, **settings)


def _read(root: Path, cache_dir: Path) -> Photos:
    return read_photos(root, dice11, ImageFormat(_SIZE, 1), Published(), cache_dir=cache_dir)


def _strong_and_painted() -> DefectAugmentation:
    before: Augmentation = instantiate(_config("augmentation=strong").augmentation)
    return DefectAugmentation(before=before, painter=_painter(share=0.5))


def _painter(*, share: float) -> DefectPainter:
    return DefectPainter(image_size=_SIZE, stamps=512, share=share, seed=0)


def _config(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(_CONF), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@cache
def _dice(count: int) -> NDArray[np.uint8]:
    """Drawn faces of all classes, (count, 128, 128)."""
    return np.stack([render(CLASSES[k % len(CLASSES)], np.random.default_rng(k)).image for k in range(count)])


@cache
def _folder(count: int) -> Path:
    """So many drawn photos in class folders, no two of the same pixels; as published, JPEG in files named png."""
    logging.getLogger("anodice.data.photos").setLevel(logging.ERROR)  # that there are no anomalies is no surprise
    root = _temporary(f"dice{count}") / "photos"
    drawn, generator = _dice(_BATCH), np.random.default_rng(0)
    for split in ("train_set", "test_set"):
        for class_name in CLASSES:
            (root / split / class_name).mkdir(parents=True)
    for i in range(count):
        noisy = drawn[i % len(drawn)].astype(np.int16) + generator.integers(-5, 6, (_SIZE, _SIZE))
        name = f"{'test_set' if i % 20 == 0 else 'train_set'}/{CLASSES[i % len(CLASSES)]}/16_09_21_{i:05d}.png"
        # 8 kB each, as the published ones.
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(root / name, "JPEG", quality=95)
    return root


@cache
def _folders() -> TemporaryDirectory:
    return TemporaryDirectory(prefix="anodice-benchmark-")


def _temporary(name: str) -> Path:
    """A folder that goes when the process ends."""
    path = Path(_folders().name) / name
    path.mkdir()
    return path
