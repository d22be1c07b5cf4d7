"""Buffers whose size only the photos tell: a checkpoint is loaded into whatever is there."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def size_from_checkpoint(module: nn.Module, *names: str) -> None:
    """Let `load_state_dict` bring these buffers of the module to the sizes that the checkpoint has for them.

    >>> import torch
    >>> module = nn.Module()
    >>> module.register_buffer("bank", torch.empty(0))
    >>> size_from_checkpoint(module, "bank")
    >>> module.load_state_dict({"bank": torch.ones(3)}), module.bank.tolist()
    (<All keys matched successfully>, [1.0, 1.0, 1.0])
    """

    def resize(owner: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
        for name in names:
            if f"{prefix}{name}" in state:
                setattr(owner, name, getattr(owner, name).new_empty(state[f"{prefix}{name}"].shape))

    module.register_load_state_dict_pre_hook(resize)
