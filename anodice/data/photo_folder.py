"""The data module of anybody's photos: some folders of normal photos, some of anomalous ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from anodice.app.options import option
from anodice.data.datamodule import DiceDataModule
from anodice.data.frame import Fit
from anodice.data.layouts import folder
from anodice.data.splitting.strategies import Published, Splitting


class PhotoFolder(DiceDataModule):
    """Batches of photos from folders that are named one by one: `data=folder`, without a command line.

    The subfolders of a named folder are classes (of the anomalies: kinds). What is not named as a test folder is split
    into fit, validation and test by the pixels, so that no copy straddles. Anomalous photos are never learned from.

    Args:
        root: the folder that holds all others.
        normal: folders of normal photos, relative to the root; those to train on where `test_normal` is given.
        anomalous: folders of anomalous photos; for the threshold alone where `test_anomalous` is given.
        test_normal, test_anomalous: folders of test photos.
        split: divides the photos into fit, validation and test; None for `Published(seed=seed)`.
        image_size: height and width that each photo is resized to, in pixels; that of the detector's network.
        in_channels: 1 (grey) or 3 (RGB); that of the detector's network.
        shape_to_square, tile: of photos that are not square, or large; see `DiceDataModule`.
        batch_size: images per batch, in training and in evaluation.
        steps_per_epoch: training batches per epoch, whatever the number of photos; None for one pass over them.
        augmentation: changes the images of training batches (B, C, H, W) in [0, 1]: a module such as `Augmentation()`,
            the name of an option of `conf/augmentation`, or None for none.
        seed: of the split and of the order of the training batches; 0 is a seed like any other.
        cache_dir: where the decoded photos are kept.

    Raises:
        AnodiceError: a value out of range, a folder outside the root or named twice; when the photos are read, a folder
            that is missing or holds too few photos.

    >>> data = PhotoFolder("DIR", normal=["good"], anomalous=["bad"])
    >>> data.setup()  # doctest: +SKIP
    >>> data.train_dataset[0]["image"].shape  # doctest: +SKIP
    torch.Size([1, 128, 128])
    """

    def __init__(
        self,
        root: str | Path,
        *,
        normal: Sequence[str],
        anomalous: Sequence[str] = (),
        test_normal: Sequence[str] = (),
        test_anomalous: Sequence[str] = (),
        split: Splitting | None = None,
        image_size: int = 128,
        in_channels: int = 1,
        shape_to_square: Fit = "pad",
        tile: Sequence[int] | None = None,
        batch_size: int = 32,
        steps_per_epoch: int | None = 100,
        augmentation: nn.Module | str | None = "strong",
        seed: int = 42,
        cache_dir: str | Path = "cache",
    ) -> None:
        self.normal, self.anomalous = normal, anomalous
        self.test_normal, self.test_anomalous = test_normal, test_anomalous
        named = {
            "normal": normal,
            "anomalous": anomalous,
            "test_normal": test_normal,
            "test_anomalous": test_anomalous,
        }
        if isinstance(augmentation, str):
            augmentation = option("augmentation", augmentation, f"data.image_size={image_size}")
        super().__init__(
            str(root),
            partial(folder, **named),
            split=Published(seed=seed) if split is None else split,
            image_size=image_size,
            in_channels=in_channels,
            shape_to_square=shape_to_square,
            tile=tile,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            augmentation=augmentation,
            seed=seed,
            cache_dir=str(cache_dir),
        )
