"""What `train.py -m sweep=optuna` does: Optuna chooses each training by the validation figures of those before it.

The study lies in the folder of the sweep, so that the same command goes on with it, whatever ended the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from omegaconf import OmegaConf

from anodice.app.conf import CONF
from anodice.app.sweep_folder import FAILED, FINISHED, PRUNED, STUDY, read_job, sweep_name, write_job
from anodice.errors import AnodiceError
from anodice.programs.sweep_job import jobs_at_once
from anodice.programs.sweeper import GridSweeper

if TYPE_CHECKING:  # imported when used: it is an extra, and every program loads this module
    import optuna


class OptunaSweeper(GridSweeper):
    """Trials of a study that maximises `optimized_metric` of the validation photos; never a test figure.

    Args:
        params: key -> what to choose from, as on the command line: `choice(32,64)`, `range(1,9)`,
            `interval(0.1,0.9)`, `tag(log,interval(1e-4,1e-2))`; beside what `conf/sweep/space/` has for the model.
        n_trials: how many there shall be in all, failed ones included.
        prune: a figure that is logged each epoch, by which a trial that falls behind the median of the others ends
            early; None for no pruning.
    """

    def __init__(self, params: dict[str, str] | None = None, n_trials: int = 20, prune: str | None = None) -> None:
        super().__init__(params)
        self.n_trials, self.prune = n_trials, prune

    def work(self, folder: Path, overrides: Sequence[Override]) -> None:
        """Go on with the study of this folder, or begin it."""
        optuna = _optuna()
        fixed, space = _apart(overrides)
        distributions = {key: distribution(optuna, key, override) for key, override in space.items()}
        if not distributions:
            raise AnodiceError(
                f"expected something to choose from, but conf/sweep/space/ has nothing for {self._model}; name it, "
                "such as 'optimizer.lr=tag(log,interval(0.0003,0.01))'."
            )
        study = optuna.create_study(
            storage=f"sqlite:///{folder.absolute() / STUDY}",
            study_name=folder.name,
            direction="maximize",
            load_if_exists=True,
        )
        self._finish(study, folder, fixed)
        while len(study.trials) < self.n_trials:
            for _ in range(min(jobs_at_once(self.config.hydra.launcher), self.n_trials - len(study.trials))):
                # Trials side by side are told apart as if those that still run were bad; a seed for each trial: the
                # same ones come, whether the study was cut or not.
                seed = self.config.seed + len(study.trials)
                study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
                study.ask(distributions)
            self._finish(study, folder, fixed)
        from anodice.programs.study_results import write_plots

        write_plots(study, folder)

    @property
    def _model(self) -> str:
        return str(self.config.hydra.runtime.choices.model)

    def presets(self) -> list[str]:
        """The search space of the model, and `params`, which take the place of what it has for the same keys."""
        space = CONF / "sweep" / "space" / f"{self._model}.yaml"
        known = OmegaConf.load(space) if space.is_file() else {}
        return [*(f"{key}={value}" for key, value in known.items()), *super().presets()]

    def _name(self, overrides: Sequence[Override], told: Sequence[str]) -> str:
        return sweep_name(f"optuna_{self._model}", told)

    def _finish(self, study: optuna.Study, folder: Path, fixed: Sequence[str]) -> None:
        """Run the trials that have begun and not ended, and tell the study how they ended."""
        begun = [trial for trial in study.trials if not trial.state.is_finished()]
        first = begun[0].number if begun else 0
        self.run(folder, {_name(t.number): [*fixed, *_overrides(t.params)] for t in begun}, first)
        for trial in begun:
            _end(study, trial.number, folder / _name(trial.number))
        self._note(folder, {_name(t.number): [*fixed, *_overrides(t.params)] for t in study.trials})


def _end(study: optuna.Study, number: int, folder: Path) -> None:
    from optuna.trial import TrialState

    ended = read_job(folder)
    if not ended:
        raise AnodiceError(f"expected {folder} to end, but its process died; the same command goes on with it.")
    if ended["state"] == FINISHED and ended["value"] is None:
        why = "expected normal and anomalous validation photos for optimized_metric, got those of one kind alone."
        write_job(folder, FAILED, reason=why)
        study.tell(number, state=TrialState.FAIL)
    elif ended["state"] == FINISHED:
        study.tell(number, ended["value"])
    else:
        study.tell(number, state=TrialState.PRUNED if ended["state"] == PRUNED else TrialState.FAIL)


def _apart(overrides: Sequence[Override]) -> tuple[list[str], dict[str, Override]]:
    """What all trials share, and what each chooses; the last override of a key counts."""
    last = {override.get_key_element(): override for override in overrides}
    fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in last.items() if not o.is_sweep_override()]
    return fixed, {key: override for key, override in last.items() if override.is_sweep_override()}


def distribution(optuna: Any, key: str, override: Override) -> optuna.distributions.BaseDistribution:
    """What a swept override may be, as Optuna tells it.

    Raises:
        AnodiceError: a sweep of another kind.
    """
    value, log = override.value(), "log" in getattr(override.value(), "tags", set())
    if isinstance(value, IntervalSweep):
        if isinstance(value.start, int) and isinstance(value.end, int):
            return optuna.distributions.IntDistribution(value.start, value.end, log=log)
        return optuna.distributions.FloatDistribution(value.start, value.end, log=log)
    if isinstance(value, RangeSweep | ChoiceSweep):
        return optuna.distributions.CategoricalDistribution([*override.sweep_string_iterator()])
    raise AnodiceError(f"expected choice(..), range(..) or interval(..) for {key}, got {override.input_line}.")


def _overrides(params: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def _name(number: int) -> str:
    return f"trial_{number:03d}"


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as missing:
        raise AnodiceError('expected optuna, which is not installed; pip install "anodice[sweeps]".') from missing
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
