"""The LightningDataModule over a folder of dice photos: it turns them into batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from anodice.data.photos import Photos, read_photos
from anodice.data.records import LAYOUTS
from anodice.data.transforms import EvaluationTransform
from anodice.errors import AnodiceError, unknown

Batch = dict[str, Tensor]
"""`image` (B, C, H, W) float32 in [0, 1], `label` (B,) bool, `face` (B,) int64, -1 if unknown, `index` (B,) int64."""


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
            self._photos = read_photos(
                self.root,
                LAYOUTS[self.layout],
                cache_dir=self.cache_dir,
                image_size=self.image_size,
                in_channels=self.in_channels,
                validation_fraction=self.validation_fraction,
                seed=self.seed,
            )
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
