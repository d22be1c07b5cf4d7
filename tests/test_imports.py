"""Imports run one way, from the programs down to the errors, and the light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import anodice

PACKAGE = Path(anodice.__file__).parent
ROOMS = (
    *("errors", "app", "functional", "metrics", "thresholds", "data", "dice", "objects", "augmentation", "scoring"),
    *("models", "baselines", "training", "evaluation", "reporting", "prediction", "page", "service", "programs"),
)
"""The rooms, lowest first: none imports one that stands behind it."""

APART = [
    ("training", "reporting"),
    ("training", "evaluation"),
    ("scoring", "data"),
    ("baselines", "evaluation"),
    ("page", "service"),
]
"""Rooms that know nothing of each other."""

MODULES = {
    ".".join(("anodice", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(module):
    """The full names that a module imports, wherever in its code."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name):
    """The room of the package that a full name lies in."""
    return name.split(".")[1]


def used_rooms(module):
    return {room(name) for name in imports(module) if name.startswith("anodice.")} - {room(module)}


def importers(*packages):
    """The modules that import one of these packages, or something in them."""
    return {m for m in MODULES if any(f"{name}.".startswith(f"{p}.") for name in imports(m) for p in packages)}


def inside(*rooms):
    return {module for module in MODULES if module != "anodice" and room(module) in rooms}


def test_every_room_is_known_and_errors_is_the_only_module_beside_them():
    assert {room(module) for module in MODULES if module != "anodice"} == set(ROOMS)
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "errors"}


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"anodice"}))
def test_imports_run_downwards(module):
    above = set(ROOMS[ROOMS.index(room(module)) + 1 :])
    assert used_rooms(module) & above == set()


@pytest.mark.parametrize(("one", "other"), APART)
def test_rooms_that_know_nothing_of_each_other(one, other):
    arrows = [m for m in inside(one, other) if used_rooms(m) & {one, other}]
    assert arrows == []


def test_no_module_imports_itself_by_way_of_others():
    known = {
        m: {n for name in imports(m) for n in (name, name.rpartition(".")[0]) if n in MODULES} - {m} for m in MODULES
    }
    assert set(TopologicalSorter(known).static_order()) >= set(MODULES)  # a cycle raises


def test_no_room_is_larger_than_a_sixth_of_the_package():
    lines = {name: sum(len(MODULES[m].read_text().splitlines()) for m in inside(name)) for name in ROOMS}
    assert max(lines.values()) <= sum(lines.values()) / 6, lines


def test_the_core_knows_neither_lightning_nor_hydra():
    core = inside("errors", "functional", "metrics", "thresholds", "scoring", "augmentation", "dice", "objects")
    assert len(core) > 30
    assert core & importers("pytorch_lightning", "lightning", "hydra", "omegaconf") == set()


def test_only_the_programs_and_their_app_know_hydra():
    knowing = importers("hydra", "omegaconf")
    assert {room(module) for module in knowing} == {"app", "programs"}


def test_thresholds_and_metrics_need_no_torch_but_for_gathering_over_processes():
    assert inside("thresholds", "metrics") & importers("torch", "torchvision", "torchmetrics") == {
        "anodice.metrics.gathered"
    }


@pytest.mark.parametrize(
    "module", ["anodice", "anodice.app.command_line", "anodice.app.configs", "anodice.app.run_folder"]
)
def test_what_starts_a_program_does_not_wait_for_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
