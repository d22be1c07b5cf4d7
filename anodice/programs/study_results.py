"""The pictures of a study: how it went, and which settings mattered."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib
import optuna
from optuna.trial import TrialState


def write_plots(study: optuna.Study, folder: Path) -> None:
    """Draw `history.png` and `importances.png` into a folder; importances need two finished trials that differ."""
    matplotlib.use("Agg")  # Optuna draws with pyplot, which would look for a screen
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if done:
        _draw(folder / "history.png", lambda: optuna.visualization.matplotlib.plot_optimization_history(study))
    if len({trial.value for trial in done}) > 1:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        _draw(
            folder / "importances.png",
            lambda: optuna.visualization.matplotlib.plot_param_importances(study, evaluator=evaluator),
        )


def _draw(path: Path, plot: Callable[[], matplotlib.axes.Axes]) -> None:
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        figure = plot().figure
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)
