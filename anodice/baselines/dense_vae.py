"""The dense variational auto-encoder of an earlier project as a detector."""

from __future__ import annotations

from anodice.baselines.autoencoders import DenseVAENetwork
from anodice.models.optimizers import OptimizerFactory
from anodice.models.vae import Variational
from anodice.scoring.score import Score


class DenseVAE(Variational):
    """The dense VAE as a detector; see `Variational` and `DenseVAENetwork` for the arguments it shares with them."""

    def __init__(
        self,
        *,
        code: int,
        hidden: int,
        beta: float,
        warm_up_steps: int,
        image_size: int,
        in_channels: int,
        score: Score,
        optimizer: OptimizerFactory,
        channels_last: bool,
    ) -> None:
        super().__init__(
            network=DenseVAENetwork(in_channels=in_channels, image_size=image_size, code=code, hidden=hidden),
            beta=beta,
            warm_up_steps=warm_up_steps,
            image_size=image_size,
            in_channels=in_channels,
            score=score,
            optimizer=optimizer,
            channels_last=channels_last,
        )
