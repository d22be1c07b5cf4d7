"""Measure how finished runs hold under changed light, lens and pose: `python scripts/robustness.py run=latest`.

Tables, figures and a picture are written to `robustness/` in each run folder; several runs end in one more table.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.augmentation.perturbations import PERTURBATIONS, SEVERITIES
from anodice.errors import AnodiceError, unknown
from anodice.programs.robustness import FOLDER, robustness
from anodice.reporting.robustness import compare, tables

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(as_options(parser, sys.argv[1:] if arguments is None else arguments))
    names, severities = _names(options.only), _severities(options.severities)
    if options.seed < 0:
        raise AnodiceError(f"expected --seed of at least 0, got {options.seed}.")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_folder.register_resolvers()
    wanted = [reference.removeprefix("run=") for reference in options.run]
    found = [
        run for reference in wanted for run in run_folder.find_runs(reference, options.log_dir, need=run_folder.BEST)
    ]
    measured = {}
    for run in dict.fromkeys(found):
        log.info("%s", run_folder.readable(run))
        result = robustness(run, root=options.root, names=names, severities=severities, seed=options.seed)
        measured[str(run_folder.readable(run))] = result
        print(f"\n{tables(result)}\n\nwritten to {run_folder.readable(run / FOLDER)}\n", flush=True)
    if len(measured) > 1:
        text = compare(measured)
        print(text)
        if options.output is not None:
            options.output.write_text(f"{text}\n")


def _names(chosen: str | None) -> list[str]:
    names = list(PERTURBATIONS) if chosen is None else chosen.split(",")
    for name in names:
        if name not in PERTURBATIONS:
            raise unknown("perturbation", name, PERTURBATIONS)
    return names


def _severities(chosen: str) -> list[int]:
    words = chosen.split(",")
    known = [str(severity) for severity in SEVERITIES]
    if not set(words) <= set(known):
        raise AnodiceError(f"expected --severities out of {','.join(known)}, got {chosen}.")
    return sorted({int(word) for word in words})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "run", nargs="+", metavar="run=RUN", help="run folders, folders of runs, names under the logs, or latest"
    )
    parser.add_argument("--severities", default=",".join(map(str, SEVERITIES)), help="(%(default)s)")
    parser.add_argument("--only", metavar="NAMES", help=f"separated by commas; all: {', '.join(PERTURBATIONS)}")
    parser.add_argument("--seed", type=int, default=0, help="seed of the perturbations (%(default)s)")
    parser.add_argument("--root", help="where the photos are now, if they have moved since the training")
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the table of several runs to FILE")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
