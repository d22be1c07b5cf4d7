"""Scoring: SSIM maps, smoothing, calibration and pooling, templates, the memory of normal features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter
from skimage.feature import match_template
from skimage.filters import gaussian
from skimage.metrics import mean_squared_error, structural_similarity
from torch import Tensor

from anodice.baselines.template import Template
from anodice.dice.renderer import CLASSES, render
from anodice.errors import AnodiceError
from anodice.scoring.memory import Memory
from anodice.scoring.pooling import TopMean
from anodice.scoring.residual_score import ResidualScore
from anodice.scoring.residuals import SSIM, TolerantL1
from anodice.scoring.score import Seen
from benchmarks.rows import NotHereError, Row, row

Image = NDArray[np.float64]

_RADIUS = 5  # of the window of 11 pixels
_SMOOTHING = 4.0
_BATCHES = 5  # of ours in a round, one after another as in use; the first one wakes the threads


@row("ssim_maps", reach=20)
def ssim_maps() -> Row:
    """A map of SSIM per photo and reconstruction: scikit-image photo by photo, against a batch."""
    images, reconstructions = _pairs(128)
    residual = SSIM(sigma=1.5)
    # Where both are dark and flat, float32 leaves an error of a few 1e-5 in single pixels; the scores below have 1e-5.
    _agree(
        "SSIM map",
        residual(images[:4], reconstructions[:4]),
        [_mirrored(x, y) for x, y in _arrays(images[:4], reconstructions)],
        tolerance=5e-5,
    )
    few = _arrays(images[:8], reconstructions)
    return Row(
        usual=lambda: [_ssim(x, y) for x, y in few],
        usual_items=len(few),
        ours=_in_batches(lambda: residual(images, reconstructions)),
        our_items=_BATCHES * len(images),
    )


@row("tolerant_maps")
def tolerant_maps() -> Row:
    """A map of the default residual per photo and reconstruction: SciPy photo by photo, against a batch."""
    images, reconstructions = _pairs(64)  # as many as the score takes at a time
    residual = TolerantL1(radius=2)

    def loop(x: Image, y: Image) -> Image:
        highest, lowest = maximum_filter(y, 5, mode="nearest"), minimum_filter(y, 5, mode="nearest")
        return np.maximum(np.maximum(x - highest, lowest - x), 0)

    few = _arrays(images[:8], reconstructions)
    _agree("map", residual(images[:8], reconstructions[:8]), [loop(x, y) for x, y in few])
    return Row(
        usual=lambda: [loop(x, y) for x, y in few],
        usual_items=len(few),
        ours=_in_batches(lambda: residual(images, reconstructions)),
        our_items=_BATCHES * len(images),
    )


@row("scoring", reach=20)
def scoring() -> Row:
    """SSIM map, smoothing, calibration, border and pooling to a score: scikit-image and NumPy, against a batch."""
    images, reconstructions = _pairs(128)
    score = ResidualScore(
        residual=SSIM(sigma=1.5),
        smoothing=_SMOOTHING,
        normalise=True,
        border_radius=0.9,
        pooling=TopMean(fraction=0.01),
        image_size=128,
    )
    score.fit(lambda batch: Seen(batch, reconstructions), [], [{"image": images}])
    mean, squares = (side[0, 0].double().numpy() for side in (score.statistics.mean, score.statistics.squares))
    deviation = np.sqrt(squares / (len(images) - 1))
    deviation += 0.1 * deviation.mean()
    inside = score.map_score.inside.numpy()
    count = round(0.01 * np.count_nonzero(inside))

    def loop(x: Image, y: Image, residual: Callable[[Image, Image], Image]) -> float:
        smooth = gaussian(residual(x, y), _SMOOTHING, mode="mirror", truncate=3.0)
        values = ((smooth - mean) / deviation)[inside]
        return float(np.partition(values, len(values) - count)[-count:].mean())

    def ours() -> Tensor:
        return score.pool(score.anomaly_map(images, reconstructions))

    expected = [loop(x, y, _mirrored) for x, y in _arrays(images[:4], reconstructions)]
    _agree("score", ours()[:4], expected)
    few = _arrays(images[:8], reconstructions)
    return Row(
        usual=lambda: [loop(x, y, _ssim) for x, y in few],
        usual_items=len(few),
        ours=_in_batches(ours),
        our_items=_BATCHES * len(images),
    )


@row("template_mse", reach=50)
def template_mse() -> Row:
    """Class, distance and map per photo by MSE with 11 templates: scikit-image pair by pair, against a batch."""

    def loop(photo: Image, templates: list[Image]) -> tuple[float, Image]:
        distances = [mean_squared_error(photo, template) for template in templates]
        best = int(np.argmin(distances))
        return distances[best], (photo - templates[best]) ** 2

    return _template_row("mse", loop)


@row("template_ssim", reach=50)
def template_ssim() -> Row:
    """Class, distance and map per photo by SSIM with 11 templates: scikit-image pair by pair, against a batch."""

    def loop(photo: Image, templates: list[Image]) -> tuple[float, Image]:
        found = [structural_similarity(photo, template, data_range=1.0, full=True) for template in templates]
        best = int(np.argmax([value for value, _ in found]))
        return 1 - found[best][0], 1 - found[best][1]

    return _template_row("ssim", loop)


@row("template_ncc", reach=50)
def template_ncc() -> Row:
    """Class, distance and map per photo by correlation with 11 templates: scikit-image's `match_template`, a batch."""
    axis = np.arange(128) - 64
    disk = axis[:, None] ** 2 + axis**2 <= 60**2

    def standardised(photo: Image) -> Image:
        return (photo - photo.mean()) / photo.std()

    def loop(photo: Image, templates: list[Image]) -> tuple[float, Image]:
        masked = np.where(disk & (photo > 0), photo, 1)
        distances = [1 - match_template(masked, template)[0, 0] for template in templates]
        best = int(np.argmin(distances))
        return distances[best], (standardised(masked) - standardised(templates[best])) ** 2 / 2

    return _template_row("ncc", loop, tolerance=3e-5)


