"""What a defect is painted on: a photo of a die with its marks, the bare face behind them, and strokes of a pen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from anodice.dice.drawing.marks import Logo, Marks, Pip, logo_distance, pixels
from anodice.dice.drawing.shapes import SIDE, Array, blend, smooth_noise

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Canvas:
    """A photo to paint on: `image` (S, S) float32 grey levels 0..255, `marks` in pixels."""

    image: Array
    marks: Marks
    x: Array = field(init=False)
    y: Array = field(init=False)

    def __post_init__(self) -> None:
        """Set the pixel positions that every painter measures from."""
        x, y = pixels(self.size)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    @property
    def size(self) -> int:
        """Side of the photo in pixels."""
        return self.image.shape[0]

    @property
    def scale(self) -> float:
        """Pixels per 1/128 of the side."""
        return self.size / SIDE

    @cached_property
    def bare(self) -> Array:
        """The face as it would look without its marks: a blur over the pixels away from them."""
        seen = (self.mark_distance() > 9 * self.scale).astype(np.float32)
        spread = 5 * self.scale
        weight = ndimage.gaussian_filter(seen, spread, truncate=3)
        total = ndimage.gaussian_filter(self.image * seen, spread, truncate=3)
        # Deep inside a large mark no face pixel is near; the usual grey of the face stands in there.
        usual = float(np.percentile(self.image, 60))
        return (total + 1e-3 * usual) / (weight + 1e-3)

    def mark_distance(self) -> Array:
        """Signed distance in pixels to the nearest mark; far everywhere if there is none."""
        distance = np.full_like(self.image, 2.0 * self.size)
        for pip in self.marks.pips:
            distance = np.minimum(distance, self.pip_distance(pip))
        if self.marks.logo is not None:
            distance = np.minimum(distance, logo_distance(self.marks.logo, self.x, self.y))
        return distance

    def pip_distance(self, pip: Pip) -> Array:
        """Signed distance in pixels to one pip."""
        return np.hypot(self.x - pip.x, self.y - pip.y) - pip.radius

    def noise(self, generator: np.random.Generator, cells: int) -> Array:
        """A smooth random field with `cells` humps across the photo."""
        return smooth_noise(generator, self.size, cells)

    def grain(self, generator: np.random.Generator) -> Array:
        """Independent standard normal noise per pixel."""
        return generator.standard_normal((self.size, self.size), dtype=np.float32)

    @cached_property
    def blur(self) -> float:
        """How much blur, in pixels, makes a sharp painted edge as soft as the photo's sharpest ones."""
        step = np.abs(self.image[4:-3] - self.image[3:-4])
        rise = np.abs(self.image[7:] - self.image[:-7])
        edges = rise > 0.4 * np.ptp(self.image)
        if not edges.any():
            return 0.0
        sharpest = float(np.percentile(step[edges] / rise[edges], 95))
        # A step blurred by s climbs by 0.4 / s of its height in one pixel; painted edges bring 0.55 pixels of their
        # own, the shadow around marks counted in.
        spread = 0.4 / max(sharpest, 0.1)
        return min(float(np.sqrt(max(spread**2 - 0.55**2, 0.0))), 2 * self.scale)

    def lay(self, image: Array, ink: Array | float, alpha: Array) -> Array:
        """`ink` laid over `image` with the opacity `alpha` (0..1), as sharp as the photo."""
        if self.blur > 0.3:
            alpha = ndimage.gaussian_filter(alpha, self.blur, truncate=3)
        return blend(image, ink, alpha)

    def spot(self, generator: np.random.Generator, reach: float) -> tuple[float, float]:
        """A random pixel position on the face, at most `reach` (1/128 of the side) from its middle."""
        away, angle = reach * self.scale * math.sqrt(generator.random()), generator.uniform(0, 2 * math.pi)
        return self.size / 2 + away * math.cos(angle), self.size / 2 + away * math.sin(angle)

    def free_spot(self, generator: np.random.Generator, reach: float) -> tuple[float, float]:
        """Of six random spots, the one farthest from any mark."""
        distance = self.mark_distance()
        return max(
            (self.spot(generator, reach) for _ in range(6)),
            key=lambda spot: distance[min(int(spot[1]), self.size - 1), min(int(spot[0]), self.size - 1)],
        )

    def without(self, alpha: Array, generator: np.random.Generator) -> Array:
        """The photo with the bare face showing through, where `alpha` (0..1) says so."""
        return self.lay(self.image, self.bare + 0.6 * self.grain(generator), alpha)

    def one_pip(self, generator: np.random.Generator) -> Pip:
        """A random pip."""
        return self.marks.pips[generator.integers(len(self.marks.pips))]

    @property
    def logo(self) -> Logo:
        """The logo, for the painters that are only called where there is one."""
        if self.marks.logo is None:
            raise LookupError("this face has no logo")
        return self.marks.logo


class Pen:
    """A layer of strokes, drawn enlarged and then averaged down to smooth edges; all lengths in pixels."""

    def __init__(self, size: int) -> None:
        self._enlarge = 4 if size <= 128 else 2
        self._image = Image.new("L", (size * self._enlarge, size * self._enlarge))
        self._draw = ImageDraw.Draw(self._image)

    def line(self, points: Points, width: float, strength: float = 1.0) -> None:
        """A stroke through `points` with round joints; `strength` is its opacity, 0..1."""
        fill, wide = round(255 * min(max(strength, 0.0), 1.0)), max(1, round(width * self._enlarge))
        places = [(x * self._enlarge, y * self._enlarge) for x, y in points]
        self._draw.line(places, fill=fill, width=wide)
        if wide > 2:
            for x, y in places:
                half = wide / 2
                self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def polygon(self, points: Points) -> None:
        """A filled shape."""
        self._draw.polygon([(x * self._enlarge, y * self._enlarge) for x, y in points], fill=255)

    def layer(self) -> Array:
        """The opacity of the strokes so far, (size, size), 0..1."""
        return np.asarray(self._image.reduce(self._enlarge), dtype=np.float32) / 255
