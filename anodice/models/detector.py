"""The base class of every detector, and of those that learn by gradients.

A detector maps an image to an anomaly map and a score. It is a thin LightningModule around a plain `torch.nn.Module`
network that can be used without Lightning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from anodice.app.console import counted
from anodice.app.recipe import make, recipe
from anodice.data.datamodule import Batch, Batches
from anodice.data.photo_dataset import tiles_of
from anodice.errors import AnodiceError
from anodice.functional.tile_grid import tile_count, tiles_along
from anodice.functional.tiles import cut, joined
from anodice.metrics.gathered import GatheredScores
from anodice.models.optimizers import OptimizerFactory
from anodice.scoring.grounds import Grounds

_TILES = 32
"""Tiles that are looked at together."""


class Scored(NamedTuple):
    """What a detector says of N images.

    Attributes:
        maps: (N, 1, H, W) float32, how strange each pixel is.
        scores: (N,) float64, higher is stranger.
        classes: (N,) int64, the class that the detector takes each image for; None where it tells no classes apart.
    """

    maps: Tensor
    scores: Tensor
    classes: Tensor | None = None


class Detector(pl.LightningModule):
    """Images (N, C, H, W) float32 in [0, 1] -> `Scored`.

    What a detector learns without gradients, it learns in `fit`. Lightning's hooks call it: before each validation of a
    training, so that a checkpoint holds what belongs to its weights, and before anything is scored with a detector that
    lacks it. This class learns nothing else: `Trainer.fit` ends after one validation.

    Each constructor keeps its arguments as attributes of the same names, so that a checkpoint tells how to make the
    detector again; see `anodice.app.recipe`.

    Args:
        image_size: height and width of the images.
        in_channels: C.
    """

    classes: tuple[str, ...] | None = None
    """The names of the classes that `Scored.classes` counts; None for a detector that tells no classes apart."""

    def __init__(self, *, image_size: int, in_channels: int) -> None:
        super().__init__()
        self.image_size, self.in_channels = image_size, in_channels
        self.automatic_optimization = False
        self._fit_is_due = False
        self._validation = GatheredScores()
        self._test = nn.ModuleDict({"clean": GatheredScores(), "published": GatheredScores()})

    def assess(self, images: Tensor) -> Scored:
        """What `forward` returns for images of the right shape."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Scored:
        """Maps, scores and classes; always in float32, whatever the precision of the training.

        Images may be larger than `image_size` by whole tiles; see `anodice.functional.tiles`.
        """
        tiles = [tiles_along(length, self.image_size) for length in images.shape[2:]]
        if images.shape[1] != self.in_channels or len(tiles) != 2 or None in tiles:
            raise AnodiceError(
                f"expected images of shape (N, {self.in_channels}, {self.image_size}, {self.image_size}), got "
                f"{tuple(images.shape)}; set data.image_size and data.in_channels as in training."
            )
        with torch.autocast(images.device.type, enabled=False):
            return self.assess(images) if tiles == [1, 1] else self.assess_tiles(images)

    def assess_tiles(self, images: Tensor) -> Scored:
        """As `assess` for images that are cut into tiles: their maps put together, the highest of their scores."""
        tiles, count = cut(images, self.image_size), tile_count(*images.shape[2:], self.image_size)
        parts = [tiles] if torch.compiler.is_exporting() else tiles.split(_TILES)
        found = [self.assess(part) for part in parts]
        maps = joined(torch.cat([part.maps for part in found]), *images.shape[2:])
        scores, strangest = torch.cat([part.scores for part in found]).unflatten(0, (-1, count)).max(1)
        if found[0].classes is None:
            return Scored(maps, scores)
        classes = torch.cat([part.classes for part in found if part.classes is not None])
        return Scored(maps, scores, classes.unflatten(0, (-1, count)).gather(1, strangest[:, None])[:, 0])

    def grounds(self, images: Tensor) -> Grounds[Tensor]:
        """What the detector compares images of the right shape with; by default nothing that people could look at."""
        return Grounds()

    @property
    def is_fitted(self) -> bool:
        """Whether all is there that only `fit` can give."""
        return True

    @property
    def keeps_limits(self) -> bool:
        """Whether it keeps `limits`."""
        return False

    @property
    def limits(self) -> dict[str, float]:
        """Class -> the highest normal score, learned with the detector from the photos of training; see `Learned`."""
        return {}

    @torch.no_grad()
    def fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        """Learn all that is not learned by gradients; what was fitted before is forgotten.

        Args:
            fitted: all normal photos that the detector may learn from, once and as they are.
            held_out: the normal photos of validation.
        """
        # Several passes are made over each, which an iterator does not bear.
        fitted, held_out = (list(b) if isinstance(b, Iterator) else b for b in (fitted, held_out))
        training = self.training
        self.eval()
        with torch.autocast(self.device.type, enabled=False):
            self._fit(fitted, held_out)
        self.train(training)

    def _fit(self, fitted: Iterable[Batch], held_out: Iterable[Batch]) -> None:
        """What `fit` does; by default nothing."""

    def codes(self, images: Tensor) -> Tensor | None:
        """The codes (N, D) that images (N, C, H, W) are squeezed through; None from a detector that has none."""
        del images
        return None

    def describe(self) -> str:
        """One line for the start of a training."""
        return f"{type(self).__name__}: {sum(p.numel() for p in self.parameters()):,} parameters"

    # What Lightning calls.

    def configure_optimizers(self) -> Any:
        """None: nothing is learned by gradients."""

    def training_step(self, batch: Batch) -> Tensor | None:
        """Nothing is trained: the validation that comes next fits the detector, and the training is over."""
        self.trainer.should_stop = True
        return None

    def validation_step(self, batch: Batch) -> None:
        self._validation.update(self(batch["image"]).scores, batch["label"])

    def test_step(self, batch: Batch) -> None:
        scores, clean = self(batch["image"]).scores, ~batch["leaked"]
        self._test["published"].update(scores, batch["label"])
        self._test["clean"].update(scores[clean], batch["label"][clean])

    def predict_step(self, batch: Batch) -> Scored:
        return self(batch["image"])

    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == TrainerFn.FITTING or not self.is_fitted:
            self._fit_to_photos()

    def on_test_epoch_start(self) -> None:
        if not self.is_fitted:
            self._fit_to_photos()

    def on_predict_epoch_start(self) -> None:
        if not self.is_fitted:
            self._fit_to_photos()

    def on_train_epoch_start(self) -> None:
        self._fit_is_due = True

    def on_train_end(self) -> None:
        if self._fit_is_due or not self.is_fitted:
            self._fit_to_photos()

    @property
    def validation_scores(self) -> tuple[Tensor, Tensor]:
        """The scores (N,) and the labels (N,) of the validation that is going on, so far; of this process alone."""
        return self._validation.gathered()

    def on_validation_epoch_end(self) -> None:
        """Log `val/auroc`, `val/average_precision` and `val/f1_max`, where there are anomalies and normals."""
        figures = self._validation.compute()
        self._validation.reset()
        if not self.trainer.sanity_checking:
            self.log_dict({f"val/{name}": value for name, value in figures.items()})

    def on_test_epoch_end(self) -> None:
        """Log the figures of the clean test as `test/...`, those of all test photos as `test/published/...`."""
        for prefix, part in (("test/", "clean"), ("test/published/", "published")):
            figures = self._test[part].compute()
            self._test[part].reset()
            # The best F1 in hindsight is no result.
            self.log_dict({f"{prefix}{name}": value for name, value in figures.items() if name != "f1_max"})

    @property
    def hparams(self) -> Any:
        """How the detector was made, in plain values: what Lightning puts into its checkpoints."""
        return recipe(self)

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = "cpu",
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        **parts: Any,
    ) -> Any:
        """The detector of a checkpoint, with its weights and all that was fitted.

        Args:
            hparams_file: must be None: the checkpoint tells how the detector was made.
            parts: arguments of the constructor in place of those of the checkpoint.

        Raises:
            AnodiceError: the checkpoint does not tell how the detector was made.
        """
        state = torch.load(checkpoint_path, map_location=map_location, weights_only=weights_only is not False)
        told = state.get(cls.CHECKPOINT_HYPER_PARAMS_KEY)
        if hparams_file is not None or not isinstance(told, dict) or "_target_" not in told:
            raise AnodiceError(
                f"expected a checkpoint that tells how its detector was made, got {checkpoint_path}; checkpoints from "
                "before there was such a recipe are read with their run folder, by evaluate.py."
            )
        own = {told["_target_"]: cls} if cls.__name__ == told["_target_"].rpartition(".")[2] else {}
        kept = {name: value for name, value in told.items() if name not in parts}
        target = make({"_target_": kept.pop("_target_"), "_partial_": True}, known=own).func
        detector = target(**make(kept), **parts)
        detector.load_state_dict(state["state_dict"], strict=strict is not False)
        return detector.eval()

    def _fit_to_photos(self) -> None:
        self._fit_is_due = False
        data = self.trainer.datamodule
        if data is not None:
            fitted = _Told(data.fit_batches(self.device), f"{type(self).__name__}: a pass over the photos")
            self.fit(fitted, data.held_out_batches(self.device))
            return
        # Without a data module, what the trainer was given has to do: its training batches may be changed ones, and
        # Lightning's check before a training has no others than those of validation.
        held_out = _NormalsOnDevice(self.trainer.val_dataloaders or [], self)
        fitted = self.trainer.train_dataloader
        if fitted is None and self.trainer.val_dataloaders is None:
            raise AnodiceError(
                f"expected photos to fit {type(self).__name__} to, got none: it learns without gradients, at the end "
                "of a training, and its checkpoint was saved before; give the Trainer a data module, or save the "
                "trained one with trainer.save_checkpoint(FILE)."
            )
        self.fit(held_out if fitted is None else _NormalsOnDevice(fitted, self), held_out)


