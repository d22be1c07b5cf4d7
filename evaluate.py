"""Evaluate finished runs: `python evaluate.py run=latest`, or several as `run=[A,B]`."""

from anodice.programs.commands import evaluate

if __name__ == "__main__":
    evaluate()
