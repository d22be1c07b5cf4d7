"""Photos to turn: drawn dice, and what is no die."""

from __future__ import annotations

import numpy as np

from anodice.dice.renderer import CLASSES, render


def drawn_dice(size=128, classes=CLASSES):
    generator = np.random.default_rng(0)
    return np.stack([render(name, generator, size=size).image for name in classes])


def no_dice(size):
    """Photos that are no dice: white, black, noise, a dark half, a single dark pixel."""
    white = np.full((size, size), 255, dtype=np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (size, size), dtype=np.uint8)
    half, spot = white.copy(), white.copy()
    half[size // 2 :], spot[size // 2, size // 4] = 0, 0
    return np.stack([white, 0 * white, noise, half, spot])
