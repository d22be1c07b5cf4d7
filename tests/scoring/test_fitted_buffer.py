"""Buffers that take the size that a checkpoint has for them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from anodice.scoring.fitted_buffer import size_from_checkpoint


class _Holder(nn.Module):
    """Two buffers of which only `bank` may change its size."""

    def __init__(self, bank, fixed=2):
        super().__init__()
        self.register_buffer("bank", bank)
        self.register_buffer("fixed", torch.ones(fixed))
        size_from_checkpoint(self, "bank")


@pytest.mark.parametrize("there", [0, 2, 7])
def test_a_buffer_grows_and_shrinks_to_the_size_of_the_checkpoint(there):
    kept = torch.arange(10.0).view(5, 2)
    holder = _Holder(torch.zeros(there, 2))
    holder.load_state_dict(_Holder(kept).state_dict())
    assert torch.equal(holder.bank, kept)


def test_it_does_so_wherever_the_module_lies_in_another():
    outer, other = (nn.Sequential(nn.Linear(1, 1), nn.Sequential(_Holder(torch.ones(size)))) for size in (4, 0))
    other.load_state_dict(outer.state_dict())
    assert torch.equal(other[1][0].bank, torch.ones(4))


def test_the_type_stays_that_of_the_buffer():
    holder = _Holder(torch.zeros(0, dtype=torch.float16))
    holder.load_state_dict(_Holder(torch.ones(3)).state_dict())
    assert holder.bank.dtype == torch.float16


def test_other_buffers_keep_their_size():
    with pytest.raises(RuntimeError, match="size mismatch for fixed"):
        _Holder(torch.zeros(0)).load_state_dict(_Holder(torch.ones(3), fixed=4).state_dict())


def test_a_checkpoint_without_the_buffer_is_still_incomplete():
    with pytest.raises(RuntimeError, match=r'Missing key.* "bank"'):
        _Holder(torch.zeros(2)).load_state_dict({"fixed": torch.ones(2)})
