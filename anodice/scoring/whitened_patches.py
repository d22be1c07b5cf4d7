"""What small patches of an image look like, without a trained network: filters that whiten those of normal photos.

Filters of this kind are what a first convolution learns anyway; they know nothing of the objects and so fit any.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SIZE = 7
"""Pixels along a patch."""
_KEPT = 24
"""Principal components of the 49 of a patch: the rest is mostly noise."""
_FLOOR = 1e-3
"""Of the mean variance of the components: keeps those that hardly vary from being blown up."""
_STRIDE = 3
"""Pixels between the patches that the components are found from."""


class WhitenedPatches(nn.Module):
    """Images (N, C, H, W) -> features (N, 48, H / cell, W / cell): the mean strengths of 24 filters, by sign.

    The filters are the principal components of the brightness of 7x7 patches, each divided by its deviation: all that
    varies counts alike, as in whitening (Kessy et al. 2018). The mean of the positive and that of the negative answers
    in a cell are two features: a bright line beside a dark one does not cancel.

    Args:
        cell: pixels along a cell.
    """

    filters: Tensor
    means: Tensor

    def __init__(self, *, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.register_buffer("filters", torch.zeros(_KEPT, 1, _SIZE, _SIZE))
        self.register_buffer("means", torch.zeros(_KEPT))

    def fit(self, images: Tensor) -> None:
        """Find the filters in normal photos (N, C, H, W); what was found before is lost."""
        patches = F.unfold(images.mean(1, keepdim=True), _SIZE, stride=_STRIDE).transpose(1, 2).flatten(0, 1)
        patches = patches.double().cpu()  # eigenvectors are steadier so, and not every GPU has double
        mean = patches.mean(0)
        variances, components = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        variances, components = variances.flip(0)[:_KEPT], components.flip(1)[:, :_KEPT]
        filters = (components / (variances + _FLOOR * variances.mean() + 1e-12).sqrt()).T
        self.filters.copy_(filters.reshape_as(self.filters))
        self.means.copy_(filters @ mean)

    def forward(self, images: Tensor) -> Tensor:
        grey = F.pad(images.mean(1, keepdim=True), (_SIZE // 2,) * 4, mode="reflect")
        # With the filters side by side in memory, CPUs are more than twice as fast.
        grey, filters = (t.clone(memory_format=torch.channels_last) for t in (grey, self.filters))
        answers = F.conv2d(grey, filters, -self.means)
        mean = F.avg_pool2d(answers, self.cell)
        positive = F.avg_pool2d(answers.relu_(), self.cell)
        return torch.cat([positive, positive - mean], 1)
