"""Measure how small and how faint a defect a run still finds: `python scripts/detection_limit.py run=latest`.

Paints defects of graded size and contrast on normal test photos and writes tables and a picture into the run folder.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.errors import AnodiceError


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="run=RUN", help="a run folder, its name, or latest, as for evaluate.py")
    parser.add_argument("--photos", type=int, default=60, help="normal test photos to paint on (%(default)s)")
    parser.add_argument("--root", help="where the photos are now, if they have moved since the training")
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the places and the intervals (%(default)s)")
    options = parser.parse_args(as_options(parser, sys.argv[1:]))
    if options.seed < 0:
        raise AnodiceError(f"expected --seed of at least 0, got {options.seed}.")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_folder.register_resolvers()
    run = run_folder.find_run(options.run.removeprefix("run="), options.log_dir)
    from anodice.programs.detection_limit import detection_limit  # torch and Lightning load only now

    print(detection_limit(run, root=options.root, photos=options.photos, seed=options.seed))


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