@row("memory", reach=5)
def memory() -> Row:
    """The distance of each cell from its memory of normal features: scikit-learn cell by cell, against a batch."""
    try:
        from sklearn.neighbors import NearestNeighbors
    except ImportError as missing:
        raise NotHereError("expected scikit-learn, which is not installed; pip install scikit-learn.") from missing
    generator = torch.Generator().manual_seed(0)
    ours = Memory(entries=64, radius=1, seed=0)
    ours.fit(torch.randn(16, 16, 128, 80, generator=generator))
    features = torch.randn(64, 80, 16, 16, generator=generator)
    bank, queries = ours.bank.numpy(), features.permute(2, 3, 0, 1).contiguous().numpy()
    # "brute" is scikit-learn's fastest for vectors as long as these, and uses matrix products as we do.
    searches = {
        (y, x): NearestNeighbors(n_neighbors=1, algorithm="brute").fit(
            bank[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 80)
        )
        for y in range(16)
        for x in range(16)
    }

    def loop() -> list[NDArray[np.float32]]:
        return [search.kneighbors(queries[cell])[0][:, 0] for cell, search in searches.items()]

    _agree("distance", ours(features), np.stack(loop(), 1).reshape(64, 16, 16), tolerance=1e-4)
    return Row(usual=loop, usual_items=64, ours=_in_batches(lambda: ours(features)), our_items=_BATCHES * 64)


def _template_row(
    comparison: str, loop: Callable[[Image, list[Image]], tuple[float, Image]], *, tolerance: float = 1e-5
) -> Row:
    photos, _ = _pairs(256)
    classes = torch.arange(len(photos)) % len(CLASSES)
    detector = Template(comparison=comparison, classes=CLASSES, image_size=128, in_channels=1)
    detector.fit([{"image": photos, "class": classes}], [])
    templates = [template[0].double().numpy() for template in detector.templates]
    few = [photo[0].double().numpy() for photo in photos[:8]]
    scored = detector.assess(photos[:8])
    _agree("score", scored.scores, [loop(photo, templates)[0] for photo in few], tolerance=tolerance)
    return Row(
        usual=lambda: [loop(photo, templates) for photo in few],
        usual_items=len(few),
        ours=_in_batches(lambda: detector.assess(photos)),
        our_items=_BATCHES * len(photos),
    )


def _pairs(count: int) -> tuple[Tensor, Tensor]:
    """Drawn dice, and the same a little blurred as by an auto-encoder: (N, 1, 128, 128) each."""
    generator = np.random.default_rng(0)
    photos = np.stack([render(CLASSES[i % len(CLASSES)], generator).image for i in range(count)]) / 255
    blurred = np.stack([gaussian(photo, 1.0) for photo in photos])
    images, reconstructions = (torch.from_numpy(side).float()[:, None] for side in (photos, blurred))
    return images, reconstructions


def _arrays(images: Tensor, reconstructions: Tensor) -> list[tuple[Image, Image]]:
    return [(x[0].double().numpy(), y[0].double().numpy()) for x, y in zip(images, reconstructions, strict=False)]


def _ssim(x: Image, y: Image) -> Image:
    """1 - SSIM with a Gaussian window."""
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    return 1 - structural_similarity(x, y, full=True, **settings)[1]


def _mirrored(x: Image, y: Image) -> Image:
    """The same with the border that ours has: scikit-image repeats the outermost pixels, ours does not."""
    inner = slice(_RADIUS, -_RADIUS)
    return _ssim(*(np.pad(side, _RADIUS, mode="reflect") for side in (x, y)))[inner, inner]


def _agree(what: str, ours: Tensor, theirs: object, *, tolerance: float = 1e-5) -> None:
    expected = np.asarray(theirs)
    difference = np.abs(ours.numpy().reshape(expected.shape) - expected) / np.maximum(1, np.abs(expected))
    if not difference.max() <= tolerance:
        raise AnodiceError(
            f"expected each {what} to agree with the usual one within {tolerance:g}, got {difference.max():.2g}; that "
            "is a bug, please report it."
        )


def _in_batches(side: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        with torch.inference_mode():
            for _ in range(_BATCHES):
                side()

    return run
