"""1 - mean SSIM as a score."""

from __future__ import annotations

import torch
from skimage.metrics import structural_similarity

from anodice.models.losses import reconstruction_loss
from anodice.scoring.score import Seen
from anodice.scoring.ssim_loss import SSIMLoss


def _pictures():
    images, noise = torch.rand(2, 3, 1, 32, 40, generator=torch.Generator().manual_seed(0))
    return images, (images + 0.2 * (noise - 0.5)).clamp(0, 1)


def test_it_is_scikit_images_mean_where_the_window_fits():
    images, others = _pictures()
    maps, scores = SSIMLoss()(Seen(images, reconstructions=others))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    for image, other, score, one in zip(images[:, 0].double(), others[:, 0].double(), scores, maps, strict=True):
        value, full = structural_similarity(image.numpy(), other.numpy(), full=True, **settings)
        assert abs(score.item() - (1 - value)) < 1e-5
        torch.testing.assert_close(
            one[0, 5:-5, 5:-5].double(), 1 - torch.from_numpy(full)[5:-5, 5:-5], atol=1e-5, rtol=0
        )


def test_its_mean_is_the_loss_of_that_name():
    images, others = _pictures()
    _, scores = SSIMLoss()(Seen(images, reconstructions=others))
    assert abs(scores.mean().item() - reconstruction_loss("ssim")(others, images).item()) < 1e-5
