"""The memory of PatchCore (Roth et al. 2022), "Towards Total Recall in Industrial Anomaly Detection"."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anodice.errors import AnodiceError
from anodice.functional.windows import resized_by_mean
from anodice.models.feature_memory import Extract, spread
from anodice.scoring.coreset import greedy_coreset
from anodice.scoring.exact_search import ExactSearch
from anodice.scoring.fitted_buffer import size_from_checkpoint
from anodice.scoring.map_score import MapScore
from anodice.scoring.pooling import Max
from anodice.scoring.score import Batches

_PROJECTED = 256
"""Length to which longer patches are projected for the choice of the coreset: distances err by about a 22nd then."""


class PatchMemory(nn.Module):
    """Feature maps -> anomaly maps and scores, by one memory of normal patches from anywhere (Roth et al. 2022).

    Each feature map is averaged over 3x3 places (section 3.1), the deeper ones are enlarged to the size of the first,
    and all are joined: a patch for each place. A greedy coreset of all patches of the normal photos is the memory
    (section 3.2). The map holds each patch's Euclidean distance from the memory, enlarged and smoothed. The score is
    the distance of the farthest patch p from its nearest entry m, times 1 - exp|p - m| / sum exp|p - n| over the
    entries n nearest to m, m among them (equation 7): a patch in a sparse region of the memory counts for more.

    Args:
        coreset: share of the patches that is kept, in (0, 1]; 0.01 in the paper's fastest setting.
        photos: normal photos that the patches are taken from, at most; as many of each class. The paper takes all.
        neighbours: entries that the weight of the score looks at.
        score: smooths the map (the paper: a Gaussian of deviation 4) and leaves out the border; it pools the maps of
            the encoder until the memory is filled, and no others. None for a Gaussian of 4 pixels and the whole image.
        image_size: height and width of the images and the maps.
    """

    def __init__(
        self,
        *,
        coreset: float = 0.01,
        photos: int = 250,
        neighbours: int = 9,
        score: MapScore | None = None,
        image_size: int = 128,
    ) -> None:
        super().__init__()
        if not 0 < coreset <= 1:
            raise AnodiceError(f"expected model.memory.coreset in (0, 1], got {coreset!r}; 0.01 is usual.")
        for name, value in (("photos", photos), ("neighbours", neighbours)):
            if not isinstance(value, int) or value < 1:
                raise AnodiceError(f"expected model.memory.{name} to be a whole number of at least 1, got {value!r}.")
        self.coreset, self.photos, self.neighbours = coreset, photos, neighbours
        self.score = MapScore(smoothing=4.0, pooling=Max(), image_size=image_size) if score is None else score
        self.image_size = image_size
        self.register_buffer("bank", torch.empty(0, 0))
        size_from_checkpoint(self, "bank")
        self._search: tuple[Tensor, ExactSearch] | None = None

    @property
    def is_filled(self) -> bool:
        return self.bank.numel() > 0

    @torch.no_grad()
    def fit(self, extract: Extract, fitted: Batches, held_out: Batches) -> None:
        """Keep a coreset of the patches of the `fitted` photos; what was kept before is lost."""
        taken = spread(torch.cat([batch["class"] for batch in fitted]).cpu(), self.photos)
        parts, start = [], 0
        for batch in fitted:
            images = batch["image"][taken[start : start + len(batch["image"])].to(batch["image"].device)]
            start += len(batch["image"])
            if len(images) > 0:
                parts.append(_patches(extract(images)).permute(0, 2, 3, 1).flatten(0, 2).half())
        patches = torch.cat(parts)
        count = max(1, round(self.coreset * len(patches)))
        self.bank = patches[greedy_coreset(patches[None], count, seed=0, length=_PROJECTED)[0]].float()

    def forward(self, layers: list[Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, 1, H, W) and scores (N,) float64, both at least 0.

        Raises:
            AnodiceError: nothing was fitted.
        """
        if not self.is_filled:
            raise AnodiceError("expected patches of normal photos to compare with, got none; train the detector first.")
        patches = _patches(layers)
        rows = patches.permute(0, 2, 3, 1).flatten(0, 2)
        places = patches.shape[2] * patches.shape[3]
        distances = self._squares(rows).sqrt().view(-1, places)
        scores = self._weighted(rows.view(-1, places, rows.shape[1]), distances)
        size = (self.image_size, self.image_size)
        grid = distances.view(-1, 1, *patches.shape[2:])
        maps, _ = self.score(F.interpolate(grid, size=size, mode="bilinear", align_corners=False))
        return maps, scores

    def _squares(self, rows: Tensor) -> Tensor:
        """Squared distances of patches (R, D) from the memory."""
        if torch.compiler.is_exporting():
            return (self._products(rows).amin(1) + rows.square().sum(1)).clamp_min(0)
        if self._search is None or self._search[0] is not self.bank:
            self._search = self.bank, ExactSearch(self.bank)
        return self._search[1].squares(rows)

    def _products(self, rows: Tensor) -> Tensor:
        """|b|² - 2 b·p of entries and patches, (R, M), of which the least is the nearest."""
        return torch.addmm(self.bank.square().sum(1), rows, self.bank.T, alpha=-2)

    def _weighted(self, patches: Tensor, distances: Tensor) -> Tensor:
        """The scores (N,) from patches (N, P, D) and their distances (N, P)."""
        inside = self._inside(distances.shape[1])
        worst = torch.where(inside, distances, -torch.inf).argmax(1, keepdim=True)
        farthest = patches.gather(1, worst[:, :, None].expand(-1, -1, patches.shape[2]))[:, 0]
        distance = distances.gather(1, worst)[:, 0]
        entry = self._products(farthest).argmin(1)
        count = min(self.neighbours, len(self.bank))
        around = self._distances(entry).topk(count, dim=1, largest=False).indices
        others = (farthest[:, None] - self.bank[around]).norm(dim=2)
        # Relative to the largest, so that no exponential overflows. With m alone the sum is its own and the weight 0.
        weight = 1 - (distance - others.logsumexp(1)).exp() if count > 1 else torch.ones_like(distance)
        scores = weight.clamp(0, 1) * distance
        return (scores.cpu() if scores.device.type == "mps" else scores).double()

    def _distances(self, entry: Tensor) -> Tensor:
        """From some entries to all of the memory, (N,) -> (N, M); in a graph, which needs but their order, squared."""
        if torch.compiler.is_exporting():  # ONNX has no cdist
            return self.bank.square().sum(1) - 2 * self.bank[entry] @ self.bank.T
        return torch.cdist(self.bank[entry], self.bank)

    def _inside(self, places: int) -> Tensor:
        """Which places (P,) of the patches lie within the border."""
        side = round(places**0.5)
        return resized_by_mean(self.score.inside[None, None].float(), side).flatten() >= 0.5


def _patches(layers: list[Tensor]) -> Tensor:
    """Feature maps -> (N, D, h, w), h and w those of the first: averaged over 3x3 places, enlarged and joined."""
    smooth = [F.avg_pool2d(features.float(), 3, stride=1, padding=1) for features in layers]
    size = smooth[0].shape[2:]
    enlarged = [F.interpolate(s, size=size, mode="bilinear", align_corners=False) for s in smooth[1:]]
    return torch.cat([smooth[0], *enlarged], 1)
