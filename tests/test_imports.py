"""Imports run one way, from the programs down to the errors, and the light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anodice

PACKAGE = Path(anodice.__file__).parent
LAYERS = (
    {"errors", "neighbourhoods", "process"},
    {"data", "scoring", "thresholds", "metrics"},
    {"models", "figures"},
    {"configs", "runs", "scores", "inference", "pixels", "pictures", "tensorboard", "callbacks", "profiling"}
    | {"verdicts", "reports"},
    {"training", "evaluation", "detection_limit", "robustness", "command_line"},
)
"""The parts of the package, lowest first."""

INSIDE_THE_SECOND = {"data": set(), "scoring": set(), "metrics": set(), "thresholds": {"metrics"}}
"""What each part of the second layer may import of its neighbours."""

MODULES = {
    ".".join(("anodice", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def _imports(module):
    """The full names that a module imports, wherever in its code."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(name):
    """The part of the package that a full name lies in."""
    return name.split(".")[1]


def _layer(part):
    return next((number for number, parts in enumerate(LAYERS) if part in parts), None)


def _importers(*packages):
    """The modules that import one of these packages, or something in them."""
    return {m for m in MODULES if any(f"{name}.".startswith(f"{p}.") for name in _imports(m) for p in packages)}


def _below(*parts):
    return {module for module in MODULES if module != "anodice" and _part(module) in parts}


def test_every_part_has_a_layer():
    assert {_part(module) for module in MODULES if module != "anodice"} == set.union(*LAYERS)


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"anodice"}))
def test_imports_run_downwards(module):
    own = _part(module)
    used = {_part(name) for name in _imports(module) if name.startswith("anodice.")} - {own}
    neighbours = INSIDE_THE_SECOND.get(own, LAYERS[_layer(own)])
    allowed = set().union(*LAYERS[: _layer(own)]) | neighbours
    assert used <= allowed, f"{module} may not import {', '.join(sorted(used - allowed))}"


def test_the_package_itself_imports_nothing():
    assert list(_imports("anodice")) == []


def test_the_core_knows_neither_lightning_nor_hydra():
    core = _below("scoring", "thresholds", "metrics", "errors")
    assert core & _importers("pytorch_lightning", "lightning", "hydra", "omegaconf") == set()


def test_thresholds_and_metrics_need_no_torch():
    assert _below("thresholds", "metrics") & _importers("torch", "torchvision", "torchmetrics") == set()


def test_torchmetrics_serves_for_images_only():
    names = {name for module in MODULES for name in _imports(module) if name.startswith("torchmetrics")}
    assert all(name.startswith("torchmetrics.functional.image.") for name in names)


@pytest.mark.parametrize("module", ["anodice.app.command_line", "anodice.app.configs", "anodice.app.run_folder"])
def test_what_starts_a_program_does_not_wait_for_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
