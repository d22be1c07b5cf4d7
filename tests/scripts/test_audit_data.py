"""`scripts/audit_data.py`: what it prints and writes, its exit status, its words on mistakes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit_data.py"


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("audit_data", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def run(script, tmp_path, capsys):
    """Runs the script; its exit status and what it printed."""

    def call(root, *arguments):
        with pytest.raises(SystemExit) as left:
            script.main([f"data.root={root}", f"paths.cache_dir={tmp_path / 'cache'}", *map(str, arguments)])
        printed = capsys.readouterr()
        return left.value.code, printed.out + printed.err

    return call


@pytest.fixture
def copied(writable_dice):
    """A drawn set with a training photo, and a quarter of a turn of another, in its test folder, and a broken file."""
    photos = sorted((writable_dice / "train_set" / "03").iterdir())
    Image.open(photos[0]).save(writable_dice / "test_set" / "03" / "leak.png")
    turned = np.rot90(np.asarray(Image.open(photos[1])))
    Image.fromarray(turned).save(writable_dice / "test_set" / "03" / "quarter.png")
    (writable_dice / "test_set" / "03" / "broken.png").write_bytes(photos[0].read_bytes()[:200])
    return writable_dice


def test_everything_that_was_found_is_in_the_table_and_in_the_json(run, copied, tmp_path):
    status, printed = run(copied, "--json", tmp_path / "out" / "found.json")
    assert status == 0
    assert "1 of 33 test photos" in printed or "test photos are copies of training photos" in printed
    found = json.loads((tmp_path / "out" / "found.json").read_text())
    assert found["leaked"] == ["test_set/03/leak.png"]
    assert found["nearly_leaked"] == ["test_set/03/quarter.png"]
    across = {(p["second"], p["kind"]) for p in found["pairs"] if p["where"] == "across"}
    assert across == {("test_set/03/leak.png", "exact"), ("test_set/03/quarter.png", "turned")}
    assert [s["path"] for s in found["skipped"]] == ["test_set/03/broken.png"]
    assert "test_set/03/broken.png" in printed


def test_strict_tells_by_the_exit_status(run, copied):
    assert run(copied, "--strict")[0] == 1


@pytest.mark.parametrize("suffix", ["html", "png"])
def test_sheet_shows_the_pairs(run, copied, tmp_path, suffix):
    sheet = tmp_path / f"pairs.{suffix}"
    _, printed = run(copied, "--sheet", sheet)
    assert "2 of 2 pairs are drawn" in printed
    if suffix == "html":
        text = sheet.read_text()
        assert text.count("data:image/png;base64,") == 4
        assert "test_set/03/leak.png" in text
    else:
        assert Image.open(sheet).size[0] > 300


def test_files_are_named_on_request(run, copied):
    _, printed = run(copied, "--names")
    lines = [line for line in printed.splitlines() if "leak.png" in line or "quarter.png" in line]
    photos = sorted((copied / "train_set" / "03").iterdir())
    assert lines[0].startswith("  1: turned, across, difference ")
    assert lines[0].endswith(f": train_set/03/{photos[1].name} and test_set/03/quarter.png")
    assert lines[1] == f"  2: exact, across, difference 0.0: train_set/03/{photos[0].name} and test_set/03/leak.png"
    assert "quarter.png" not in run(copied)[1]


@pytest.mark.parametrize(("most", "names"), [(200, ["1.png", "2.png"]), (1, ["1.png"])])
def test_each_pair_gets_a_picture_of_its_own(run, copied, tmp_path, most, names):
    _, printed = run(copied, "--pictures", tmp_path / "pairs", "--most", most)
    assert f"{len(names)} of 2 pairs are drawn one by one" in printed
    assert sorted(file.name for file in (tmp_path / "pairs").iterdir()) == names
    assert Image.open(tmp_path / "pairs" / "1.png").size == (340, 230)


def test_mistakes_are_sentences(run, dice_root, tmp_path):
    status, printed = run(tmp_path / "nowhere")
    assert status == 2
    assert printed.startswith("error: expected train_set/ and test_set/")
    assert "set data.root to the folder laid out as" in printed
    assert "FILE.html or FILE.png, got x.pdf" in run(dice_root, "--sheet", "x.pdf")[1]
    assert "lies in it; name a file outside" in run(dice_root, "--sheet", SCRIPT.parent / "x.png")[1]
    assert "lies in it; name a folder outside" in run(dice_root, "--pictures", SCRIPT.parent / "x")[1]
    assert "lies in it; name a folder outside" in run(dice_root, "--pictures", SCRIPT.parents[1])[1]
    assert "--normal with --layout folder only" in run(dice_root, "--normal", "a")[1]


def test_other_layouts_are_read(run, dice_root):
    folders = ["--normal", "train_set/00", "--anomalous", "train_set/ano"]
    status, printed = run(dice_root, "--layout", "folder", *folders)
    assert status == 0
    assert printed.splitlines()[0].startswith("18 photos")


def test_all_leaked_photos_of_the_real_set_are_found(run, real_dice_root, tmp_path):
    status, _ = run(real_dice_root, "--strict", "--json", tmp_path / "found.json")
    assert status == 1
    found = json.loads((tmp_path / "found.json").read_text())
    training = {p.read_bytes() for p in (real_dice_root / "train_set").glob("*/*") if p.is_file()}
    copied = {
        p.relative_to(real_dice_root).as_posix()
        for p in (real_dice_root / "test_set").glob("*/*")
        if p.is_file() and not p.name.startswith(".") and p.read_bytes() in training
    }
    assert copied <= set(found["leaked"])
    assert copied
    days = [{Path(p[k]).name[:8] for k in ("first", "second")} for p in found["pairs"] if p["kind"] != "exact"]
    dated = [d for d in days if not any(day.startswith("img") for day in d)]
    assert dated
    assert all(len(d) == 1 for d in dated)
