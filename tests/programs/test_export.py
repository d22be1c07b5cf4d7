"""`export.py` as people run it: what it writes and prints, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from anodice import Predictor
from anodice.errors import AnodiceError
from anodice.evaluation.run_results import read_scores
from anodice.programs import export as program

for _package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(_package, reason="needs the extra export: pip install 'anodice[export]'")

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run(finished_run, tmp_path) -> Path:
    """A copy of the finished run, to write into."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def asked(run: Path, **changes):
    config = {"run": str(run), "format": "onnx", "out": None, "data": {"root": None}, "threads": 1}
    return OmegaConf.create({**config, "paths": {"log_dir": str(run.parent)}, **changes})


def test_the_model_scores_the_photos_of_validation_as_the_run_did(run, dice_root, caplog):
    caplog.set_level("INFO")
    assert program.export_run(asked(run))
    told = read_scores(run).validation
    found = Predictor.from_export(run / "export" / "model.onnx")([dice_root / path for path in told.path])
    assert np.abs(np.array([one.score for one in found]) - told.score).max() <= 1e-4
    assert f"validation: {len(told.path)} photos: largest score difference" in caplog.text
    assert "0 verdicts changed" in caplog.text
    assert [path.name for path in (run / "export").iterdir()] == ["model.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize(("format_", "files"), [("openvino", {"m.xml", "m.bin"}), ("torch_export", {"m.pt2"})])
def test_other_formats_are_written_where_one_says(format_, files, run, tmp_path):
    if format_ == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    suffix = ".xml" if format_ == "openvino" else ".pt2"
    out = tmp_path / "new" / f"m{suffix}"
    assert program.export_run(asked(run, format=format_, out=str(out)))
    assert {path.name for path in out.parent.iterdir()} == files
    assert Predictor.from_export(out, trusted=True).settings.run == "run"


def test_where_the_photos_are_gone_drawn_pictures_are_compared(run, caplog):
    config = OmegaConf.load(run / "config.yaml")
    config.data.root = "/nowhere"
    OmegaConf.save(config, run / "config.yaml")
    (run / "checksums.json").unlink()
    caplog.set_level("INFO")
    assert program.export_run(asked(run))
    assert "the photos of the run are not there" in caplog.text
    assert "drawn pictures: 64 photos" in caplog.text
    with pytest.raises(AnodiceError, match="nowhere2"):
        program.export_run(asked(run, data={"root": "/nowhere2"}))


def test_a_model_with_other_scores_is_not_kept(run, monkeypatch, caplog):
    load = program.from_export.load

    def falsified(*arguments, **options):
        network, settings = load(*arguments, **options)
        return lambda photos: (found := network(photos))._replace(scores=found.scores + 0.001), settings

    monkeypatch.setattr(program.from_export, "load", falsified)
    assert not program.export_run(asked(run))
    assert "nothing is written" in caplog.text
    assert list((run / "export").iterdir()) == []


def test_wrong_words_are_sentences(run, tmp_path):
    with pytest.raises(AnodiceError, match="did you mean 'onnx'"):
        program.export_run(asked(run, format="onx"))
    with pytest.raises(AnodiceError, match=r"expected out to end with \.onnx"):
        program.export_run(asked(run, out=str(tmp_path / "model.xml")))
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(AnodiceError, match="is a folder"):
        program.export_run(asked(run, out=str(tmp_path / "folder.onnx")))


@pytest.mark.parametrize("file", ["prediction.json", "threshold.json", "checkpoints/best.ckpt"])
def test_a_damaged_run_is_a_sentence(file, run):
    (run / file).write_bytes((run / file).read_bytes()[:20])
    with pytest.raises(AnodiceError, match=Path(file).name):
        program.export_run(asked(run))


@pytest.mark.slow
def test_the_command_ends_with_a_status(run, called):
    status, said = called("export", f"run={run}", "threads=1")
    assert status == 0, said
    assert [line.split()[0] for line in said.splitlines() if line][-4:] == ["run", "threshold", "compared", "written"]
    for wrong in ([f"run={run}", "format=tflite"], ["run=nothing"], [f"run={run}", "formt=onnx"]):
        status, said = called("export", *wrong)
        assert status == 2
        assert said.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in said
