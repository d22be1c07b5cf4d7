"""What a person sees in TensorBoard: progress, and final figures that are those of the headline."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
from matplotlib.figure import Figure
from pytorch_lightning.loggers import CSVLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from anodice.reporting.tensorboard import Panels, RunFolderLogger, Scores, layout, write_start
from anodice.reporting.tensorboard_end import write_codes, write_final
from anodice.reporting.visualise import Codes, Shown
from anodice.thresholds.rules import Manual, Oracle
from tests.detectors import auto_encoder
from tests.tables import fitted_to, made_up, metrics_of


@pytest.fixture
def written(tmp_path):
    """Writes the final figures of metrics and reads the event files."""

    def write(table, rule=None, step=7):
        trainer = SimpleNamespace(loggers=[RunFolderLogger(save_dir=str(tmp_path))], global_step=step)
        metrics = metrics_of(table, rule)
        shown = {"misses": Shown("none", np.zeros((0, 1, 4, 4)), None, np.zeros((0, 1, 4, 4)), [], [])}
        figures = {"test_scores": Figure()}
        write_final(trainer, TOLD, metrics, report="# vae", table=table, figures=figures, errors=shown)
        return metrics, EventAccumulator(str(tmp_path)).Reload()

    return write


TOLD = {"model": "vae", "seed": 0}


def scalars(events):
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_final_figures_are_those_of_the_clean_test_at_the_runs_own_threshold(written):
    table = made_up(leaked=10)
    table.score[table.leaked] = 100  # so that the published test has other figures
    metrics, events = written(table, Manual(1.5))
    clean, found = metrics["test"]["clean"], scalars(events)
    expected = {f"test_{name}": clean["at"]["manual"][name] for name in ("f1", "precision", "recall")}
    for prefix, part in (("test", clean), ("val", metrics["validation"])):
        expected |= {f"{prefix}_auroc": part["auroc"], f"{prefix}_ap": part["average_precision"]}
    assert found == {f"verdict/{name}": [pytest.approx(value, rel=1e-6)] for name, value in expected.items()}
    published = metrics["test"]["published"]
    assert published["auroc"] != clean["auroc"]
    assert published["at"]["manual"]["f1"] != clean["at"]["manual"]["f1"]


def test_the_hparams_tab_gets_them_too(written):
    _, events = written(made_up())
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)
    data = events.summary_metadata["_hparams_/session_start_info"].plugin_data
    started = HParamsPluginData.FromString(data.content).session_start_info.hparams
    assert {name: value.string_value or value.number_value for name, value in started.items()} == TOLD


def test_report_plots_and_curve_are_there(written):
    _, events = written(made_up())
    assert "verdict_plots/test_scores" in events.Tags()["images"]
    assert events.Tensors("report/text_summary")[0].tensor_proto.string_val == [b"# vae"]
    assert events.summary_metadata["verdict/precision_recall"].plugin_data.plugin_name == "pr_curves"


def test_a_resumed_run_has_one_verdict(written, tmp_path):
    written(made_up())
    _, events = written(made_up(gap=0.5), step=9)
    assert [event.step for event in events.Scalars("verdict/test_f1")] == [9]
    assert len(list(tmp_path.glob("*.final"))) == 1


def test_an_upper_bound_is_not_called_a_test_figure(written):
    _, events = written(made_up(), Oracle(allowed=True))
    found = {tag for tag in scalars(events) if "val_" not in tag}
    assert found == {f"verdict/test_oracle_{n}" for n in ("f1", "precision", "recall", "auroc", "ap")}


def test_another_logger_gets_hyper_parameters_and_figures(tmp_path):
    logger = CSVLogger(str(tmp_path), name="", version="")
    trainer, metrics = SimpleNamespace(loggers=[logger], global_step=7), metrics_of(made_up())
    write_final(trainer, TOLD, metrics, report="", table=made_up(), figures={}, errors={})
    logger.finalize("success")
    row = next(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert float(row["verdict/test_f1"]) == metrics["test"]["clean"]["at"]["f1_max"]["f1"]
    assert "model: vae" in (tmp_path / "hparams.yaml").read_text()


def test_custom_scalars_open_on_quality_then_losses_each_with_an_axis_of_its_own():
    charts = layout(auto_encoder())
    assert list(charts) == ["AUROC", "F1", "average precision", "loss", "images per second"]
    assert charts["loss"] == ["Multiline", ["^train/loss$", "^val/loss$"]]


def trained(folder, data, *, epochs, resume=None, logger=True):
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        logger=[RunFolderLogger(save_dir=str(folder))] if logger else False,
        callbacks=[Scores(), Panels(every_n_epochs=1, of_each=2)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    detector = auto_encoder()
    write_start(trainer, detector, {"config": "seed: 0"})
    trainer.fit(detector, datamodule=data, ckpt_path=resume)
    trainer.save_checkpoint(folder / "last.ckpt")
    return EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0}).Reload() if logger else None


def test_each_epoch_writes_scores_by_label_curve_and_the_same_photos(data_module, dice_root, tmp_path):
    events = trained(tmp_path, data_module(dice_root, steps_per_epoch=1), epochs=2)
    tags = events.Tags()
    assert [event.step for event in events.Scalars("val/auroc")] == [0, 1]
    for name, count in (("normal", 22), ("anomalous", 12)):
        found = events.Histograms(f"val/scores_{name}")
        assert [(event.step, event.histogram_value.num) for event in found] == [(1, count), (2, count)]
    assert set(tags["images"]) == {f"watched/{name}_{k}" for name in ("normal", "anomalous") for k in (1, 2)}
    assert [event.step for event in events.Images("watched/normal_1")] == [1, 2]
    assert "val/precision_recall" in tags["tensors"]
    assert "custom_scalars__config__" in tags["tensors"]
    assert "seed: 0" in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert set(tags["scalars"]) == {"train/loss", "val/loss", "val/auroc", "val/average_precision", "val/f1_max"}


def test_a_resumed_run_continues_its_curves(data_module, dice_root, tmp_path):
    data = data_module(dice_root, steps_per_epoch=1)
    trained(tmp_path, data, epochs=1)
    events = trained(tmp_path, data, epochs=3, resume=tmp_path / "last.ckpt")
    assert [event.step for event in events.Scalars("val/loss")] == [0, 1, 2]


def test_without_a_logger_nothing_is_written(data_module, dice_root, tmp_path):
    trained(tmp_path, data_module(dice_root, steps_per_epoch=1), epochs=1, logger=False)
    assert not list(tmp_path.glob("events*"))


def test_codes_come_with_thumbnails_and_what_is_known_of_each_photo(tmp_path):
    table = made_up(normals=6, anomalies=2, leaked=0)
    codes = Codes(np.eye(16, 3, dtype=np.float32), np.zeros((16, 1, 64, 64), dtype=np.float32), table)
    write_codes(tmp_path, codes, fitted_to(table).chosen)
    (tensors,) = tmp_path.rglob("tensors.tsv")
    (metadata,) = tmp_path.rglob("metadata.tsv")
    assert len(tensors.read_text().splitlines()) == 16
    head, *rows = (line.split("\t") for line in metadata.read_text().splitlines())
    assert head == ["label", "class", "face", "verdict", "split", "session", "score", "path"]
    assert [row[0] for row in rows[:8]] == ["normal"] * 6 + ["anomalous"] * 2
    assert [row[2] for row in rows[5:8]] == ["2", "unknown", "unknown"]
    assert rows[0][-1] == "photo_0.png"
    assert str(tensors.relative_to(tmp_path)) in (tmp_path / "projector_config.pbtxt").read_text()
