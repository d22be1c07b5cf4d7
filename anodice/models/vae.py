"""A variational auto-encoder (Kingma & Welling 2014) whose loss is the negative ELBO in nats per image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from anodice.data.datamodule import Batch
from anodice.errors import AnodiceError
from anodice.functional.likelihoods import gaussian_kl, laplace_nll, laplace_nll_map
from anodice.models.blocks import Decoder, Encoder, check_bottleneck
from anodice.models.conv_ae import WIDTHS
from anodice.models.optimizers import OptimizerFactory, adamw
from anodice.models.reconstruction import ReconstructionDetector, target
from anodice.scoring.score import Score, Seen


class VAENetwork(nn.Module):
    """(N, C, H, W) in [0, 1] -> its reconstruction through a Gaussian code, without noise: the decoded posterior mean.

    Args:
        in_channels: C.
        image_size: H = W, a multiple of 2 ** len(widths).
        code: length of the code.
        noise_scale: scale of the Laplace noise that the decoder assumes, in grey levels of [0, 1].
        widths: channels after each convolution of stride 2, the encoder's; mirrored in the decoder.

    >>> sum(p.numel() for p in VAENetwork(in_channels=1, image_size=128, code=64).parameters())
    2435329
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        image_size: int = 128,
        code: int = 64,
        noise_scale: float = 0.02,
        widths: Sequence[int] = WIDTHS,
    ) -> None:
        super().__init__()
        check_bottleneck(code, in_channels * image_size**2)
        if not noise_scale > 0:
            raise AnodiceError(
                f"expected model.network.noise_scale above 0 grey levels, got {noise_scale!r}; 0.02 is usual."
            )
        self.in_channels, self.image_size, self.code = in_channels, image_size, code
        self.noise_scale, self.widths = noise_scale, tuple(widths)
        self.encoder = Encoder(in_channels=in_channels, widths=widths, image_size=image_size, code=2 * code)
        self.decoder = Decoder(out_channels=in_channels, widths=widths, image_size=image_size, code=code)

    @property
    def narrowest(self) -> int:
        """The length of the code."""
        return self.code

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the posterior, float32 (N, code) each."""
        mean, log_variance = self.encoder(images).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 12)  # e^12 grows no further: a wild first step does not end in infinity

    def codes(self, images: Tensor) -> Tensor:
        """The means of the posteriors, (N, code)."""
        return self.encode(images)[0]

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encode(images)[0])

    def elbo_parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Without noise: -log p of each pixel under the decoded mean, (N, 1, H, W), and the posteriors (N, 2, code).

        A posterior is its mean and its log variance.
        """
        posteriors = torch.stack(self.encode(images), 1)
        decoded = self.decoder(posteriors[:, 0]).float()
        return laplace_nll_map(images, decoded, self.noise_scale), posteriors

    def loss_terms(self, images: Tensor, targets: Tensor, *, beta: float) -> dict[str, Tensor]:
        """`loss` = `reconstruction` + beta `kl`, all in nats per image; one sample of the code per image.

        Args:
            targets: what the images should be reconstructed to, usually themselves.
        """
        mean, log_variance = self.encode(images)
        codes = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        nll = laplace_nll(targets, self.decoder(codes).float(), self.noise_scale).mean()
        kl = gaussian_kl(mean, log_variance).mean()
        return {"loss": nll + beta * kl, "reconstruction": nll, "kl": kl}


class VAE(ReconstructionDetector):
    """A variational auto-encoder (Kingma & Welling 2014): images (N, C, H, W) in [0, 1] -> maps, scores.

    Args:
        network: has `loss_terms(images, targets, beta=...)` and `elbo_parts(images)`, as `VAENetwork`; None for
            `VAENetwork()`, which takes grey images (N, 1, 128, 128).
        score: from what the network makes of images to maps (N, 1, H, W) and scores (N,), higher is stranger; None for
            `ResidualScore()` of the network's size.
        optimizer: (parameters, number of steps) -> optimizer and schedule, such as `partial(adamw, lr=0.001)`.
        beta: weight of the KL term, at least 0; 1 is the ELBO. The loss is in nats per image.
        warm_up_steps: training steps over which the weight rises from 0 to `beta`. Validation always uses `beta`, so
            that its loss means the same in every epoch.
        channels_last: keep network and images in that memory format, which is faster on most CPUs and GPUs.

    Raises:
        AnodiceError: a value out of range, or a score that needs what the network does not give.

    >>> detector = VAE(VAENetwork(image_size=64, code=16)).eval()
    >>> with torch.inference_mode():
    ...     found = detector(torch.zeros(2, 1, 64, 64))
    >>> found.maps.shape, found.scores.shape, found.scores.dtype
    (torch.Size([2, 1, 64, 64]), torch.Size([2]), torch.float64)
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss", "reconstruction", "kl")

    def __init__(
        self,
        network: nn.Module | None = None,
        *,
        score: Score | None = None,
        optimizer: OptimizerFactory = adamw,
        beta: float = 1.0,
        warm_up_steps: int = 100,
        channels_last: bool = True,
    ) -> None:
        for name, value in (("beta", beta), ("warm_up_steps", warm_up_steps)):
            if value < 0:
                raise AnodiceError(f"expected model.{name} of at least 0, got {value!r}.")
        network = VAENetwork() if network is None else network
        super().__init__(network, score=score, optimizer=optimizer, channels_last=channels_last)
        self.beta, self.warm_up_steps = beta, warm_up_steps

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        return self.network.loss_terms(self.formatted(batch["image"]), target(batch), beta=self._beta_now())

    def see(self, images: Tensor) -> Seen:
        if "posteriors" not in self.score.needs:
            return super().see(images)
        surprise, posteriors = self.network.elbo_parts(self.formatted(images))
        return Seen(images, surprise=surprise, posteriors=posteriors)

    @classmethod
    def _sees(cls) -> tuple[str, ...]:
        return ("reconstructions", "surprise", "posteriors")

    def _beta_now(self) -> float:
        if not self.training or self.global_step >= self.warm_up_steps:
            return self.beta
        return self.beta * self.global_step / self.warm_up_steps
