"""What a person sees in TensorBoard: the final figures are those of the headline, in the run's own folder."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from anodice.reporting.tensorboard import RunFolderLogger, write_final
from anodice.thresholds.rules import Manual, Oracle
from tests.tables import made_up, metrics_of

FIGURES = ("f1", "precision", "recall", "auroc", "average_precision")


@pytest.fixture
def written(tmp_path):
    """Writes the final figures of metrics and reads the event files."""

    def write(metrics):
        trainer = SimpleNamespace(loggers=[RunFolderLogger(save_dir=str(tmp_path))], global_step=7)
        write_final(trainer, {"model": "vae", "seed": 0}, metrics, {"test_scores": Figure()})
        trainer.loggers[0].finalize("success")
        assert all(path.name.startswith("events.out.tfevents.") for path in tmp_path.iterdir())
        return EventAccumulator(str(tmp_path)).Reload()

    return write


def scalars(events):
    return {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]}


def test_final_figures_are_those_of_the_clean_test_at_the_runs_own_threshold(written):
    table = made_up(leaked=10)
    table.score[table.leaked] = 100  # so that the published test has other figures
    metrics = metrics_of(table, Manual(1.5))
    clean = metrics["test"]["clean"]
    expected = {name: clean["at"]["manual"][name] for name in FIGURES[:3]} | {name: clean[name] for name in FIGURES[3:]}
    found = scalars(written(metrics))
    assert found == pytest.approx({f"test/{name}": value for name, value in expected.items()}, rel=1e-6)
    published = metrics["test"]["published"]
    assert published["auroc"] != clean["auroc"]
    assert published["at"]["manual"]["f1"] != clean["at"]["manual"]["f1"]


def test_the_hparams_tab_gets_them_too(written):
    events = written(metrics_of(made_up()))
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)
    assert "final/test_scores" in events.Tags()["images"]


def test_an_upper_bound_is_not_called_a_test_figure(written):
    found = scalars(written(metrics_of(made_up(), Oracle(allowed=True))))
    assert set(found) == {f"test_oracle/{name}" for name in FIGURES}
