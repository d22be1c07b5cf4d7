"""What `train.py -m` does: every combination of what is swept, each in its own folder, then one table.

Hydra's launchers run the jobs, one after the other or side by side (`hydra/launcher=joblib`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from anodice.app.command_line import sentence
from anodice.app.files import write_json
from anodice.app.run_folder import readable
from anodice.app.sweep_folder import (
    FAILED,
    SWEEP,
    claimed_sweep,
    job_names,
    short_key,
    sweep_name,
    values_of,
    write_job,
)
from anodice.errors import AnodiceError

Jobs = Mapping[str, Sequence[str]]
"""Name of a job -> its overrides."""


class GridSweeper(Sweeper):
    """Every combination of what is swept, as Hydra's own; a job that cannot run does not keep the others from it.

    The folder has a name that the same command finds again: jobs that have ended are skipped, a cut one is resumed.
    """

    def __init__(self, params: dict[str, str] | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs, and tell what came of them.

        Raises:
            AnodiceError: some of them failed.
        """
        told = [*self.presets(), *arguments]
        overrides = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(told)
        with claimed_sweep(Path(self.config.paths.log_dir) / "multiruns" / self._name(overrides, told)) as folder:
            print(f"sweep folder {readable(folder.absolute())}", flush=True)
            try:
                self.work(folder, overrides)
            except KeyboardInterrupt:
                print("\nstopped: the same command goes on where it stopped", flush=True)
                raise
            self._tell(folder)

    def presets(self) -> list[str]:
        """The overrides that come before those of the command line."""
        return [f"{key}={value}" for key, value in self.params.items()]

    def work(self, folder: Path, overrides: Sequence[Override]) -> None:
        """Run all jobs of the sweep in its folder."""
        self.run(folder, jobs_of(overrides))

    def run(self, folder: Path, jobs: Jobs, first: int = 0) -> None:
        """Run these jobs, those that cannot even be composed excepted, which are noted as failed.

        Args:
            first: how many jobs came before them.
        """
        self._note(folder, jobs)
        batch = [job for name, overrides in jobs.items() if (job := self._composed(folder, name, overrides))]
        with open_dict(self.config):
            self.config.hydra.sweep.dir = str(folder)
        if batch:
            self.launcher.launch(batch, initial_job_idx=first)

    def _composed(self, folder: Path, name: str, overrides: Sequence[str]) -> list[str] | None:
        """The overrides of a job with those of its folder; None where they make no config."""
        where = str(folder.absolute()).replace("'", "\\'")
        job = [*overrides, f"hydra.sweep.dir='{where}'", f"hydra.sweep.subdir='{name}'"]
        try:
            self.hydra_context.config_loader.load_sweep_config(self.config, job)
        except Exception as error:
            write_job(folder / name, FAILED, reason=sentence(error, "train") or f"{type(error).__name__}: {error}")
            return None
        return job

    def _note(self, folder: Path, jobs: Jobs) -> None:
        """Write down what the sweep consists of, for the table."""
        known = {name: list(overrides) for name, overrides in jobs.items()}
        write_json(folder / SWEEP, {"jobs": known, "optimized_metric": self.config.optimized_metric})

    def _name(self, overrides: Sequence[Override], told: Sequence[str]) -> str:
        keys = swept_keys(overrides)
        return sweep_name("_".join(short_key(key, keys).replace("/", "-") for key in keys) or "jobs", told)

    def _tell(self, folder: Path) -> None:
        from anodice.programs.sweep_results import write_summary

        found = write_summary(folder)
        print(f"\n{found.text}", flush=True)
        print(f"\nto begin the sweep anew, delete {readable(folder.absolute())}", flush=True)
        if found.failed:
            raise AnodiceError(
                f"{len(found.failed)} of {found.jobs} jobs failed, for the reasons above; the same command tries them "
                "again and skips the others."
            )


def swept_keys(overrides: Sequence[Override]) -> list[str]:
    """The keys that have several values; the last override of a key counts."""
    last = {o.get_key_element().lstrip("+~"): o for o in overrides}
    return [key for key, override in last.items() if override.is_sweep_override()]


def jobs_of(overrides: Sequence[Override]) -> dict[str, list[str]]:
    """Every combination of the swept values."""
    # Hydra loads its plugins anew when it looks for them: a class that was imported before would be another one.
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    (batch,) = BasicSweeper.split_arguments(list(overrides), None)
    return dict(zip(job_names([values_of(job) for job in batch], swept_keys(overrides)), batch, strict=True))
