"""The LightningDataModule over a folder of photos: it turns them into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from anodice.data.cache import Orientation
from anodice.data.photos import Photos, read_photos
from anodice.data.records import Layout
from anodice.data.splitting.strategies import Published, Splitting
from anodice.data.transforms import EvaluationTransform
from anodice.errors import AnodiceError

Batch = dict[str, Tensor]
"""`image` (B, C, H, W) float32 in [0, 1], `label` (B,) bool, `class` (B,) int64 into the classes of the data, -1 for
anomalies and classes without training photos, `face` (B,) int64, -1 if unknown, `index` (B,) int64."""


class DiceDataModule(pl.LightningDataModule):
    """Batches of photos of dice, or of anything else, from a folder.

    Args:
        root: the folder.
        layout: from the folder to what is in it; see `anodice.data.layouts`.
        orientation: turns the grey photos of a layout that are not upright, once, before they are kept; None for none.
        image_size: height and width that each image is resized to, in pixels.
        in_channels: 1 (grey) or 3 (RGB).
        batch_size: images per batch, in training and in evaluation.
        steps_per_epoch: training batches per epoch, whatever the number of images; None for one pass over them.
        validation_fraction: share of the distinct normal training photos of each class that is held out.
        test_fraction: share of those without a published split that is tested.
        border_radius: share of half the image within which the object lies, for scores that leave out what surrounds
            it; None for the whole image.
        seed: seeds the split and the order of the training batches.
        fit_per_class: at most so many normal photos of each class to learn from; None for all.
        cache_dir: where the decoded images are kept.
        augmentation: applied to training batches only; None for none.
        split: divides the photos into fit, validation and test; see `anodice.data.splitting.strategies`. None for `Published`.

    Raises:
        AnodiceError: a layout or split that is no function, a value out of range, or an orientation for colour photos.
    """

    def __init__(
        self,
        *,
        root: str,
        layout: Callable[[Path], Layout],
        orientation: Orientation | None,
        image_size: int,
        in_channels: int,
        batch_size: int,
        steps_per_epoch: int | None,
        validation_fraction: float,
        test_fraction: float,
        border_radius: float | None,
        seed: int,
        cache_dir: str,
        augmentation: nn.Module | None,
        fit_per_class: int | None = None,
        split: Splitting | None = None,  # configs of runs from before there was a choice have none
    ) -> None:
        super().__init__()
        if not callable(layout):
            raise AnodiceError(
                f"expected data.layout to be a function of anodice.data.layouts, got {layout!r}; choose it with data=, "
                f"such as data=dice11."
            )
        if split is not None and not callable(split):
            raise AnodiceError(
                f"expected data.split to be a splitting of anodice.data.splitting.strategies, got {split!r}; choose it with split=, "
                f"such as split=clean."
            )
        if in_channels not in (1, 3):
            raise AnodiceError(f"expected data.in_channels 1 (grey) or 3 (RGB), got {in_channels}.")
        if orientation is not None and in_channels != 1:
            raise AnodiceError(
                f"expected data.in_channels=1 with an orientation, which turns grey photos, got {in_channels}; set "
                f"data.orientation=null to keep the colour of photos as they lie."
            )
        if border_radius is not None and not border_radius > 0:
            raise AnodiceError(
                f"expected data.border_radius above 0 (1 reaches the middle of each edge), got {border_radius!r}; null "
                f"is for the whole image."
            )
        sizes = {"image_size": image_size, "batch_size": batch_size}
        sizes |= {"steps_per_epoch": steps_per_epoch, "fit_per_class": fit_per_class}
        for name, value in sizes.items():
            if value is None and name in ("steps_per_epoch", "fit_per_class"):
                continue
            if not isinstance(value, int) or value < 1:
                raise AnodiceError(f"expected data.{name} to be a whole number of at least 1, got {value!r}.")
        self.root, self.layout, self.orientation = root, layout, orientation
        self.image_size, self.in_channels = image_size, in_channels
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        self.validation_fraction, self.test_fraction = validation_fraction, test_fraction
        self.border_radius, self.seed, self.fit_per_class = border_radius, seed, fit_per_class
        self.cache_dir = Path(cache_dir)
        self.splitting = Published() if split is None else split
        self.transform, self.augmentation = EvaluationTransform(), augmentation
        self._photos: Photos | None = None

    @property
    def photos(self) -> Photos:
        """The photos, read at the first use."""
        if self._photos is None:
            self._photos = read_photos(
                self.root,
                self.layout,
                cache_dir=self.cache_dir,
                image_size=self.image_size,
                in_channels=self.in_channels,
                orientation=self.orientation,
                splitting=self.splitting,
                validation_fraction=self.validation_fraction,
                test_fraction=self.test_fraction,
                seed=self.seed,
                fit_per_class=self.fit_per_class,
            )
        return self._photos

    @property
    def classes(self) -> tuple[str, ...]:
        """The normal classes that there are photos to learn from, in order; no photo is read for them."""
        return self.layout(Path(self.root).expanduser()).classes

    @cached_property
    def _targets(self) -> dict[str, NDArray]:
        """The `label`, `class` and `face` of every record, as in `Batch`; made once for all loaders."""
        number = {name: k for k, name in enumerate(self.photos.classes)}
        records = self.photos.records
        return {
            "label": np.array([r.anomalous for r in records], dtype=bool),
            "class": np.array([-1 if r.anomalous else number.get(r.class_name, -1) for r in records], dtype=np.int64),
            "face": np.array([-1 if r.face is None else r.face for r in records], dtype=np.int64),
        }

    def setup(self, stage: str) -> None:
        del stage  # one reading serves every stage
        _ = self.photos
        if self.augmentation is not None and self.trainer is not None:
            self.augmentation.to(self.trainer.strategy.root_device)  # Lightning moves the batches, but not this

    def train_dataloader(self) -> DataLoader:
        order = _EpochOrder(len(self.photos.split.fit), self.batch_size, steps=self.steps_per_epoch, seed=self.seed)
        return self._loader(self.photos.split.fit, order)

    def fit_loader(self) -> DataLoader:
        """Every fit photo once, in order, like `evaluation_loader`: for what is fitted in one pass."""
        return self.evaluation_loader(self.photos.split.fit)

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
        dataset = _PhotoDataset(self.photos, self._targets, indices)
        # The sampler yields whole batches, which the dataset gathers in one indexing: no collation, no workers needed.
        return DataLoader(dataset, sampler=batches, batch_size=None)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        del dataloader_idx
        images = self.transform(batch["image"])
        if self.augmentation is not None and self.trainer is not None and self.trainer.training:
            return {**batch, **self.augmentation.augment(images)}
        return {**batch, "image": images}


class _PhotoDataset(Dataset):
    """Batches of raw photos by position: `image` is (B, H, W, C) uint8 here, transformed on the device later."""

    def __init__(self, photos: Photos, targets: dict[str, NDArray], indices: tuple[int, ...] | list[int]) -> None:
        self.pixels = photos.pixels
        self.indices = np.asarray(indices, dtype=np.int64)
        self.rows = photos.rows[self.indices]
        self.targets = {name: values[self.indices] for name, values in targets.items()}

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, positions: list[int]) -> Batch:
        return {
            "image": torch.from_numpy(self.pixels[self.rows[positions]]),
            **{name: torch.from_numpy(values[positions]) for name, values in self.targets.items()},
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
