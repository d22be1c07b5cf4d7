"""Measure how much faster our ways are than the usual ones: `python scripts/benchmark.py`.

Both sides of a row run in turn in one process, several rounds; the median of the rounds' ratios counts, and the
smallest and largest tell how far to trust it. Either side may use all the processor's cores, as our commands do; a loop
over single images uses one of them, whatever there is. `--threads=1` compares the work alone, and is the steadier
choice beside other jobs. Before any timing a row checks that both sides give the same. A file under
scripts/benchmarks/ enters its rows by being there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules

import benchmarks
from benchmarks.rows import ROWS, NotHereError, measure

from anodice.app.process import keep_freed_memory
from anodice.errors import AnodiceError, unknown


def main() -> int:
    """The exit status: 1 where the sides of a row do not agree."""
    keep_freed_memory()  # as the commands do, for either side
    early = argparse.ArgumentParser(add_help=False)
    early.add_argument("--threads", type=int, help="threads of either side, instead of one for each core")
    threads = early.parse_known_args()[0].threads
    if threads is not None:
        if threads < 1:
            raise AnodiceError(f"expected --threads of at least 1, got {threads}.")
        # Read by NumPy and torch when they start, which is below.
        os.environ.update({f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")})
    for module in iter_modules(benchmarks.__path__):
        importlib.import_module(f"benchmarks.{module.name}")
    about = "\n".join(f"  {name}: {entry.about}" for name, entry in ROWS.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nrows:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[early],
    )
    parser.add_argument("--only", metavar="NAME[,NAME]", help="these rows instead of all")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each row (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results and the versions to FILE")
    options = parser.parse_args()
    names = list(ROWS) if options.only is None else options.only.split(",")
    for name in names:
        if name not in ROWS:
            raise unknown("row", name, ROWS)
    if options.rounds < 1:
        raise AnodiceError(f"expected --rounds of at least 1, got {options.rounds}.")
    print("# " + ", ".join(f"{name} {value}" for name, value in _machine().items()))
    results, failures = [], []
    for name in names:
        print(f"# {ROWS[name].about}")
        try:
            results.append(measure(name, options.rounds))
        except NotHereError as reason:
            print(f"{name}: not measured: {reason}", flush=True)
        except AnodiceError as error:
            failures.append(name)
            print(f"{name}: error: {error}", flush=True)
        else:
            print(results[-1], flush=True)
    if options.json is not None:
        versions = {"python": platform.python_version()} | {name: version(name) for name in ("numpy", "torch")}
        rows = [asdict(result) for result in results]
        text = json.dumps({**_machine(), "versions": versions, "rows": rows}, indent=2)
        options.json.write_text(f"{text}\n")
    return 1 if failures else 0


def _machine() -> dict[str, str | int | None]:
    import torch  # not before its threads are settled

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"machine": platform.machine(), "threads": torch.get_num_threads(), "gpu": gpu}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
