"""Placeholder"""
from anodice.programs.sweeper import GridSweeper
class OptunaSweeper(GridSweeper):
    pass