class _Told:
    """Batches that tell how far a pass over them is, where it takes long."""

    def __init__(self, batches: Batches, what: str) -> None:
        self.batches, self.what = batches, what

    def __iter__(self) -> Iterator[Batch]:
        return counted(self.batches, len(self.batches), self.what)


class _NormalsOnDevice:
    """The normal photos in the batches of a plain loader, on a detector's device."""

    def __init__(self, loader: Iterable[Batch], detector: Detector) -> None:
        self.loader, self.detector = loader, detector

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            moved = self.detector.transfer_batch_to_device(batch, self.detector.device, 0)
            yield {name: value[~moved["label"]] for name, value in moved.items()}


class TrainedDetector(Detector):
    """A detector that learns by gradients.

    Args:
        network: knows `image_size` and `in_channels`.
        optimizer: made when training starts, with the number of steps.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss",)
    """The names of `loss_terms`, which are logged as `train/...` and `val/...`."""

    def __init__(self, network: nn.Module, *, optimizer: OptimizerFactory, channels_last: bool = True) -> None:
        super().__init__(image_size=network.image_size, in_channels=network.in_channels)
        self.automatic_optimization = True
        self.optimizer, self.channels_last = optimizer, channels_last
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.memory_format)
        self._train_means = _Means()

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The `loss` to minimise and the terms it is made of, each a scalar, for a batch of normal photos."""
        raise NotImplementedError

    def training_step(self, batch: Batch) -> Tensor:
        terms = self.loss_terms(batch)
        self._train_means.add(terms, len(batch["image"]))
        return terms["loss"]

    def on_train_epoch_end(self) -> None:
        self.log_dict({f"train/{name}": mean for name, mean in self._train_means.take().items()})

    def validation_step(self, batch: Batch) -> None:
        """Gather the scores of a batch; log the loss of its normals."""
        super().validation_step(batch)
        normal = ~batch["label"]
        if normal.any():
            normals = {k: v[normal] for k, v in batch.items()}
            tiled = batch["image"].shape[2:] != (self.image_size, self.image_size)
            terms = self.loss_terms(tiles_of(normals, self.image_size) if tiled else normals)
            values = {f"val/{name}": value for name, value in terms.items()}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=int(normal.sum()))

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer, schedule = self.optimizer(self.parameter_groups(), int(self.trainer.estimated_stepping_batches))
        if schedule is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def parameter_groups(self) -> Iterable[Any]:
        """What the optimizer is given: parameters, or dicts of parameters and what is different for them."""
        return self.parameters()

    def formatted(self, images: Tensor) -> Tensor:
        """A copy of the images in the detector's memory format."""
        # `contiguous` would leave grey images as they are: with one channel their strides fit both formats.
        return images.clone(memory_format=self.memory_format)


class _Means:
    """The means of loss terms over the images of an epoch: Lightning's take a millisecond of every training step."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._images = 0

    def add(self, terms: dict[str, Tensor], images: int) -> None:
        """Take in terms that are means over so many images."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float() * images
        self._images += images

    def take(self) -> dict[str, Tensor]:
        """The means so far, which are forgotten."""
        means = {name: value / self._images for name, value in self._sums.items()}
        self._sums, self._images = {}, 0
        return means
