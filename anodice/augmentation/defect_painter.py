"""Defects painted on whole batches in training, on the device of the images, with the masks of what changed.

A few tensor operations paint a batch: the slow drawing of strokes and shapes is done once, into a bank of stamps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.augmentation.appearance import Augmentation
from anodice.dice.drawing.shapes import SIDE
from anodice.dice.drawing.stamps import BRIDGE_LENGTH, STAMPERS, Use, draw_stamps
from anodice.errors import AnodiceError
from anodice.functional.morphology import highest_nearby, lowest_nearby

SMALLEST = 32
VISIBLE = 8 / 255
"""A change of more than this many grey levels of [0, 1] counts as visible."""
REACH = 0.85
"""Defects lie within this distance of the middle, in half sides: a die fills the photo up to there."""

_SHARES = {Use.INK: 0.40, Use.WEAR: 0.34, Use.BRIDGE: 0.10, Use.PATCH: 0.16}
_SCALES = {Use.INK: (0.6, 1.15), Use.WEAR: (0.7, 1.15), Use.BRIDGE: (0.6, 1.3), Use.PATCH: (0.7, 1.3)}

_CELLS = 16
# In cells: a window that reaches so far is wider than a pip or an arm of the logo, so that some bare face shows in it.
_NEARBY = 3
# About the radius of a pip, in half sides.
_PIP = 0.17
_LEAST_PIXELS = 12
"""The least number of visibly changed pixels, at 128 pixels."""


@dataclass(frozen=True)
class _Scene:
    """Coarse views of images: `bare` (N, C, G, G), the face without its marks; `dark` (N, G, G), the marks."""

    bare: Tensor
    dark: Tensor

    def of(self, chosen: Tensor) -> _Scene:
        return _Scene(self.bare[chosen], self.dark[chosen])


class DefectPainter(nn.Module):
    """Paints one defect each on some of the images (N, C, S, S), float32 in [0, 1], and tells where.

    Returns the painted images (a new tensor) and bool masks (N, 1, S, S) of the pixels of which some channel changed by
    more than 8/255. The masks of images that were not painted are empty, those of the others never are. Strokes, blots
    and scratches, bold and faint, lie anywhere within `REACH` of the middle; about a third of the defects show the
    bare face in place of a mark (missing, broken and worn pips, a cut logo), others join marks or show another place
    of the same or another image of the batch (Li et al. 2021, CutPaste). Images without marks are painted as well.

    The bank of stamps comes from `seed`, everything else from torch's global generator.

    Args:
        image_size: side of the images in pixels, at least 32.
        stamps: number of stamps in the bank; each takes image_size² bytes.
        share: probability that an image is painted, in [0, 1].
        seed: seed of the bank.

    >>> painter = DefectPainter(image_size=32, stamps=36, share=1.0, seed=0)
    >>> painted, masks = painter(torch.full((2, 1, 32, 32), 0.8))
    >>> painted.shape, masks.dtype, masks.flatten(1).any(1).tolist()
    (torch.Size([2, 1, 32, 32]), torch.bool, [True, True])
    """

    def __init__(self, *, image_size: int = 128, stamps: int = 512, share: float = 0.5, seed: int = 0) -> None:
        for name, value, least in (
            ("image_size", image_size, SMALLEST),
            ("stamps", stamps, len(STAMPERS)),
            ("seed", seed, 0),
        ):
            if not isinstance(value, int) or value < least:
                raise AnodiceError(f"expected painter.{name} to be a whole number of at least {least}, got {value!r}.")
        if not 0 <= share <= 1:
            raise AnodiceError(f"expected painter.share between 0 and 1, got {share!r}; 0.5 paints every other image.")
        super().__init__()
        self.image_size, self.stamps, self.share, self.seed = image_size, stamps, share, seed
        self.least = max(4, round(_LEAST_PIXELS * (image_size / SIDE) ** 2))
        bank = draw_stamps(stamps, size=image_size, seed=seed)
        uses = torch.from_numpy(bank.use)
        counts = torch.bincount(uses, minlength=len(Use))
        line = (torch.arange(image_size) + 0.5) * 2 / image_size - 1
        away = torch.hypot(line[:, None], line)
        cells = (torch.arange(_CELLS) + 0.5) * 2 / _CELLS - 1
        places = torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1).reshape(-1, 2)
        tables = {
            "opacity": torch.from_numpy(bank.opacity)[:, None],
            "uses": uses,
            "reaches": torch.from_numpy(bank.reach),
            "weights": (torch.tensor([_SHARES[use] for use in Use]) / counts)[uses],
            "scales": torch.tensor([_SCALES[use] for use in Use]),
            "line": line,
            "on_die": ((REACH - away) * image_size / 4).clamp(0, 1),
            "places": places,
            # Places near the rim are left out: most of what is painted there would lie out of reach.
            "inner": (places.norm(dim=1) < REACH - 0.05).float(),
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self._check(images)
        painted = images.clone()
        masks = torch.zeros_like(images[:, :1], dtype=torch.bool)
        chosen = (torch.rand(len(images), device=images.device) < self.share).nonzero().squeeze(1)
        if len(chosen) > 0:
            painted[chosen], masks[chosen] = self._paint(images, chosen)
        return painted, masks

    def _check(self, images: Tensor) -> None:
        side = self.image_size
        if images.ndim != 4 or images.shape[2:] != (side, side) or images.dtype != torch.float32:
            raise AnodiceError(
                f"expected float32 images (N, C, {side}, {side}) in [0, 1] to paint on, got {images.dtype} "
                f"{tuple(images.shape)}; convert and resize them, or set painter.image_size."
            )

    def _paint(self, images: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """One defect on each of the `chosen` (n,) images: painted (n, C, S, S), masks (n, 1, S, S)."""
        everything = self._look(images)
        below, scene = images.index_select(0, chosen), everything.of(chosen)
        picks = _drawn(self.weights.expand(len(below), -1))
        uses = self.uses[picks]
        middles, turns, scales = self._place(picks, uses, scene)
        grid = self._grid(middles, turns, 1 / scales, torch.zeros_like(middles))
        alpha = F.grid_sample(self.opacity.index_select(0, picks).float(), grid, align_corners=False)
        alpha *= self.on_die * (self._strength(uses) / 255)
        above = self._tones(below, uses, scene)
        worn, patched = (uses == Use.WEAR).nonzero().squeeze(1), (uses == Use.PATCH).nonzero().squeeze(1)
        if len(worn) > 0:
            above[worn] = self._bare(scene.bare[worn])
        if len(patched) > 0:
            above[patched] = self._elsewhere(images, everything, chosen[patched], middles[patched])
        coarseness = _noise(below) + 0.02 * _uniform(below, 0, 1) * (uses == Use.INK)
        # One grain for the whole batch, in other strengths, is as good as many and much cheaper.
        above += torch.randn_like(below[:1, :1]) * coarseness[:, None, None, None]
        painted = torch.lerp(below, above, alpha).clamp_(0, 1)
        masks = _visible(painted, below)
        weak = (masks.flatten(1).sum(1) < self.least).nonzero().squeeze(1)
        if len(weak) > 0:
            painted[weak] = self._dotted(below[weak])
            masks[weak] = _visible(painted[weak], below[weak])
        return painted, masks

    def _look(self, images: Tensor) -> _Scene:
        """The marks of each image, as what a closing of its coarse copy fills in."""
        coarse = F.adaptive_avg_pool2d(images, _CELLS)
        bare = lowest_nearby(highest_nearby(coarse, _NEARBY), _NEARBY)
        return _Scene(bare, (bare - coarse).mean(1))

    def _mark(self, dark: Tensor, settled: Tensor) -> Tensor:
        """A point (n, 2) on the marks; where `settled` (n,) says so, in the middle of a pip or of an arm."""
        weight = dark.flatten(1) * self.inner
        # The small constant is for images without marks: there every place will do.
        cells = _drawn(weight.square() + 1e-7 * self.inner)
        jitter = torch.rand(len(dark), 2, device=dark.device) - 0.5
        points = self.places[cells] + jitter * 2 / _CELLS
        near = torch.exp(-(points[:, None] - self.places).square().sum(2) / (2 * _PIP**2)) * (weight + 1e-6)
        middles = (near[:, :, None] * self.places).sum(1) / near.sum(1, keepdim=True)
        return torch.where(settled[:, None], middles, points)

    def _place(self, picks: Tensor, uses: Tensor, scene: _Scene) -> tuple[Tensor, Tensor, Tensor]:
        """Where each stamp goes: its middle (n, 2) in half sides, its turn (n,) in radians, its scale (n, 2)."""
        low, high = self.scales[uses].unbind(1)
        scale = low + (high - low) * _uniform(picks, 0, 1)
        ink_or_patch = (uses == Use.INK) | (uses == Use.PATCH)
        scale = torch.where(ink_or_patch, scale.minimum(REACH / self.reaches[picks]), scale)
        turns = _uniform(picks, 0, 2 * math.pi)
        away = (REACH - self.reaches[picks] * scale).clamp_min(0) * _uniform(picks, 0, 1).sqrt()
        angle = _uniform(picks, 0, 2 * math.pi)
        anywhere = torch.stack([away * angle.cos(), away * angle.sin()], 1)
        settled = (_uniform(picks, 0, 1) < 0.6) | (uses == Use.BRIDGE)
        first, second = self._mark(scene.dark, settled), self._mark(scene.dark, settled)
        between = second - first
        # Two points of one pip give a short bridge: paint that sticks out of it.
        length = between.norm(dim=1).clamp_min(0.4) * SIDE / 2 / BRIDGE_LENGTH
        bridge = uses == Use.BRIDGE
        turns = torch.where(bridge, torch.atan2(between[:, 1], between[:, 0]), turns)
        middles = torch.where(bridge[:, None], first + between / 2, torch.where(ink_or_patch[:, None], anywhere, first))
        flip = (_uniform(picks, 0, 1) < 0.5) * 2 - 1
        return middles, turns, torch.stack([torch.where(bridge, length, scale), scale * flip], 1)

    def _grid(self, middles: Tensor, turns: Tensor, zoom: Tensor, sources: Tensor) -> Tensor:
        """Where to sample (n, S, S, 2) so that `sources` (n, 2) come to `middles`, turned and 1 / `zoom` as large."""
        x, y = self.line - middles[:, :1], middles[:, 1:]
        cos, sin = turns.cos()[:, None], turns.sin()[:, None]
        across, down = zoom[:, :1], zoom[:, 1:]
        start = torch.stack([cos * across * x - sin * across * y, -sin * down * x - cos * down * y], 2)
        slope = torch.stack([sin * across, cos * down], 2).expand_as(start)
        # Places are linear in the row: this is far cheaper than affine_grid, a matrix product for every pixel.
        start = (start + sources[:, None]).flatten(1)[:, None]
        return torch.addcmul(start, slope.flatten(1)[:, None], self.line[:, None]).unflatten(2, (-1, 2))

    def _tones(self, below: Tensor, uses: Tensor, scene: _Scene) -> Tensor:
        """Paint (n, C, S, S): dark ink, a middle grey, a glint, or dull on the face and light on the marks."""
        style = _uniform(below, 0, 1)
        style = torch.where(uses == Use.BRIDGE, torch.zeros_like(style), style)
        ink, grey = _uniform(below, 0.02, 0.2), _uniform(below, 0.25, 0.65)
        glint, light = _uniform(below, 0.95, 1.0), _uniform(below, 0.5, 0.85)
        on_face = torch.where(style < 0.6, ink, torch.where(style < 0.92, grey, glint))
        on_mark = torch.where(style < 0.6, ink, torch.where(style < 0.72, grey, light))
        middle = 0.5 * scene.bare.mean((1, 2, 3), keepdim=True)
        marks = ((middle - below.mean(1, keepdim=True)) * 10 + 0.5).clamp_(0, 1)
        steps = (on_mark - on_face)[:, None, None, None]
        return (on_face[:, None, None, None] + steps * marks).repeat(1, below.shape[1], 1, 1)

    def _bare(self, bare: Tensor) -> Tensor:
        """The bare face (n, C, S, S) behind the marks, at times duller than it was."""
        dull = (_uniform(bare, 0, 1) < 0.3) * _uniform(bare, 0, 0.3)
        size = (self.image_size, self.image_size)
        return F.interpolate(bare * (1 - dull)[:, None, None, None], size=size, mode="bilinear")

    def _elsewhere(self, images: Tensor, scene: _Scene, chosen: Tensor, middles: Tensor) -> Tensor:
        """A mark of the same image or of another one, turned and brought to `middles`."""
        others = torch.randint(len(images), (len(chosen),), device=images.device)
        sources = torch.where(_uniform(middles, 0, 1) < 0.5, chosen, others)
        marks = self._mark(scene.dark[sources], _uniform(middles, 0, 1) < 0.3)
        still = torch.ones_like(middles)
        grid = self._grid(middles, _uniform(middles, 0, 2 * math.pi), still, marks)
        return F.grid_sample(images[sources], grid, padding_mode="border", align_corners=False)

    def _strength(self, uses: Tensor) -> Tensor:
        """How opaque each defect is (n, 1, 1, 1): most fully or nearly so, some faintly."""
        full, faint = _uniform(uses, 0.85, 1.15).clamp_max(1), _uniform(uses, 0.2, 0.85)
        return torch.where(_uniform(uses, 0, 1) < 0.7, full, faint)[:, None, None, None]

    def _dotted(self, below: Tensor) -> Tensor:
        """A dot that shows on any ground, for images on which the drawn defect did not."""
        away, angle, radius = _uniform(below, 0, 0.6), _uniform(below, 0, 2 * math.pi), _uniform(below, 0.12, 0.2)
        x, y = away * angle.cos(), away * angle.sin()
        distance = torch.hypot(self.line - x[:, None, None], self.line[:, None] - y[:, None, None])
        alpha = ((radius[:, None, None] - distance) * self.image_size / 2).clamp(0, 1)[:, None]
        contrast = torch.where(below.mean(1, keepdim=True) < 0.5, 0.9, 0.1)
        return torch.lerp(below, contrast, alpha)


class DefectAugmentation(nn.Module):
    """Augments images, then paints defects on them; keeps the images before the painting.

    Args:
        before: changes that are no defect.
        painter: images -> painted images and masks.
    """

    def __init__(self, *, before: Augmentation, painter: DefectPainter) -> None:
        super().__init__()
        self.before, self.painter = before, painter

    def augment(self, images: Tensor) -> dict[str, Tensor]:
        """What takes the place of `image` in a training batch: also `clean`, of its shape."""
        clean = self.before(images)
        return {"image": self.painter(clean)[0], "clean": clean}


def _visible(painted: Tensor, below: Tensor) -> Tensor:
    """Where some channel changed by more than `VISIBLE`: (n, 1, S, S) bool."""
    return ((painted - below).abs_() > VISIBLE).any(1, keepdim=True)


def _drawn(weights: Tensor) -> Tensor:
    """A column (n,) drawn from each row of weights (n, k), as often as its share; the fastest of k arrivals.

    `torch.multinomial` does the same with slower draws.
    """
    return (weights / -torch.rand_like(weights).log_()).argmax(1)


def _noise(images: Tensor) -> Tensor:
    """Standard deviation (n,) of the pixel noise, from second differences along some of the rows."""
    rows = images[:, 0, ::16]
    second = rows[..., 2::2] - 2 * rows[..., 1:-1:2] + rows[..., :-2:2]
    return second.abs().flatten(1).median(1).values / (0.6745 * math.sqrt(6))


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    """One draw from [low, high) per row."""
    return torch.empty(len(like), device=like.device).uniform_(low, high)
