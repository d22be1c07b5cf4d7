"""The LightningDataModule over a folder of dice photos: walk, cache, audit, split, batches."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from anodice.data.audit import Audit, audit
from anodice.data.cache import CachedImages, cached_images
from anodice.data.records import ANOMALIES, LAYOUTS, Record, Walk, walk
from anodice.data.split import Split, make_split
from anodice.data.transforms import EvaluationTransform
from anodice.errors import AnodiceError, unknown

log = logging.getLogger(__name__)

Batch = dict[str, Tensor]
"""`image` (B, C, H, W) float32 in [0, 1], `label` (B,) bool, `face` (B,) int64, -1 if unknown, `index` (B,) int64."""


@dataclass(frozen=True)
class Photos:
    """The decoded photos of a folder, their audit and their split; `records` has the undecodable ones removed."""

    walked: Walk
    records: tuple[Record, ...]
    skipped: tuple[tuple[str, str], ...]
    rows: np.ndarray
    pixels: np.ndarray
    audit: Audit
    split: Split


class DiceDataModule(pl.LightningDataModule):
    """Batches of dice photos from a folder in one of the known layouts.

    Args:
        root: the folder.
        layout: name of the layout, one of `anodice.data.records.LAYOUTS`.
        image_size: height and width that each image is resized to, in pixels.
        in_channels: 1 (grey) or 3 (RGB).
        batch_size: images per batch, in training and in evaluation.
        steps_per_epoch: training batches per epoch, whatever the number of images; None for one pass over them.
        validation_fraction: share of the distinct normal training photos of each class that is held out.
        seed: seeds the split and the order of the training batches.
        cache_dir: where the decoded images are kept.
        augmentation: applied to training batches only; None for none.

    Raises:
        AnodiceError: an unknown layout, or a value out of range.
    """

    def __init__(
        self,
        *,
        root: str,
        layout: str,
        image_size: int,
        in_channels: int,
        batch_size: int,
        steps_per_epoch: int | None,
        validation_fraction: float,
        seed: int,
        cache_dir: str,
        augmentation: nn.Module | None,
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise unknown("layout", layout, LAYOUTS)
        if in_channels not in (1, 3):
            raise AnodiceError(f"expected data.in_channels 1 (grey) or 3 (RGB), got {in_channels}.")
        sizes = {"image_size": image_size, "batch_size": batch_size, "steps_per_epoch": steps_per_epoch}
        for name, value in sizes.items():
            if value is None and name == "steps_per_epoch":
                continue
            if not isinstance(value, int) or value < 1:
                raise AnodiceError(f"expected data.{name} to be a whole number of at least 1, got {value!r}.")
        self.root, self.layout = root, layout
        self.image_size, self.in_channels = image_size, in_channels
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        self.validation_fraction, self.seed = validation_fraction, seed
        self.cache_dir = Path(cache_dir)
        self.transform, self.augmentation = EvaluationTransform(), augmentation
        self._photos: Photos | None = None

    @property
    def photos(self) -> Photos:
        """The photos, read at the first use."""
        if self._photos is None:
            self._photos = self._read()
        return self._photos

    def setup(self, stage: str) -> None:
        del stage  # one reading serves every stage
        _ = self.photos

    def train_dataloader(self) -> DataLoader:
        order = _EpochOrder(len(self.photos.split.fit), self.batch_size, steps=self.steps_per_epoch, seed=self.seed)
        return self._loader(self.photos.split.fit, order)

    def val_dataloader(self) -> DataLoader:
        return self.evaluation_loader(self.photos.split.validation)

    def calibration_dataloader(self) -> DataLoader:
        """The held-out normals."""
        records = self.photos.records
        return self.evaluation_loader([i for i in self.photos.split.validation if not records[i].anomalous])

    def evaluation_loader(self, indices: tuple[int, ...] | list[int]) -> DataLoader:
        """Batches of the records with these indices, in this order."""
        chunks = [
            list(range(k, min(k + self.batch_size, len(indices)))) for k in range(0, len(indices), self.batch_size)
        ]
        return self._loader(indices, chunks)

    def _loader(self, indices: tuple[int, ...] | list[int], batches: Sampler | list[list[int]]) -> DataLoader:
        dataset = _PhotoDataset(self.photos, indices)
        # The sampler yields whole batches, which the dataset gathers in one indexing: no collation, no workers needed.
        return DataLoader(dataset, sampler=batches, batch_size=None)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        del dataloader_idx
        images = self.transform(batch["image"])
        if self.augmentation is not None and self.trainer is not None and self.trainer.training:
            images = self.augmentation(images)
        return {**batch, "image": images}

    def _read(self) -> Photos:
        walked = walk(self.root, LAYOUTS[self.layout])
        cached = cached_images(
            walked.root,
            walked.records,
            cache_dir=self.cache_dir,
            image_size=self.image_size,
            in_channels=self.in_channels,
        )
        rows = np.array([i for i in range(len(walked.records)) if i not in cached.undecodable])
        records = tuple(walked.records[i].with_content(cached.contents[i]) for i in rows)
        skipped = walked.skipped + tuple((walked.records[i].path, why) for i, why in cached.undecodable.items())
        split = make_split(records, validation_fraction=self.validation_fraction, seed=self.seed)
        for line in _remarks(walked, cached, self.image_size, self.in_channels):
            log.warning(line)
        return Photos(walked, records, skipped, rows, cached.pixels, audit(records), split)


class _PhotoDataset(Dataset):
    """Batches of raw photos by position: `image` is (B, H, W, C) uint8 here, transformed on the device later."""

    def __init__(self, photos: Photos, indices: tuple[int, ...] | list[int]) -> None:
        self.pixels = photos.pixels
        self.indices = np.asarray(indices, dtype=np.int64)
        self.rows = photos.rows[self.indices]
        records = [photos.records[i] for i in self.indices]
        self.labels = np.array([r.anomalous for r in records], dtype=bool)
        self.faces = np.array([-1 if r.face is None else r.face for r in records], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, positions: list[int]) -> Batch:
        return {
            "image": torch.from_numpy(self.pixels[self.rows[positions]]),
            "label": torch.from_numpy(self.labels[positions]),
            "face": torch.from_numpy(self.faces[positions]),
            "index": torch.from_numpy(self.indices[positions]),
        }


class _EpochOrder(Sampler):
    """Batches from an endless stream of shuffled passes over the images, `steps` of them an epoch.

    The stream depends on the seed alone, so a resumed run goes on with the very batches that it had not seen. The
    incomplete batch at the end of a pass is left out: batch norm is unsteady on a few images.
    """

    def __init__(self, count: int, batch_size: int, *, steps: int | None, seed: int) -> None:
        self.count, self.batch_size, self.seed = count, min(batch_size, count), seed
        self.steps = count // self.batch_size if steps is None else steps
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        per_pass = self.count // self.batch_size
        order, drawn = np.empty(0, dtype=np.int64), -1
        for step in range(self.epoch * self.steps, (self.epoch + 1) * self.steps):
            number, batch = divmod(step, per_pass)
            if number != drawn:
                order, drawn = np.random.default_rng([self.seed, number]).permutation(self.count), number
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size].tolist()


def describe(photos: Photos) -> str:
    """What was found, for the start of a run: a table split x class x count, the skipped files, the audit."""
    classes = photos.walked.layout.classes
    rows = [["", *classes, "total"]]
    for name in ("fit", "validation", "test"):
        counts = Counter(photos.records[i].class_name for i in getattr(photos.split, name))
        rows.append([name, *(str(counts[c]) for c in classes), str(sum(counts.values()))])
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


def _remarks(walked: Walk, cached: CachedImages, image_size: int, in_channels: int) -> Iterator[str]:
    """Sentences on what a person may not expect of their photos."""
    for folder in walked.empty:
        yield f"{folder} holds no photo: {_consequence(walked, folder)}."
    decoded = [i for i in range(len(walked.records)) if i not in cached.undecodable]
    common = Counter(cached.sizes[i] for i in decoded).most_common(1)[0][0]
    odd = [i for i in decoded if cached.sizes[i] != common]
    if odd:
        width, height = cached.sizes[odd[0]]
        yield (
            f"{_photos(len(odd))} not {common[0]}x{common[1]} as most are, such as "
            f"{walked.records[odd[0]].path} ({width}x{height}); every photo is resized to {image_size}x{image_size}."
        )
    coloured = [i for i in decoded if cached.colour[i]]
    if coloured and in_channels == 1:
        yield (
            f"{_photos(len(coloured))} in colour, such as {walked.records[coloured[0]].path}; turned to "
            f"grey (data.in_channels=3 keeps the colour)."
        )


def _consequence(walked: Walk, folder: str) -> str:
    split, class_name = folder.split("/")
    if split == walked.layout.splits["test"]:
        return "the figures say nothing of that class"
    if class_name == ANOMALIES:
        return "only thresholds from normal photos alone can be fitted"
    return "the detector does not get to know that class, and its photos will look anomalous"


def _photos(count: int) -> str:
    return "1 photo is" if count == 1 else f"{count} photos are"
