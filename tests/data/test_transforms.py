"""The transform of training, evaluation and export: from photos to what a network sees."""

from __future__ import annotations

import pytest
import torch

from anodice.data.transforms import EvaluationTransform


@pytest.mark.parametrize("channels", [1, 3])
def test_photos_become_images_between_zero_and_one(channels):
    photos = torch.randint(0, 256, (2, 4, 6, channels), dtype=torch.uint8)
    images = EvaluationTransform()(photos)
    assert (images.shape, images.dtype) == ((2, channels, 4, 6), torch.float32)
    torch.testing.assert_close(images[1, 0, 2, 3], photos[1, 2, 3, 0] / 255)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_lie_in_memory_channel_by_channel(channels):
    images = EvaluationTransform()(torch.zeros(2, 4, 6, channels, dtype=torch.uint8))
    assert images.stride() == (24 * channels, 24, 6, 1)


def test_black_is_zero_and_white_is_one():
    photos = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1)
    assert EvaluationTransform()(photos).flatten().tolist() == [0, 1]
