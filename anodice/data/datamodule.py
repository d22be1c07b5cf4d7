"""The LightningDataModule over a folder of photos: it turns them into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.trainer.states import TrainerStatus
from torch import nn
from torch.utils.data import DataLoader, Sampler

from anodice.app.recipe import make, recipe
from anodice.data.frame import Fit, check_tile
from anodice.data.image_format import ImageFormat, Orientation
from anodice.data.photo_dataset import Batch, PhotoDataset, tiles_of
from anodice.data.photos import Photos, read_photos
from anodice.data.records import Layout
from anodice.data.splitting.strategies import Published, Splitting
from anodice.data.transforms import EvaluationTransform
from anodice.errors import AnodiceError
from anodice.functional.tiles import one_tile_each


class Batches:
    """The batches of a loader, transformed for evaluation, on a device; can be gone through more than once."""

    def __init__(self, loader: DataLoader, transform: nn.Module, device: torch.device | str) -> None:
        self.loader, self.transform, self.device = loader, transform, device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            moved = {name: value.to(self.device) for name, value in batch.items()}
            yield {**moved, "image": self.transform(moved["image"])}


class TileBatches(Batches):
    """As `Batches`, of the tiles of large photos, `size` pixels along each side, each with all that its photo has."""

    def __init__(self, loader: DataLoader, transform: nn.Module, device: torch.device | str, size: int) -> None:
        super().__init__(loader, transform, device)
        self.size = size

    def __iter__(self) -> Iterator[Batch]:
        for batch in super().__iter__():
            yield tiles_of(batch, self.size)


class DiceDataModule(pl.LightningDataModule):
    """Batches of photos of dice, or of anything else, from a folder.

    Args:
        root: the folder.
        layout: from the folder to what is in it; see `anodice.data.layouts`.
        split: divides the photos into fit, validation and test; see `anodice.data.splitting.strategies`. None for
            `Published()`.
        image_size: height and width that each image is resized to, in pixels.
        in_channels: 1 (grey) or 3 (RGB).
        shape_to_square: what becomes of photos that are not square: `squash` stretches them, `pad` adds borders in the
            colour of their own edges, `crop` cuts off what stands over.
        tile: rows and columns of tiles, `image_size` pixels along each side, that each photo is cut into: for small
            defects in large photos; None for one. Detectors learn and score tiles, and put their maps together.
        orientation: turns the photos of a layout that are not upright, once, before they are kept, or with `LongAxis`
            those of any layout; None for none.
        border_radius: share of half the image within which the object lies, for scores that leave out what surrounds
            it; None for the whole image.
        batch_size: images per batch, in training and in evaluation.
        steps_per_epoch: training batches per epoch, whatever the number of images; None for one pass over them.
        augmentation: applied to training batches only; None for none.
        seed: seeds the order of the training batches.
        cache_dir: where the decoded images are kept.

    Raises:
        AnodiceError: a layout or split that is no function, a value out of range, or an orientation for colour photos.
    """

    def __init__(
        self,
        root: str,
        layout: Callable[[Path], Layout],
        *,
        split: Splitting | None = None,
        image_size: int = 128,
        in_channels: int = 1,
        shape_to_square: Fit = "squash",
        tile: Sequence[int] | None = None,
        orientation: Orientation | None = None,
        border_radius: float | None = None,
        batch_size: int = 32,
        steps_per_epoch: int | None = None,
        augmentation: nn.Module | None = None,
        seed: int = 0,
        cache_dir: str = "cache",
    ) -> None:
        super().__init__()
        if not callable(layout):
            raise AnodiceError(
                f"expected data.layout to be a function of anodice.data.layouts, got {layout!r}; choose it with data=, "
                f"such as data=dice11."
            )
        if split is not None and not isinstance(split, Splitting):
            raise AnodiceError(
                f"expected data.split to be one of anodice.data.splitting.strategies, got {split!r}; choose it with "
                f"split=, such as split=clean."
            )
        if border_radius is not None and not border_radius > 0:
            raise AnodiceError(
                f"expected data.border_radius above 0 (1 reaches the middle of each edge), got {border_radius!r}; null "
                f"is for the whole image."
            )
        for name, value in (("batch_size", batch_size), ("steps_per_epoch", steps_per_epoch)):
            if value is None and name == "steps_per_epoch":
                continue
            if not isinstance(value, int) or value < 1:
                raise AnodiceError(f"expected data.{name} to be a whole number of at least 1, got {value!r}.")
        if tile is not None and border_radius is not None:
            raise AnodiceError(
                f"expected data.border_radius=null with data.tile, got {border_radius!r}: a tile is no whole object."
            )
        tile = None if tile is None else list(tile)
        check_tile(tile)
        parts = None if tile is None else (tile[0], tile[1])
        self.format = ImageFormat(image_size, in_channels, orientation, shape_to_square, parts)
        self.shape_to_square, self.tile = shape_to_square, tile
        self.root, self.layout, self.split = root, layout, Published() if split is None else split
        self.image_size, self.in_channels, self.orientation = image_size, in_channels, orientation
        self.border_radius, self.batch_size, self.steps_per_epoch = border_radius, batch_size, steps_per_epoch
        self.augmentation, self.seed, self.cache_dir = augmentation, seed, Path(cache_dir)
        self.transform = EvaluationTransform()

    @cached_property
    def photos(self) -> Photos:
        """The photos, read at the first use."""
        return read_photos(self.root, self.layout, self.format, self.split, cache_dir=self.cache_dir)

    @property
    def classes(self) -> tuple[str, ...]:
        """The normal classes that there are photos to learn from, in order; no photo is read for them."""
        return self.layout(Path(self.root).expanduser()).classes

    def fit_batches(self, device: torch.device | str = "cpu") -> Batches:
        """Every fit photo once, in order and as it is: for what is fitted in one pass; its tiles, where it has some."""
        return self._tiles(self.photos.split.fit, device)

    def held_out_batches(self, device: torch.device | str = "cpu") -> Batches:
        """The normal photos of validation."""
        records = self.photos.records
        return self._tiles([i for i in self.photos.split.validation if not records[i].anomalous], device)

    def evaluation_batches(self, indices: Sequence[int], device: torch.device | str = "cpu") -> Batches:
        """The records with these indices, in this order."""
        return Batches(self._in_order(indices, raw=True), self.transform, device)

    def _tiles(self, indices: Sequence[int], device: torch.device | str) -> Batches:
        batches = self.evaluation_batches(indices, device)
        return batches if self.tile is None else TileBatches(batches.loader, batches.transform, device, self.image_size)

    # What Lightning calls.

    def setup(self, stage: str | None = None) -> None:
        """Read the photos; one reading serves every stage, `fit`, `validate`, `test` and `predict`, and None."""
        del stage
        _ = self.photos
        if self.augmentation is not None and self.trainer is not None:
            self.augmentation.to(self.trainer.strategy.root_device)  # Lightning moves the batches, but not this

    @property
    def train_dataset(self) -> PhotoDataset:
        """The normal photos to learn from; the datasets read the photos where `setup` has not."""
        return self._dataset(self.photos.split.fit)

    @property
    def val_dataset(self) -> PhotoDataset:
        """The photos held out: normal ones, then anomalous ones."""
        return self._dataset(self.photos.split.validation)

    @property
    def test_dataset(self) -> PhotoDataset:
        """All test photos."""
        return self._dataset(self.photos.split.test)

    @property
    def predict_dataset(self) -> PhotoDataset:
        """The test photos, in the order in which `Trainer.predict` scores them."""
        return self.test_dataset

    def train_dataloader(self) -> DataLoader:
        """Shuffled batches, `steps_per_epoch` of them; see `Batch`. A Trainer also applies the augmentation."""
        order = _EpochOrder(len(self.photos.split.fit), self.batch_size, steps=self.steps_per_epoch, seed=self.seed)
        return self._loader(self.photos.split.fit, order)

    def val_dataloader(self) -> DataLoader:
        """The photos of `val_dataset`, in order."""
        return self._in_order(self.photos.split.validation)

    def test_dataloader(self) -> DataLoader:
        """All test photos; `leaked` tells those that the clean test leaves out."""
        return self._in_order(self.photos.split.test)

    def predict_dataloader(self) -> DataLoader:
        """The test photos."""
        return self.test_dataloader()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        del dataloader_idx
        raw = batch["image"].dtype == torch.uint8  # a loader that was made outside of a Trainer gives images
        images = self.transform(batch["image"]) if raw else batch["image"]
        if self.tile is not None and self.trainer is not None and self.trainer.training:
            images = one_tile_each(images, self.image_size)
        if self.augmentation is not None and self.trainer is not None and self.trainer.training:
            return {**batch, **self.augmentation.augment(images)}
        return {**batch, "image": images}

    @property
    def hparams(self) -> Any:
        """How the data module was made, in plain values: what Lightning puts into its checkpoints."""
        return recipe(self)

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: Any, map_location: Any = "cpu", hparams_file: Any = None, **settings: Any
    ) -> Any:
        """The data module that a checkpoint was trained with.

        Args:
            settings: in place of those of the checkpoint, such as `root` where the photos have moved.

        Raises:
            AnodiceError: the checkpoint does not tell how it was made.
        """
        state = torch.load(checkpoint_path, map_location=map_location, weights_only=True)
        told = state.get(cls.CHECKPOINT_HYPER_PARAMS_KEY)
        if hparams_file is not None or not isinstance(told, dict) or "_target_" not in told:
            raise AnodiceError(f"expected a checkpoint that tells its data module, got {checkpoint_path}.")
        return cls(
            **make({name: value for name, value in told.items() if name not in (*settings, "_target_")}), **settings
        )

    @cached_property
    def _targets(self) -> dict[str, NDArray]:
        """The `label`, `class`, `face` and `leaked` of every record, as in `Batch`; made once for all loaders."""
        number = {name: k for k, name in enumerate(self.photos.classes)}
        records, leaked = self.photos.records, self.photos.split.leaked
        return {
            "label": np.array([r.anomalous for r in records], dtype=bool),
            "class": np.array([-1 if r.anomalous else number.get(r.class_name, -1) for r in records], dtype=np.int64),
            "face": np.array([-1 if r.face is None else r.face for r in records], dtype=np.int64),
            "leaked": np.array([i in leaked for i in range(len(records))], dtype=bool),
        }

    def _dataset(self, indices: Sequence[int]) -> PhotoDataset:
        return PhotoDataset(self.photos, self._targets, indices, self.transform)

    def _in_order(self, indices: Sequence[int], *, raw: bool | None = None) -> DataLoader:
        size = max(1, self.batch_size // self.format.tiles)  # as many tiles as images elsewhere
        batches = [list(range(k, min(k + size, len(indices)))) for k in range(0, len(indices), size)]
        return self._loader(indices, batches, raw=raw)

    def _loader(
        self, indices: Sequence[int], batches: Sampler | list[list[int]], *, raw: bool | None = None
    ) -> DataLoader:
        """Whole batches, which the dataset gathers in one indexing: no collation, no workers needed.

        Args:
            raw: leave photos as bytes, which are transformed where they are scored; None does so for a Trainer, whose
                hooks call `on_after_batch_transfer`.
        """
        if raw is None:
            raw = self.trainer is not None and self.trainer.state.status == TrainerStatus.RUNNING
        dataset = self._dataset(indices)
        return DataLoader(dataset, sampler=batches, batch_size=None, collate_fn=None if raw else dataset.transformed)


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
