"""Train and evaluate every method of the earlier projects and write one table.

    python scripts/earlier_projects.py data.root=DIR

Runs that are finished are not repeated, so the command can be interrupted and called again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from omegaconf import OmegaConf

from anodice.app.arguments import TOLD, as_options
from anodice.errors import AnodiceError, unknown
from anodice.reporting.markdown import markdown_table, number, with_interval

PROJECT = Path(__file__).parents[1]
FIGURES = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_name("earlier_figures.yaml")))
RECIPES = {f"seeds/{name}": [f"experiment=seeds/{name}"] for name in FIGURES}
"""Name -> overrides of train.py."""


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args(as_options(parser, sys.argv[1:]))
    if arguments.root is None:
        raise AnodiceError("expected a folder of photos, got none; give data.root=DIR or set DICE_ROOT.")
    chosen = RECIPES if arguments.only is None else [_known(name) for name in arguments.only.split(",")]
    log_dir = Path(arguments.log_dir)
    for name in chosen:
        if finished(log_dir / name) is None:
            train(name, RECIPES[name], log_dir / name, arguments.root, arguments.overrides)
    text = document(log_dir)
    output = log_dir / "table.md" if arguments.output is None else Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)
    print(f"\n{text}\nwritten to {output}")


def document(log_dir: Path) -> str:
    """The table with what a reader needs to know of it."""
    runs = [run for run in (finished(log_dir / name) for name in RECIPES) if run is not None]
    if not runs:
        raise AnodiceError(f"expected finished runs under {log_dir.absolute()}, found none; see the messages above.")
    test = json.loads((runs[0] / "metrics.json").read_text())["test"]
    counts = {part: f"{test[part]['normals']} normal, {test[part]['anomalies']} anomalous" for part in test}
    return HEAD.format(**counts) + table(log_dir)


HEAD = """# The earlier projects, measured again

Each method of five earlier projects on dice, as close to the original as its faults allow (`conf/experiment/seeds/`);
our own detectors are in results.md. All rows come from one command:

    python scripts/earlier_projects.py data.root=DIR

F1 is that of the anomalous class, with its 95 % interval. Thresholds were fitted on validation photos: `f1_max` on
normal and anomalous ones, `normals_only` on normal ones alone; "its own rule" is the one that the earlier project used,
where it had one. The figures are those of the clean test ({clean}), which leaves out copies of training photos; the
last columns hold those of the published test ({published}), copies included. The published figures were measured on
other test photos of the same dice: compare what they mean before their digits.

"""


def table(log_dir: Path) -> str:
    """The finished runs under `log_dir`, one row each, as Markdown."""
    heads = [
        *("recipe", "published", "what that figure really was", "AUROC"),
        *("F1, f1_max [95 %]", "F1, normals_only [95 %]", "F1, its own rule"),
        *("published test: F1, f1_max [95 %]", "published test: F1, normals_only [95 %]"),
    ]
    rows = [heads]
    for name in RECIPES:
        run = finished(log_dir / name)
        if run is None:
            continue
        metrics = json.loads((run / "metrics.json").read_text())
        clean, published = metrics["test"]["clean"], metrics["test"]["published"]
        told = FIGURES[name.removeprefix("seeds/")]
        own = (
            clean["at"][metrics["threshold"]]["f1"] if metrics["threshold"] not in ("f1_max", "normals_only") else None
        )
        rows.append(
            [
                name,
                told["published"],
                told["really"],
                number(clean["auroc"]),
                with_interval(clean["at"]["f1_max"], "f1"),
                with_interval(clean["at"]["normals_only"], "f1"),
                "" if own is None else number(own),
                with_interval(published["at"]["f1_max"], "f1"),
                with_interval(published["at"]["normals_only"], "f1"),
            ]
        )
    return markdown_table(rows) + "\n"


def train(name: str, recipe: list[str], log_dir: Path, root: str, overrides: list[str]) -> None:
    """Run train.py with a recipe's overrides and further ones, with its runs under `log_dir`; a failure is told."""
    told = [*recipe, f"data.root={root}", f"paths.log_dir={log_dir}", *overrides]
    print(f"== {name}: {' '.join(['python train.py', *told])}", flush=True)
    if subprocess.run([sys.executable, str(PROJECT / "train.py"), *told], check=False).returncode != 0:
        print(f"== {name} failed; its row is left out", file=sys.stderr)


def finished(log_dir: Path) -> Path | None:
    """The newest run under a recipe's folder that has figures."""
    runs = sorted((path.parent for path in log_dir.glob("runs/*/metrics.json")), key=lambda run: run.stat().st_mtime)
    return runs[-1] if runs else None


def _known(name: str) -> str:
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", default=os.environ.get("DICE_ROOT"), help="folder of photos; default: DICE_ROOT")
    parser.add_argument("--only", help=f"recipes, separated by commas; all: {', '.join(RECIPES)}")
    parser.add_argument("--log-dir", default="logs/earlier_projects", help="a folder for the runs (%(default)s)")
    parser.add_argument("--output", help="file for the table; default: table.md in the log folder")
    parser.add_argument("overrides", nargs="*", help="further overrides of train.py for every recipe, such as seed=1")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
