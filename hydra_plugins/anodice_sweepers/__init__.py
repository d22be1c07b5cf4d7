"""The sweepers of `train.py -m`, by the names under which Hydra takes them: it takes them from nowhere else."""

from __future__ import annotations

from anodice.programs import optuna_sweeper, sweeper


class Grid(sweeper.GridSweeper):
    """`hydra/sweeper=grid`."""


class Optuna(optuna_sweeper.OptunaSweeper):
    """`hydra/sweeper=optuna`."""
