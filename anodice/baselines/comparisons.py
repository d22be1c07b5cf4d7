"""Comparisons of images with the templates of their classes, each with the class pick, the distance and the map.

Images are (N, 1, H, W) float32 in [0, 1], templates (K, 1, H, W) the same. A detector uses a comparison in this order:

    templates = comparison.template(means)          # once; means of the normal images of each class, as they came
    images = comparison.prepare(images)             # everything below takes prepared images
    values, classes, maps = comparison.assess(images, templates)

Higher values are more anomalous. Sizes in pixels are those for 128 x 128 and grow with the image.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from anodice.baselines.glare import remove_glare
from anodice.baselines.running_mean import running_mean, through_jpeg
from anodice.functional.ssim import ms_ssim, ms_ssim_map, ssim_map, ssim_matrix


class Comparison:
    """What comparisons share: images as they are, class means as templates, the class with the least distance."""

    banded: ClassVar[bool] = False
    """The values need the range that normals of the picked class have: `low` and `high` of `DarkBand.score`."""
    limited: ClassVar[bool] = False
    """Normal photos tell the highest normal value of each class, by `limits`."""
    sequential: ClassVar[bool] = False
    """Templates are made by `template_of` of the photos, one after the other, not of their mean."""

    def prepare(self, images: Tensor) -> Tensor:
        """What happens to images before they are compared."""
        return images

    def template(self, means: Tensor) -> Tensor:
        """From the means (K, 1, H, W) of the normal images of each class, not prepared, to templates."""
        return means

    def template_of(self, photos: Tensor) -> Tensor:
        """From the normal photos (N, 1, H, W) uint8 of one class, in the order of their names, to a template (1, H, W).

        Asked of `sequential` comparisons alone.
        """
        raise NotImplementedError

    def for_limits(self, images: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        """What `limits` has to know of prepared normal photos and their true classes (N,) int64: (N, D)."""
        raise NotImplementedError

    def limits(self, known: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        """(K,), the highest values of `compare` that an earlier project took for normal; of `limited` comparisons.

        Args:
            known: (N, D), what `for_limits` gave for normal photos of the true classes (N,).
        """
        raise NotImplementedError

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        """(N, K), higher = less alike."""
        raise NotImplementedError

    def matches(self, images: Tensor, templates: Tensor) -> Tensor:
        """(N, K), the lowest picks the class."""
        return self.distances(images, templates)

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        """The distance to the picked class (N,), and that class (N,) int64."""
        values, classes = self.distances(images, templates).min(1)
        return values, classes

    def assess(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `compare` gives, and the maps (N, 1, H, W) against the template of the picked class."""
        values, classes = self.compare(images, templates)
        return values, classes, self.maps(images, templates[classes])

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        """Anomaly maps (N, 1, H, W) against one template for each image, (N, 1, H, W)."""
        raise NotImplementedError


