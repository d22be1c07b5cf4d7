"""Feature maps of torchvision's networks, with weights that the user brings: nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from anodice.errors import AnodiceError, unknown

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, as torchvision's weights expect them."""


class TorchvisionFeatures(nn.Module):
    """Images (N, C, H, W) in [0, 1], C 1 or 3 -> a list of feature maps (N, D, h, w), one per layer; never trained.

    Args:
        name: torchvision's name of the network, such as resnet18.
        layers: names of its layers, such as layer2; see torchvision's `get_graph_node_names`.

    Raises:
        AnodiceError: a network or a layer that torchvision does not know.

    >>> maps = TorchvisionFeatures(name="resnet18", layers=["layer1", "layer2"])(torch.zeros(1, 1, 64, 64))
    >>> [tuple(features.shape) for features in maps]
    [(1, 64, 16, 16), (1, 128, 8, 8)]
    """

    def __init__(self, *, name: str, layers: Sequence[str]) -> None:
        super().__init__()
        known = models.list_models(module=models)  # without those that find objects or take videos
        if name not in known:
            raise unknown("torchvision backbone", name, known)
        network = models.get_model(name, weights=None)
        names = [str(layer) for layer in layers]
        try:
            extractor = create_feature_extractor(network, return_nodes=names)
        except ValueError as error:
            parts = ", ".join(part for part, _ in network.named_children())
            raise AnodiceError(
                f"expected model.backbone.layers to name layers of {name}, got {names}; its parts are {parts}."
            ) from error
        self.name, self.extractor = name, extractor.eval().requires_grad_(False)
        for buffer, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(buffer, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.extractor((images - self.mean) / self.deviation).values())

    def load(self, file: str) -> None:
        """Take the weights from a state dict of the whole network, as torchvision publishes them.

        Raises:
            AnodiceError: no such file, or the weights of another network.
        """
        path = Path(file).expanduser()
        if not path.is_file():
            raise AnodiceError(f"expected model.backbone.weights to be a file for {self.name}, got {file!r}.")
        state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = self.extractor.state_dict()
        found = {name: value for name, value in state.items() if name in wanted and value.shape == wanted[name].shape}
        if missing := sorted(wanted.keys() - found.keys()):
            raise AnodiceError(
                f"expected {path} to hold the weights of {self.name}, but {len(missing)} of {len(wanted)} tensors "
                f"are not there or differ in shape, such as {missing[0]}; set model.backbone.name to their network."
            )
        self.extractor.load_state_dict(found)
