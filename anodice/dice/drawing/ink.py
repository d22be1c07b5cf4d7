"""Painters of defects on the face itself, which need no marks: pens, blots, smears and scratches."""

from __future__ import annotations

import math

import numpy as np

from anodice.dice.drawing.canvas import Canvas, Pen
from anodice.dice.drawing.shapes import Array, coverage, ripple


def pen_cross(canvas: Canvas, generator: np.random.Generator) -> Array:
    """Two thick black strokes that cross near the middle."""
    angle = generator.uniform(0, np.pi)
    image = canvas.image
    for turn in (0.0, generator.uniform(0.5, 1.4)):
        image = _bar(canvas, image, generator, angle + turn)
    return image


def _bar(canvas: Canvas, image: Array, generator: np.random.Generator, angle: float) -> Array:
    """One straight dry-brush stroke: streaks along it, ragged ends."""
    middle_x, middle_y = canvas.spot(generator, 14)
    cos, sin = math.cos(angle), math.sin(angle)
    along = ((canvas.x - middle_x) * cos + (canvas.y - middle_y) * sin) / canvas.scale
    across = ((canvas.y - middle_y) * cos - (canvas.x - middle_x) * sin) / canvas.scale
    half, length = generator.uniform(3.5, 8), generator.uniform(36, 58)
    lanes = np.linspace(-half, half, 10)
    ragged = np.interp(across, lanes, generator.exponential(2.5, 10)).astype(np.float32)
    streak = np.interp(across, np.linspace(-half, half, 24), generator.exponential(10, 24)).astype(np.float32)
    taper = half * (1 - 0.25 * np.clip(along / length, -1, 1)) + 0.4 * canvas.noise(generator, 18)
    pixel = 1 / canvas.scale
    alpha = coverage(np.abs(across) - taper, pixel) * coverage(np.abs(along) - length + ragged, pixel, soft=2)
    dry = np.clip(np.abs(along) / length - 0.6, 0, 1) * 3.5
    ink = 6 + (0.4 + dry) * streak + 3 * np.abs(canvas.grain(generator))
    return canvas.lay(image, np.minimum(ink, 190), alpha)


