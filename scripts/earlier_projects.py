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
from typing import Any

from omegaconf import OmegaConf

from anodice.app.arguments import TOLD, as_options
from anodice.errors import AnodiceError, unknown
from anodice.reporting.markdown import markdown_table, number, with_interval

PROJECT = Path(__file__).parents[1]
FIGURES = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_name("earlier_figures.yaml")))
RECIPES = {f"seeds/{name}": [f"experiment=seeds/{name}"] for name in FIGURES}
"""Name -> overrides of train.py."""
WHOLE = "whole"
"""The split that learns from every normal training photo."""
PLAIN = ["logger=none", "figure_formats=[]"]
"""For runs of which the table takes nothing but figures."""


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args(as_options(parser, sys.argv[1:]))
    if arguments.root is None:
        raise AnodiceError("expected a folder of photos, got none; give data.root=DIR or set DICE_ROOT.")
    chosen = RECIPES if arguments.only is None else [_known(name) for name in arguments.only.split(",")]
    log_dir = Path(arguments.log_dir)
    for name in chosen:
        for folder, more in ((log_dir / name, []), (held_out(log_dir, name), ["split=published", *PLAIN])):
            if finished(folder) is None and (not more or learns_from_all(log_dir / name)):
                train(name, [*RECIPES[name], *more], folder, arguments.root, arguments.overrides)
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
    test = _metrics(runs[0])["test"]
    counts = {part: f"{test[part]['normals']} normal, {test[part]['anomalies']} anomalous" for part in test}
    missing = [name for name in RECIPES if finished(log_dir / name) is None]
    told = f"\nNot run for this page: {', '.join(missing)}.\n" if missing else ""
    return HEAD.format(**counts) + table(log_dir) + told + FACTS + facts()


HEAD = """# The earlier projects, measured again

Each method of eight earlier projects, six of them on the same dice, as close to the original as its faults allow
(`conf/experiment/seeds/`); our own detectors are in results.md. All rows come from one command:

    python scripts/earlier_projects.py data.root=DIR

F1 is that of the anomalous class, with its 95 % interval. Thresholds were fitted on validation photos: `f1_max` on
normal and anomalous ones, `normals_only` on normal ones alone. "Its own rule" is the one that the earlier project used,
where it had one, with the anomalies that it found and its false alarms. The figures are those of the clean test
({clean}), which leaves out copies of training photos; the last columns hold those of the published test
({published}), copies included.

Templates and spectra learned from every normal photo of the training folder, copies and all, as the originals did
(`split=whole`). A threshold that is fitted on photos among these comes out too low, so the columns of `f1_max` and
`normals_only` are those of a second training that held the validation photos out (`split=published`).

"""

FACTS = """
## What the published figures were

They were measured on other photos than ours: compare what they mean before their digits. Where a figure of the test is
named, it is one recomputed on the official test (330 normal photos, and 52 anomalous ones or the 26 that were read).

"""


def table(log_dir: Path) -> str:
    """The finished runs under `log_dir`, one row each, as Markdown."""
    fitted = ("F1, f1_max [95 %]", "F1, normals_only [95 %]")
    own = "its own rule: F1 (found, false alarms)"
    heads = ["recipe", "published", "AUROC", *fitted, own]
    heads += [f"published test: {head}" for head in ("AUROC", *fitted, own)]
    rows = [heads]
    for name in RECIPES:
        if (run := finished(log_dir / name)) is None:
            continue
        metrics = _metrics(run)
        known = finished(held_out(log_dir, name)) if metrics["split"] == WHOLE else run
        honest = None if known is None else _metrics(known)
        row = [name, FIGURES[name.removeprefix("seeds/")]["published"]]
        for part in ("clean", "published"):
            found = metrics["test"][part]
            row.append(number(found["auroc"]))
            for rule in ("f1_max", "normals_only"):
                row.append("n/a" if honest is None else with_interval(honest["test"][part]["at"][rule], "f1"))
            row.append(_own_rule(metrics["threshold"], found))
        rows.append(row)
    return markdown_table(rows) + "\n"


def facts() -> str:
    """What the published figure of each recipe was, one row each, as Markdown."""
    rows = [["recipe", "published", "measured on", "its threshold", "what that figure really was", "trained here"]]
    for name in RECIPES:
        told = FIGURES[name.removeprefix("seeds/")]
        words = [told[key] for key in ("published", "measured_on", "threshold", "really")]
        rows.append([name, *words, told.get("length", "as the original")])
    return markdown_table(rows) + "\n"


def held_out(log_dir: Path, name: str) -> Path:
    """The folder of a recipe's runs that did not learn from validation photos, where the others did."""
    return log_dir / "held_out" / name


def learns_from_all(log_dir: Path) -> bool:
    """Whether the recipe whose runs are in this folder learned from the validation photos, too."""
    run = finished(log_dir)
    return run is not None and _metrics(run)["split"] == WHOLE


def _own_rule(rule: str, part: dict[str, Any]) -> str:
    if rule in ("f1_max", "normals_only"):
        return ""
    at, words = part["at"][rule], ""
    if (slight := part.get("slight")) is not None:
        words = f"; slight: {slight['anomalies']}, {slight['normals']}"
    return f"{number(at['f1'])} ({at['tp']}, {at['fp']}{words})"


def _metrics(run: Path) -> dict[str, Any]:
    return json.loads((run / "metrics.json").read_text())


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
    """The recipe, with or without the `seeds/` before it."""
    full = name if name.startswith("seeds/") else f"seeds/{name}"
    if full not in RECIPES:
        raise unknown("recipe", full, RECIPES)
    return full


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
