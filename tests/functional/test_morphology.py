"""The extremes around pixels, against pooling."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from anodice.functional.morphology import highest_nearby, lowest_nearby


@pytest.mark.parametrize("radius", range(6))
@pytest.mark.parametrize("shape", [(2, 1, 9, 12), (1, 3, 12, 7), (3, 2, 4, 4)])
def test_extremes_are_those_of_pooling(radius, shape):
    images = torch.randn(shape, generator=torch.Generator().manual_seed(radius))
    images = torch.cat([images, images.transpose(2, 3)]) if shape[2] == shape[3] else images
    kept = images.clone()
    padded = F.pad(images, (radius,) * 4, value=-torch.inf)  # pooling itself pads by at most half its window
    assert torch.equal(highest_nearby(images, radius), F.max_pool2d(padded, 2 * radius + 1, stride=1))
    padded = F.pad(-images, (radius,) * 4, value=-torch.inf)
    assert torch.equal(lowest_nearby(images, radius), -F.max_pool2d(padded, 2 * radius + 1, stride=1))
    assert torch.equal(images, kept)


def test_memory_format_does_not_matter():
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(highest_nearby(images.to(memory_format=torch.channels_last), 2), highest_nearby(images, 2))
