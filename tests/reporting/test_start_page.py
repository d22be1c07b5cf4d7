"""What is said before a training begins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from anodice.baselines.template import Template
from anodice.reporting.start_page import start_page
from tests.detectors import auto_encoder


def trainer(epochs):
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    return SimpleNamespace(strategy=strategy, precision="bf16-mixed", max_epochs=epochs)


@pytest.mark.parametrize(
    ("epochs", "words"), [(12, "up to 12 epochs"), (1, "up to 1 epoch"), (-1, "epochs without end")]
)
def test_the_start_page_tells_detector_length_device_precision_and_folder(epochs, words):
    lines = start_page(auto_encoder(), trainer(epochs), folder=Path("logs/runs/a")).splitlines()
    assert lines[0].startswith("detector: ReconstructionDetector: ")
    assert "parameters; code of 4 numbers" in lines[0]
    assert lines[1].startswith(f"training: {words}")
    assert lines[2:] == ["device:   cpu, 1 thread, precision bf16-mixed", "run:      logs/runs/a"]


def test_what_learns_in_one_pass_has_no_epochs():
    template = Template(comparison="mse", classes=["00"], image_size=64, in_channels=1)
    assert "training: one pass over the photos" in start_page(template, trainer(12), folder=Path("a"))
