"""Photos by number, as torch's loaders and people index them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from anodice.data.photos import Photos
from anodice.functional.tiles import cut

Batch = dict[str, Tensor]
"""`image` (B, C, H, W) float32 in [0, 1], `label` (B,) bool, `class` (B,) int64 into the classes of the data, -1 for
anomalies and classes without training photos, `face` (B,) int64, -1 if unknown, `leaked` (B,) bool, true for a test
photo whose pixels also occur in the training folder, `index` (B,) int64."""


def tiles_of(batch: Batch, size: int) -> Batch:
    """The tiles of a batch's images, `size` pixels along each side; each has the label and so on of its image."""
    tiles = cut(batch["image"], size)
    each = len(tiles) // len(batch["image"])
    return {name: tiles if name == "image" else value.repeat_interleave(each) for name, value in batch.items()}


class PhotoDataset(Dataset):
    """Some of the photos of a data module.

    `dataset[k]` is the photo k as a detector sees it: the values of a `Batch` without their first dimension, such as
    `image` (C, H, W) float32 in [0, 1]. A list of numbers, which a data module's loaders ask for, gives a batch whose
    `image` is (B, H, W, C) uint8; `transformed` makes a `Batch` of it.

    Args:
        targets: name -> a value for each record.
        indices: of the records, which the dataset counts from 0.
        transform: (B, H, W, C) uint8 -> (B, C, H, W) float32.
    """

    def __init__(
        self, photos: Photos, targets: dict[str, NDArray], indices: Sequence[int], transform: nn.Module
    ) -> None:
        self.photos, self.transform = photos, transform
        self.indices = np.asarray(indices, dtype=np.int64)
        self.rows = photos.rows[self.indices]
        self.targets = {name: values[self.indices] for name, values in targets.items()}

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def paths(self) -> list[str]:
        """The file of each photo, relative to the folder of the photos."""
        return [self.photos.records[i].path for i in self.indices]

    @overload
    def __getitem__(self, positions: int) -> dict[str, Tensor]: ...
    @overload
    def __getitem__(self, positions: list[int]) -> Batch: ...
    def __getitem__(self, positions: int | list[int]) -> Batch:
        if isinstance(positions, list):
            return self._gathered(positions)
        position = range(len(self))[positions]  # an IndexError ends `for photo in dataset`
        return {name: value[0] for name, value in self.transformed(self._gathered([position])).items()}

    def transformed(self, batch: Batch) -> Batch:
        """A batch of bytes as detectors see it."""
        return {**batch, "image": self.transform(batch["image"])}

    def _gathered(self, positions: list[int]) -> Batch:
        return {
            "image": torch.from_numpy(self.photos.pixels[self.rows[positions]]),
            **{name: torch.from_numpy(values[positions]) for name, values in self.targets.items()},
            "index": torch.from_numpy(self.indices[positions]),
        }
