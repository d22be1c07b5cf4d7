"""Lighting styles of the photo sessions, and the light of a single photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Look:
    """The lighting style of a session.

    Grey levels (0..255) of the bare face, the ground and the logo's ink; `side` is how much darker the die's outline
    is than its face (0..1), `fall` how fast that darkness fades towards the rim; glare comes with the probability
    `glare_chance` from about `glare_from`, and the sides are darkest towards `dark_from` (degrees: 0 right, 90 down).
    """

    face: float
    ground: float
    ink: float
    side: float
    fall: float
    glare_chance: float
    glare_from: float
    dark_from: float


LOOKS = {
    "16_09_21": Look(211, 24, 47, side=0.45, fall=1.5, glare_chance=0.75, glare_from=205, dark_from=235),
    "17_11_21": Look(211, 26, 48, side=0.47, fall=1.6, glare_chance=0.75, glare_from=225, dark_from=245),
    "25_10_21": Look(219, 40, 33, side=0.34, fall=2.3, glare_chance=0.15, glare_from=30, dark_from=225),
    "26_01_22": Look(222, 38, 39, side=0.30, fall=2.4, glare_chance=0.55, glare_from=135, dark_from=300),
}


@dataclass(frozen=True)
class Light:
    """The light of one photo: its session's look, and the glare.

    `towards` is the direction (radians) from which the glare comes, `strength` runs from 0 to 1, and `reach` is how
    far the glare spreads inwards from the rim, in 1/128 of the side.
    """

    look: Look
    towards: float
    strength: float
    reach: float


def draw_light(generator: np.random.Generator, look: Look) -> Light:
    """Draw one photo's glare: strong and wide for some, faint for the rest."""
    glare = generator.random() < look.glare_chance
    return Light(
        look=look,
        towards=math.radians(look.glare_from + generator.normal(0, 35)),
        strength=generator.uniform(0.7, 1.0) if glare else generator.uniform(0.0, 0.4),
        reach=generator.uniform(8, 25) if glare else generator.uniform(2, 6),
    )
