"""What is measured of a training, and shown of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from anodice.evaluation.run_metrics import MEASURED
from anodice.training.throughput import Throughput, peak_memory, peak_memory_megabytes

CPU = torch.device("cpu")
BATCH = {"index": torch.arange(8)}


def stepped(throughput: Throughput, *, steps: int = 2) -> Throughput:
    """As if it had seen a short training."""
    trainer, module = SimpleNamespace(logger=None), SimpleNamespace(device=CPU, automatic_optimization=True)
    throughput.on_train_start(trainer, module)
    throughput.on_train_epoch_start(trainer, module)
    for k in range(steps):
        throughput.on_train_batch_end(trainer, module, None, BATCH, k)
    throughput.on_validation_end(trainer, module)
    throughput.on_fit_end(trainer, module)
    return throughput


def test_figures_are_those_that_an_evaluation_keeps():
    assert (*stepped(Throughput()).figures(CPU), "score_milliseconds") == MEASURED


def test_first_step_counts_from_the_start_of_the_job():
    throughput = Throughput()
    throughput.begun -= 100
    assert 100 <= stepped(throughput).figures(CPU)["seconds_to_first_step"] < 200


def test_without_a_step_there_is_no_first_one():
    figures = stepped(Throughput(), steps=0).figures(CPU)
    assert figures["seconds_to_first_step"] is None
    assert figures["fit_images_per_second"] is None


def test_a_resumed_training_counts_on_and_keeps_its_first_step_and_its_peak():
    first = Throughput()
    first.begun -= 100
    state = stepped(first).state_dict()
    state["peaks"]["peak_memory_megabytes"] = 1e9
    resumed = Throughput()
    resumed.load_state_dict(state)
    figures = stepped(resumed).figures(CPU)
    assert figures["seconds_to_first_step"] == state["to_first_step"] >= 100
    assert figures["peak_memory_megabytes"] == 1e9
    assert figures["fit_seconds"] > state["seconds"]
    assert resumed.state_dict()["images"] == 2 * state["images"] == 32


def test_a_checkpoint_from_before_there_were_peaks_is_resumed():
    resumed = Throughput()
    resumed.load_state_dict({"seconds": 1.0, "images": 8, "stepping": 1.0})
    figures = stepped(resumed).figures(CPU)
    assert figures["seconds_to_first_step"] is None
    assert figures["peak_memory_megabytes"] == peak_memory(CPU)["peak_memory_megabytes"]


def test_no_gpu_no_figure_of_one():
    assert peak_memory(CPU)["peak_gpu_memory_megabytes"] is None


def test_peak_memory_is_in_megabytes_and_never_falls():
    before = peak_memory_megabytes()
    if before is None:
        pytest.skip("this system does not tell")
    held = torch.ones(25_000_000)
    after = peak_memory_megabytes()
    del held
    assert 10 < before <= after < 1_000_000
    assert peak_memory_megabytes() >= after