class MSE(Comparison):
    """The mean of (x - t)² over the pixels, in squared grey levels of [0, 1]; the maps are what is averaged."""

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        return _mean_squares(images, templates)

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        values, classes, _ = self.assess(images, templates)
        return values, classes

    def assess(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return _nearest(images, templates)

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        return (images - templates).square_()


class WrappedMSE(Comparison):
    """The "MSE" of an earlier project, which squared uint8 differences in uint8: `wrapped_mse`, about 20 to 95.

    It exists to repeat published figures. The wrap makes 16 levels of difference (16² = 256) count as none.
    """

    def template(self, means: Tensor) -> Tensor:
        return _cut(means)

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        return wrapped_mse(_levels(templates), _levels(images))

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        return _wrapped_squares(_levels(templates), _levels(images)).float()


class PixelCount(Comparison):
    """How many pixels lie more than a class's own level above the image, wrapped round below 0: an earlier project.

    It counted (t - x) mod 256 > level in uint8, so that all but the darkest of the brighter pixels count as well. A
    photo was anomalous where the count of *any* template exceeded a limit that was the same for all: the value of
    `compare` is the highest count, and the class is that of the lowest.
    """

    limited: ClassVar[bool] = True
    levels: ClassVar[tuple[int, ...]] = (35, 25, 50, 75, 75, 100)
    """Of the six faces."""
    other_level: ClassVar[int] = 50
    """Where there are not six classes: that of the project's first version."""

    def template(self, means: Tensor) -> Tensor:
        return _cut(means)

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        images = _levels(images)
        pairs = zip(_levels(templates), self._levels_of(len(templates)), strict=True)
        counts = [(_wrapped(template, images) > level).sum((1, 2, 3)) for template, level in pairs]
        return torch.stack(counts, 1).float()

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        distances = self.distances(images, templates)
        return distances.amax(1), distances.argmin(1)

    def for_limits(self, images: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        return self.distances(images, templates)

    def limits(self, known: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        """The mean over the classes of (mean count of own photos + mean count of the others') / 2, less 500 / K.

        500 pixels of 128 x 128 were taken off the sum over the K classes.
        """
        own = classes[:, None] == torch.arange(len(templates), device=classes.device)
        pairs = zip(known.T, own.T, strict=True)
        means = [(counts[mask].mean() + counts[~mask].mean()) / 2 for counts, mask in pairs]
        less = 500 / 128**2 * templates[0].numel()
        return ((torch.stack(means).sum() - less) / len(templates)).expand(len(templates))

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        """The wrapped differences to the template, in grey levels of [0, 1]."""
        return _wrapped(_levels(templates), _levels(images)).float() / 255

    def _levels_of(self, count: int) -> tuple[int, ...]:
        return self.levels if count == len(self.levels) else (self.other_level,) * count


class SSIM(Comparison):
    """1 - SSIM, in [0, 2]: scikit-image's default, a 7 x 7 uniform window with sample covariances."""

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        return 1 - ssim_matrix(images, templates, window=7, sample=True)

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        return 1 - ssim_map(images, templates, window=7, sample=True)


class MSSSIM(Comparison):
    """1 - multi-scale SSIM with the class that SSIM picks, both as in sewar; in [0, 2], glare removed before.

    Templates are stretched to the full range from black to white and rounded to 8 bits.
    """

    def prepare(self, images: Tensor) -> Tensor:
        return remove_glare(images)

    def template(self, means: Tensor) -> Tensor:
        low, high = means.amin((1, 2, 3), keepdim=True), means.amax((1, 2, 3), keepdim=True)
        return ((means - low) / (high - low).clamp_min(1e-6) * 255).round() / 255

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        return torch.stack([1 - ms_ssim(images, template[None]) for template in templates], 1)

    def matches(self, images: Tensor, templates: Tensor) -> Tensor:
        return 1 - ssim_matrix(images, templates, window=11, sample=False)

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        classes = self.matches(images, templates).argmin(1)
        return 1 - ms_ssim(images, templates[classes]), classes

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        return 1 - ms_ssim_map(images, templates)


class NCC(Comparison):
    """1 - normalised cross-correlation (Pearson), in [0, 2]; what is outside the die or black becomes white.

    The maps are half the squared differences of the images in their own deviations; they average to the distance. An
    image of one grey level, which correlates with nothing, has 0.5. The limit of a class is its floor: the distance of
    the least similar of its own normal photos.
    """

    limited: ClassVar[bool] = True

    def prepare(self, images: Tensor) -> Tensor:
        return torch.where(_disk(images) & (images > 0), images, 1)

    def template(self, means: Tensor) -> Tensor:
        return self.prepare(means)

    def for_limits(self, images: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        return self.maps(images, templates[classes]).mean((1, 2, 3))[:, None]

    def limits(self, known: Tensor, templates: Tensor, classes: Tensor) -> Tensor:
        return known.new_zeros(len(templates)).scatter_reduce_(0, classes, known[:, 0], "amax")

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        return _mean_squares(_standardised(images), _standardised(templates)) / 2

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        values, classes, _ = self.assess(images, templates)
        return values, classes

    def assess(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        squares, classes, maps = _nearest(_standardised(images), _standardised(templates))
        return squares / 2, classes, maps.div_(2)

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        return (_standardised(images) - _standardised(templates)).square_().div_(2)


class PlainNCC(NCC):
    """1 - normalised cross-correlation of the images as they are, OpenCV's `TM_CCOEFF_NORMED`, in [0, 2]."""

    limited: ClassVar[bool] = False

    def prepare(self, images: Tensor) -> Tensor:
        return images


class AbsDiff(Comparison):
    """Counts of pixels that differ by more than half the range, as shares of the worst template's count.

    An earlier project counted in 8 bits D1, where |t - x| > 127, and D2, where the stretched image |2.5 x - 100|
    exceeds t by more than 127. Each count is divided by the largest over the templates, and an image was normal where
    the least shares stayed below 0.045 and 0.14. The value of `compare` is the larger of the least shares in units of
    these limits: 1 is the published rule. It means something for two or more templates. These are running means in 8
    bits that went through a JPEG file.
    """

    shares: ClassVar[tuple[float, float]] = (0.045, 0.14)
    sequential: ClassVar[bool] = True

    def template_of(self, photos: Tensor) -> Tensor:
        return running_template(photos)

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        """The larger of the two shares of each template, in units of the limits."""
        return torch.maximum(*self._shares(images, templates))

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        first, second = self._shares(images, templates)
        classes = torch.maximum(first, second).argmin(1)
        return torch.maximum(first.amin(1), second.amin(1)), classes

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        """0, 0.5 or 1: the pixel counts in none, one or both of D1 and D2."""
        first, second = _far_apart(images, templates)
        return (first.float() + second.float()) / 2

    def _shares(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [_far_apart(images, template) for template in templates]
        # In double precision 9 of 200 pixels are 0.045 and reach that limit, as they did in the original.
        counts = (torch.stack([far[which].sum((1, 2, 3)) for far in pairs], 1).double() for which in (0, 1))
        first, second = (
            count / count.amax(1, keepdim=True).clamp_min(1) / limit
            for count, limit in zip(counts, self.shares, strict=True)
        )
        return first, second


class DarkBand(Comparison):
    """How much of the image is dark, against the range that normals of its class have; the class by `NCC`.

    `compare` gives the dark share of [0, 255]. The detector keeps the least and the largest value that `compare` gives
    for the normals of each class, and `score` turns a value into its place beside that band.
    """

    banded: ClassVar[bool] = True
    level: ClassVar[float] = 50 / 255

    def __init__(self) -> None:
        self._ncc = NCC()

    def distances(self, images: Tensor, templates: Tensor) -> Tensor:
        """|dark share of the image - dark share of the template|, of [0, 255]."""
        return (self.statistic(images)[:, None] - self.statistic(templates)).abs()

    def matches(self, images: Tensor, templates: Tensor) -> Tensor:
        return self._ncc.distances(self._ncc.prepare(images), self._ncc.template(templates))

    def compare(self, images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
        return self.statistic(images), self.matches(images, templates).argmin(1)

    def statistic(self, images: Tensor) -> Tensor:
        """255 times the share of pixels of at most level 50 of 255: (N,)."""
        return 255 * self._dark(images).mean((1, 2, 3))

    def score(self, values: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """How far each value lies outside its band [low, high], in band widths; 0 at an edge, negative inside.

        All (N,).

        >>> DarkBand().score(torch.tensor([8.0, 5.0]), torch.tensor([4.0, 4.0]), torch.tensor([6.0, 6.0])).tolist()
        [1.0, -0.5]
        """
        # A band of a single photo has no width; a pixel of a 128 x 128 image is 0.016.
        return torch.maximum(low - values, values - high) / (high - low).clamp_min(0.016)

    def maps(self, images: Tensor, templates: Tensor) -> Tensor:
        """1 where only one of image and template is dark, else 0."""
        return (self._dark(images) - self._dark(templates)).abs()

    def _dark(self, images: Tensor) -> Tensor:
        return (_levels(images) <= 255 * self.level).float()


def wrapped_mse(templates: Tensor, images: Tensor) -> Tensor:
    """The mean over the pixels of (((t - x) mod 256)² mod 256): uint8 (K, 1, H, W), (N, 1, H, W) -> (N, K) float32.

    >>> levels = torch.tensor([0, 3, 16, 255], dtype=torch.uint8).view(4, 1, 1, 1)
    >>> wrapped_mse(levels, levels[:1]).tolist()
    [[0.0, 9.0, 0.0, 1.0]]
    """
    pairs = [_wrapped_squares(template, images) for template in templates]
    return torch.stack([squares.float().mean((1, 2, 3)) for squares in pairs], 1)


def running_template(photos: Tensor) -> Tensor:
    """The running mean in 8 bits of photos (N, 1, H, W) uint8, through a JPEG file: (1, H, W) in [0, 1]."""
    mean = through_jpeg(running_mean(photos[:, 0].cpu().numpy()))
    return torch.from_numpy(mean.copy()).to(photos.device)[None] / 255


def _mean_squares(images: Tensor, templates: Tensor) -> Tensor:
    """Mean squared differences (N, K) by a matrix product."""
    ours, theirs = images.flatten(1), templates.flatten(1)
    # Around their middle the squares are small, so that little is lost in the difference of sums.
    middle = theirs.mean(0)
    ours, theirs = ours - middle, theirs - middle
    products = ours @ (2 * theirs).T
    squares = ours.square_().sum(1, keepdim=True) + theirs.square_().sum(1) - products
    return squares.clamp_min(0) / ours.shape[1]


def _nearest(images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image the least mean squared difference (N,), the template that gives it, and the squares (N, 1, H, W).

    One product finds the template, for |x|² in |x - t|² is the same for all; then only one difference is taken.
    """
    theirs = templates.flatten(1)
    # Around their middle, so that little is lost in the difference of sums.
    lengths = theirs.square().sum(1) / 2
    classes = torch.addmm(lengths[:, None], theirs - theirs.mean(0), images.flatten(1).T, alpha=-1).argmin(0)
    maps = templates[classes].sub_(images).square_()
    return maps.mean((1, 2, 3)), classes, maps


def _cut(means: Tensor) -> Tensor:
    """[0, 1] -> whole levels, decimals cut off."""
    # A class of equal photos must not lose a level to the last digit of its mean; decimals are 1 / photos or more.
    return (means * 255 + 1e-4).floor() / 255


def _wrapped(templates: Tensor, images: Tensor) -> Tensor:
    """(t - x) mod 256 of uint8."""
    if torch.compiler.is_exporting():  # runtimes do not subtract uint8
        return (templates.int() - images.int()) & 255
    return templates - images


def _wrapped_squares(templates: Tensor, images: Tensor) -> Tensor:
    if torch.compiler.is_exporting():  # runtimes do not multiply uint8
        return (templates.int() - images.int()).square() & 255
    differences = templates - images
    return differences * differences


def _levels(images: Tensor) -> Tensor:
    """[0, 1] -> uint8."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8)


def _far_apart(images: Tensor, templates: Tensor) -> tuple[Tensor, Tensor]:
    """Where D1 and D2 of `AbsDiff` count, bool."""
    ours, theirs = (images * 255).round(), (templates * 255).round()
    stretched = (2.5 * ours - 100).abs().round().clamp_max(255)
    return (theirs - ours).abs() > 127, stretched - theirs > 127


def _standardised(images: Tensor) -> Tensor:
    """Each image with mean 0 and deviation 1; an image of one grey level becomes 0."""
    centred = images - images.mean((1, 2, 3), keepdim=True)
    return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)


def _disk(images: Tensor) -> Tensor:
    """(H, W) bool: within 60 of 128 pixels of the pixel in the middle."""
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) - height // 2
    columns = torch.arange(width, device=images.device) - width // 2
    return rows[:, None].square() + columns.square() <= (60 / 128 * min(height, width)) ** 2