def pen_curve(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A thin winding pen line that runs dry at its end."""
    points = _winding(canvas, generator)
    width = generator.uniform(3, 6) * canvas.scale
    pen, streaks = Pen(canvas.size), Pen(canvas.size)
    dry = generator.uniform(0.65, 0.95)
    for step in range(len(points) - 1):
        share = step / len(points)
        strength = 1.0 if share < dry else 1 - 0.7 * (share - dry) / (1 - dry)
        pen.line(points[step : step + 2], width * generator.uniform(0.93, 1.07), strength)
    for _ in range(3):
        first, last = sorted(generator.integers(0, len(points), 2).tolist())
        offset = generator.uniform(-0.3, 0.3, 2) * width
        if last - first > 2:
            streaks.line([(x + offset[0], y + offset[1]) for x, y in points[first:last]], 0.5 * canvas.scale, 0.45)
    ink = 9 + 4 * np.abs(canvas.grain(generator)) + 150 * streaks.layer()
    return canvas.lay(canvas.image, ink, pen.layer())


def _winding(canvas: Canvas, generator: np.random.Generator) -> list[tuple[float, float]]:
    """A smooth S- or N-like path over the face: 48 pixel positions."""
    knots = np.array([(-38, 26), (-32, -22), (-8, -38), (14, -20), (20, 22), (30, 28), (38, -24)], float)
    knots += generator.normal(0, 5, knots.shape)
    knots = knots[: generator.integers(6, len(knots) + 1)] * generator.uniform(0.75, 1.05)
    if generator.random() < 0.5:
        knots[:, 1] *= -1
    angle = generator.uniform(0, 2 * np.pi)
    spots = (knots[:, 0] + 1j * knots[:, 1]) * np.exp(1j * angle) * canvas.scale + canvas.size / 2 * (1 + 1j)
    fine = np.linspace(0, len(spots) - 1, 48)
    smooth = np.interp(fine, np.arange(len(spots)), spots)
    # Averaging the corner-to-corner path rounds its corners as a quick hand does.
    kernel = np.ones(7) / 7
    smooth = np.convolve(np.pad(smooth, 3, mode="edge"), kernel, mode="valid")
    return list(zip(smooth.real.tolist(), smooth.imag.tolist(), strict=True))


def pen_ring(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A scribbled thick ring, around a pip where there is one near the middle."""
    pips = sorted(canvas.marks.pips, key=lambda pip: np.hypot(pip.x - canvas.size / 2, pip.y - canvas.size / 2))
    middle = (pips[0].x, pips[0].y) if pips else canvas.spot(generator, 12)
    across, down = (canvas.x - middle[0]) / canvas.scale, (canvas.y - middle[1]) / canvas.scale
    angle = np.arctan2(down, across)
    radius = generator.uniform(20, 28) + 1.5 * ripple(generator, angle, 2, 4, 3) + 0.3 * ripple(generator, angle, 5, 12)
    width = (
        generator.uniform(3.5, 8.5) + 1.0 * ripple(generator, angle, 1, 4, 3) + 0.4 * ripple(generator, angle, 5, 12)
    )
    off = np.hypot(across, down) - radius
    ink = 8 + 4 * np.abs(canvas.grain(generator))
    for _ in range(generator.integers(2, 6)):
        lane = generator.uniform(-0.8, 0.8) * width + 0.25 * ripple(generator, angle, 2, 9)
        there = np.clip(ripple(generator, angle, 1, 4) + 0.3, 0, 1)
        ink = ink + generator.uniform(40, 130) * there * np.exp(-(((off - lane) / 0.5) ** 2))
    ragged = 0.5 * canvas.noise(generator, 22)
    return canvas.lay(canvas.image, np.minimum(ink, 200), coverage(np.abs(off) - width + ragged, 1 / canvas.scale))


def blot(
    canvas: Canvas, image: Array, generator: np.random.Generator, middle: tuple[float, float], radius: float
) -> Array:
    """Lay one irregular grainy blot of about `radius` pixels at the pixel position `middle` over `image`."""
    stretch, angle = generator.uniform(1.0, 2.0), generator.uniform(0, np.pi)
    across = (canvas.x - middle[0]) * math.cos(angle) + (canvas.y - middle[1]) * math.sin(angle)
    down = (canvas.y - middle[1]) * math.cos(angle) - (canvas.x - middle[0]) * math.sin(angle)
    distance = np.hypot(across / stretch, down) - radius / math.sqrt(stretch)
    distance = distance + radius * (0.22 * canvas.noise(generator, 16) + 0.14 * canvas.noise(generator, 34))
    ink = 14 + 9 * np.abs(canvas.noise(generator, 30)) + 7 * np.abs(canvas.grain(generator))
    return canvas.lay(image, ink, coverage(distance, 1.0, soft=1.3))


def blob(canvas: Canvas, generator: np.random.Generator) -> Array:
    """One to three irregular dark blots close together."""
    image, middle = canvas.image, canvas.free_spot(generator, 36)
    for _ in range(generator.integers(1, 4)):
        offset = generator.normal(0, 5 * canvas.scale, 2)
        place = (middle[0] + offset[0], middle[1] + offset[1])
        image = blot(canvas, image, generator, place, generator.uniform(2.5, 6.5) * canvas.scale)
    return image


def extra_dot(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A round black dot, like a pip in a place where none belongs."""
    x, y = canvas.free_spot(generator, 42)
    radius = generator.uniform(4, 12)
    away = np.hypot(canvas.x - x, canvas.y - y) / canvas.scale
    shaded = canvas.image * (1 - 0.35 * np.exp(-np.maximum(away - radius, 0) / 2))
    ink = 7 + 3 * np.abs(canvas.grain(generator)) + 14 * np.exp(-((away / 4) ** 2))
    return canvas.lay(shaded, ink, coverage(away - radius + 0.3 * canvas.noise(generator, 16), 1 / canvas.scale))


def smudge(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A cloudy grey smear, and a dark speck beside it."""
    (x, y), angle = canvas.spot(generator, 46), generator.uniform(0, np.pi)
    across = ((canvas.x - x) * math.cos(angle) + (canvas.y - y) * math.sin(angle)) / canvas.scale
    down = ((canvas.y - y) * math.cos(angle) - (canvas.x - x) * math.sin(angle)) / canvas.scale
    long, wide = generator.uniform(7, 15), generator.uniform(3, 6)
    cloud = np.exp(-((across / long) ** 2) - (down / wide) ** 2) * (1 + 0.5 * canvas.noise(generator, 18))
    alpha = np.clip(1.8 * cloud - 0.35, 0, 1) * generator.uniform(0.35, 0.8)
    smeared = canvas.lay(canvas.image, 45 + 10 * canvas.grain(generator), alpha)
    speck = canvas.spot(generator, 46)
    return blot(canvas, smeared, generator, speck, generator.uniform(1.2, 2.5) * canvas.scale)


def scratch(canvas: Canvas, generator: np.random.Generator) -> Array:
    """A bundle of fine hair-like scratches along one direction: dark on the face, light on the marks."""
    pen = Pen(canvas.size)
    angle, spread = generator.uniform(0, np.pi), generator.uniform(4, 10)
    middle = canvas.spot(generator, 22)
    for _ in range(generator.integers(90, 220)):
        along, across = generator.uniform(-55, 55), generator.normal(0, spread)
        length, turn = generator.gamma(1.5, 3.5), angle + generator.normal(0, 0.05)
        start = complex(*middle) + complex(along, across) * np.exp(1j * angle) * canvas.scale
        end = start + length * np.exp(1j * turn) * canvas.scale
        width = generator.uniform(0.35, 1.0) * canvas.scale
        pen.line([(start.real, start.imag), (end.real, end.imag)], width, generator.beta(1.7, 1.5))
    layer = pen.layer()
    alpha = layer * np.clip(0.9 + 0.3 * canvas.noise(generator, 30), 0, 1)
    return canvas.lay(canvas.image, np.where(canvas.image < 90, 120.0, 35.0).astype(np.float32), alpha)


def hairline(canvas: Canvas, generator: np.random.Generator) -> Array:
    """One to three long thin scratches, slightly bent: light on the marks, grey on the face."""
    pen = Pen(canvas.size)
    for _ in range(generator.integers(1, 4)):
        angle, bend = generator.uniform(0, 2 * np.pi), generator.normal(0, 0.012)
        at = complex(*canvas.spot(generator, 30))
        points = []
        for _ in range(generator.integers(12, 28)):
            points.append((at.real, at.imag))
            at += 2.5 * canvas.scale * np.exp(1j * angle)
            angle += bend + generator.normal(0, 0.03)
        pen.line(points, generator.uniform(0.5, 1.3) * canvas.scale, generator.uniform(0.5, 0.95))
    colour = np.where(canvas.image < 90, 185.0, canvas.image - 70)
    return canvas.lay(canvas.image, colour.astype(np.float32), pen.layer())
