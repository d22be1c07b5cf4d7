"""The notebooks run from top to bottom, and what is kept of their outputs is fit to be shown."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from anodice import write_synthetic

PROJECT = Path(__file__).parents[1]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
LARGEST = 300_000
"""Bytes of a notebook with its outputs: GitHub shows large ones late or not at all."""
SIZES = {"size": 64, "train_per_class": 30, "train_anomalies": 40, "test_per_class": 10, "test_anomalies": 40}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(notebook: nbformat.NotebookNode) -> str:
    """What the outputs say, pictures left out."""
    shown = [output.get("text", "") for output in outputs(notebook)]
    for output in outputs(notebook):
        shown += [text for kind, text in output.get("data", {}).items() if not kind.startswith("image/")]
    return "\n".join(shown)


def test_there_are_seven():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07"]


@each
def test_it_is_whole_and_light(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # as they ran, in order
    assert path.stat().st_size < LARGEST
    assert outputs(notebook)


@each
def test_it_can_be_opened_in_colab(path):
    notebook = nbformat.read(path, as_version=4)
    title, install = notebook.cells[:2]
    assert title.source.startswith("# ")
    assert "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]" in title.source
    assert 'find_spec("anodice") is None' in install.source
    assert "%pip install" in install.source


@each
def test_its_outputs_show_no_error_no_warning_and_nobodys_folders(path):
    notebook = nbformat.read(path, as_version=4)
    assert [output.output_type for output in outputs(notebook) if output.output_type == "error"] == []
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    found = re.findall(r"(?:^|[\s'\"(=])(?:/\w[\w.-]*/|[A-Z]:\\|~/)[^\s|]*", texts(notebook))
    assert found == []


@each
def test_its_links_lead_somewhere(path):
    notebook = nbformat.read(path, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", prose) if not link.startswith("https://")]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_published_figures_are_those_of_the_earlier_projects():
    notebook = nbformat.read(NOTEBOOKS[-1], as_version=4)
    figures = yaml.safe_load((PROJECT / "scripts" / "earlier_figures.yaml").read_text())
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", prose, flags=re.MULTILINE)
    told = {name: row.split(" | ") for name, row in rows if name in figures}
    keys = ("published", "measured_on", "threshold", "really")
    assert len(told) == 5
    assert told == {name: [figures[name][key] for key in keys] for name in told}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """The dice that all notebooks draw, and a cache for them; shared by all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "notebooks"
    write_synthetic(folder / "dice", **SIZES)
    (folder / "cache").mkdir(exist_ok=True)
    return folder


@pytest.mark.slow
@each
def test_it_runs_from_top_to_bottom(path, drawn, tmp_path, monkeypatch):
    for name in ("dice", "cache"):
        (tmp_path / name).symlink_to(drawn / name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run side by side
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    try:
        client.execute()
    except CellExecutionError as error:
        pytest.fail(str(error))
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert str(tmp_path) not in texts(notebook)
