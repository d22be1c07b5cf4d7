"""Tell how far a training step is from what the machine can do: `python scripts/roofline.py`.

The arithmetic of a step is counted by PyTorch, the memory traffic estimated from the outputs of all layers: each is
written and read once forward, read once more backward, and its gradient is written and read, in the precision of the
training. The machine's peaks are measured here: products of large matrices, and copies of a block larger than any
cache. A step cannot be faster than the larger of both divided by its peak.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from benchmarks.training import FAMILIES, bare, in_memory, recipe
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from anodice.data.datamodule import Batch
from anodice.models.detector import TrainedDetector
from anodice.reporting.markdown import markdown_table

_PASSES = 5
"""Times that an output is written or read in a step, with its gradient."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (%(default)s)")
    torch.set_num_threads(parser.parse_args().threads)
    half = recipe(FAMILIES[0]).trainer.precision == "bf16-mixed"
    peak, bandwidth = arithmetic_peak(torch.bfloat16 if half else torch.float32), copy_peak()
    print(f"{'bfloat16' if half else 'float32'}: {peak / 1e9:.0f} GFLOP/s; copies: {bandwidth / 1e9:.1f} GB/s\n")
    rows = [
        ["detector", "GFLOP a step", "GB a step", "limit by arithmetic", "by memory", "measured", "share of the limit"]
    ]
    for model in FAMILIES:
        config = recipe(model)
        batches = in_memory(config)
        flops, traffic = cost(instantiate(config.model), batches[0], half=half)
        limits = (1e3 * flops / peak, 1e3 * traffic / bandwidth)
        measured = bare(config, batches, half=half)
        times = [f"{milliseconds:.1f} ms" for milliseconds in (*limits, measured)]
        rows.append([model, f"{flops / 1e9:.1f}", f"{traffic / 1e9:.2f}", *times, f"{max(limits) / measured:.0%}"])
    print(markdown_table(rows))


def cost(detector: TrainedDetector, batch: Batch, *, half: bool) -> tuple[float, float]:
    """Floating-point operations of a training step, and an estimate of the bytes that it moves."""
    elements = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        nonlocal elements
        if isinstance(output, Tensor) and not list(module.children()):
            elements += output.numel()

    hooks = [module.register_forward_hook(count) for module in detector.modules()]
    with FlopCounterMode(display=False) as counter:
        detector.train().loss_terms(batch)["loss"].backward()
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops(), elements * _PASSES * (2 if half else 4)


def arithmetic_peak(kind: torch.dtype) -> float:
    """Operations a second in products of large matrices."""
    size = 2048
    left, right = torch.rand(size, size).to(kind), torch.rand(size, size).to(kind)
    return 2 * size**3 / _fastest(lambda: left @ right)


def copy_peak() -> float:
    """Bytes a second, read and written, in copies of 256 MB."""
    source = torch.rand(64 * 2**20)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _fastest(lambda: target.copy_(source))


def _fastest(action: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls: what is looked for is what the machine can do."""
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
