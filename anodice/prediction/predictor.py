"""Scoring new photos with a finished run: no photo of the training is needed, only the run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anodice.app.process import cores
from anodice.data.image_format import turned
from anodice.errors import AnodiceError
from anodice.prediction.explanation import Explanation, explanation
from anodice.prediction.network import Network, Outputs
from anodice.prediction.photos import Photo, files_of, is_tensor, photo_of, read_photo
from anodice.prediction.prediction import Prediction, Unreadable
from anodice.prediction.regions import regions
from anodice.prediction.settings import Settings
from anodice.thresholds.threshold import Threshold

log = logging.getLogger(__name__)

BATCH = 32
"""Photos that are scored at a time."""


class Predictor:
    """A finished run that scores new photos.

    >>> predictor = Predictor.from_run("latest")  # doctest: +SKIP
    >>> predictor("photo.png").verdict  # doctest: +SKIP
    'normal'

    Args:
        network: see `Network`.
        settings: what it needs to know of the run.
    """

    def __init__(self, network: Network, settings: Settings) -> None:
        self.network, self.settings = network, settings
        self._turn = settings.turner()

    @classmethod
    def from_run(
        cls,
        run: str | Path = "latest",
        *,
        threshold: str | float | Threshold | None = None,
        log_dir: str | Path = "logs",
        device: str | None = None,
    ) -> Predictor:
        """The detector of a run folder, wherever it was moved.

        Args:
            run: the folder, its name under `log_dir`, or `latest`.
            threshold: the name of another rule of the run, such as `normals_only`, of one of its `evaluations/`, or a
                value on the scale of the scores; None for the run's own.
            device: such as `cpu` or `cuda:1`; None for where the run was trained, if that is here.

        Raises:
            AnodiceError: no such run, or one that is not whole; no such threshold.
        """
        from anodice.prediction.from_run import load  # torch loads for those who need it

        return cls(*load(run, threshold, log_dir=Path(log_dir), device=device))

    @classmethod
    def from_export(
        cls, file: str | Path, *, threshold: str | float | Threshold | None = None, trusted: bool = False
    ) -> Predictor:
        """A run that export.py has written as one model, for ONNX Runtime (.onnx), OpenVINO (.xml) or torch (.pt2).

        The first two need no torch. Their scores are within 1e-4 of those of the run.

        Args:
            threshold: see `from_run`; the thresholds of the run's `evaluations/` are not in the file.
            trusted: whether you have made the file yourself, which `.pt2` files ask for: loading one can run code.

        Raises:
            AnodiceError: no such file, one that is damaged or not ours, a runtime that is not installed; no such
                threshold.
        """
        from anodice.prediction.from_export import load

        return cls(*load(file, threshold, trusted=trusted))

    @property
    def threshold(self) -> Threshold:
        """What the verdicts are made with."""
        return self.settings.threshold

    def __call__(self, photos: Any) -> Any:
        """Score one photo or many.

        Args:
            photos: a path, a PIL image, an array (H, W[, C]) or a tensor ([C,] H, W), which are one photo; a folder, a
                pattern such as `"new/*.png"`, an array (N, H, W, C), a tensor (N, C, H, W), or a list of any of these,
                which are many. Whole numbers are grey levels of 0..255, others of [0, 1].

        Returns:
            a `Prediction` for one photo, a list of them for many. Files of folders and patterns that are no photos are
            left out, with a warning.

        Raises:
            AnodiceError: something that is no photo, or a path that does not exist.
        """
        if isinstance(photos, str | Path):
            return self._file(Path(photos)) if Path(photos).expanduser().is_file() else self._found(photos)
        if _is_one(photos):
            return self.score([self._photo(photos, "photo")])[0]
        if len(photos) > 0 and all(isinstance(one, str | Path) for one in photos):
            return list(chain.from_iterable(_as_list(self(one)) for one in photos))
        decoded = (self._photo(one, f"photo {k + 1}") for k, one in enumerate(photos))
        return list(chain.from_iterable(self.score(part) for part in _batches(decoded, BATCH)))

    def stream(self, files: Iterable[Path]) -> Iterator[Prediction | Unreadable]:
        """Score any number of files in bounded memory, in their order; what is no photo comes as `Unreadable`."""
        with ThreadPoolExecutor(cores()) as pool:
            waiting: list[Any] = []
            for part in _batches(files, BATCH):  # the next photos are decoded while these are scored
                waiting.append([pool.submit(self._read, path) for path in part])
                if len(waiting) > 2:
                    yield from self._of(waiting.pop(0))
            for part in waiting:
                yield from self._of(part)

    def score(self, photos: Sequence[Photo]) -> list[Prediction]:
        """Score decoded photos, at least one, in one batch."""
        pixels = np.stack([photo.pixels for photo in photos])
        if self._turn is not None:
            pixels = turned(self._turn, pixels)
        found = self.network(pixels)
        names = self.settings.names(found)
        anomalous = self.threshold.flags(found.scores, names)
        cuts = self.threshold.values(found.scores, names)
        return [
            self._prediction(photo, pixels[k], found, k, str(names[k]), float(cuts[k]), bool(anomalous[k]))
            for k, photo in enumerate(photos)
        ]

    def explain(self, photo: Photo) -> Explanation:
        """Score a decoded photo, and tell what the detector compared it with."""
        (prediction,) = self.score([photo])
        grounds = getattr(self.network, "grounds", None)  # an exported model has none
        return explanation(prediction, None if grounds is None else grounds(prediction.photo[None]), self.settings)

    def _of(self, reading: Sequence[Any]) -> Iterator[Prediction | Unreadable]:
        read = [future.result() for future in reading]
        photos = [one for one in read if isinstance(one, Photo)]
        predictions = iter(self.score(photos) if photos else [])
        yield from (next(predictions) if isinstance(one, Photo) else one for one in read)

    def _prediction(
        self, photo: Photo, pixels: NDArray[np.uint8], found: Outputs, k: int, name: str, cut: float, anomalous: bool
    ) -> Prediction:
        settings = self.settings
        return Prediction(
            name=photo.name,
            score=float(found.scores[k]),
            threshold=self.threshold,
            cut=cut,
            anomalous=anomalous,
            class_name=name or None,
            face=settings.faces.get(name),
            map=found.maps[k],
            regions=regions(found.maps[k], settings.scale.pixel_threshold, photo.size, fit=settings.frame.fit)
            if anomalous
            else (),
            photo=pixels,
            size=photo.size,
            scale=settings.scale,
        )

    def _file(self, path: Path) -> Prediction:
        read = self._read(path.expanduser())
        if isinstance(read, Unreadable):
            raise AnodiceError(f"expected a photo, but {read.name} {read.reason}; give a JPEG, PNG, BMP, TIFF or WEBP.")
        return self.score([read])[0]

    def _found(self, named: str | Path) -> list[Prediction]:
        found = list(self.stream(files_of(named)))
        for one in found:
            if isinstance(one, Unreadable):
                log.warning("%s %s", one.name, one.reason)
        return [one for one in found if isinstance(one, Prediction)]

    def _read(self, path: Path) -> Photo | Unreadable:
        return read_photo(path, image_size=self.settings.frame, in_channels=self.settings.in_channels)

    def _photo(self, given: Any, name: str) -> Photo:
        if isinstance(given, str | Path):
            raise AnodiceError("expected paths alone or pictures alone, got both; score them in two calls.")
        return photo_of(given, name, image_size=self.settings.frame, in_channels=self.settings.in_channels)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _is_one(photos: Any) -> bool:
    """Whether it is one picture, not many."""
    if isinstance(photos, Image.Image):
        return True
    if isinstance(photos, np.ndarray):  # (N, H, W) would be a photo with W channels
        return photos.ndim < 4
    if is_tensor(photos):
        return photos.ndim < 4
    if not isinstance(photos, Sequence):
        raise AnodiceError(f"expected photos as paths, pictures, arrays or tensors, got {type(photos).__name__}.")
    return False


def _as_list(found: Prediction | list[Prediction]) -> list[Prediction]:
    return found if isinstance(found, list) else [found]
