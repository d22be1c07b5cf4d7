"""Train and evaluate the detectors and write the tables of results.

    python scripts/results.py data.root=DIR

Runs that are finished are not repeated, so the command can be interrupted and called again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earlier_projects import PROJECT, finished, train

from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.augmentation.perturbations import PERTURBATIONS, SEVERITIES
from anodice.errors import AnodiceError, unknown
from anodice.evaluation.run_results import read_metrics
from anodice.programs.robustness import FOLDER, robustness
from anodice.reporting.markdown import markdown_table, number, with_interval
from anodice.reporting.robustness import compare

DETECTORS = ("conv_ae", "vae", "ae_classifier", "inception_cae", "defect_unet", "local_memory")
SEEDS = (0, 1, 2)
HARDER = {
    "ten": ("ten photos of each class to learn from", ["split.fit_per_class=10"]),
    "session": (
        "a shooting session, and the only one with many anomalies, held out",
        ["split=session", "split.test=[26_01_22,img]", "threshold=normals_only"],
    ),
}
"""Name -> what is harder, and the overrides of train.py that make it so."""

FEW = {
    "local_memory": ["model=local_memory"],
    "patchcore": ["model=patchcore", "model/backbone=timm", "model.memory.coreset=0.1"],
    "padim": ["model=padim", "model/backbone=timm", "model.backbone.layers=[blocks.1,blocks.2,blocks.4]"],
}
"""Detectors that learn from few photos, and their overrides: the last two know ImageNet (extra `pretrained`)."""
FEW_PHOTOS = (1, 5, 10)
"""Of each class."""

BEGIN, END = "<!-- python scripts/results.py -->\n", "<!-- end of results -->\n"
Found = Mapping[str, dict[str, Any]]
"""Name of the run -> the content of its `metrics.json`."""


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args(as_options(parser, sys.argv[1:]))
    if arguments.root is None:
        raise AnodiceError("expected a folder of photos, got none; give data.root=DIR or set DICE_ROOT.")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_folder.register_resolvers()
    log_dir, chosen = Path(arguments.log_dir), _chosen(arguments.only)
    for name in chosen:
        if finished(log_dir / name) is None:
            train(name, recipes()[name], log_dir / name, arguments.root, arguments.overrides)
        run = finished(log_dir / name)
        if name.endswith("/seed0") and run is not None and not (run / FOLDER / f"{FOLDER}.json").is_file():
            robustness(run, root=None, names=list(PERTURBATIONS), severities=SEVERITIES, seed=0)
    tables, summary = document(log_dir), overview(log_dir)
    print(f"\n{summary}\n{tables}")
    if arguments.update:
        for page, text in ((PROJECT / "README.md", summary), (PROJECT / "docs" / "results.md", tables)):
            page.write_text(between(page.read_text(), text))
        print("written to docs/results.md and README.md")
    else:
        (log_dir / "results.md").write_text(tables)
        print(f"written to {log_dir / 'results.md'}")


def recipes() -> dict[str, list[str]]:
    """Name of the run -> overrides of train.py."""
    found = {}
    for model in DETECTORS:
        base = [f"model={model}", "data=dice11"]
        found |= {f"{model}/seed{seed}": [*base, f"seed={seed}"] for seed in SEEDS}
        found |= {f"{model}/{name}": [*base, "seed=0", *overrides] for name, (_, overrides) in HARDER.items()}
    for model, overrides in FEW.items():
        for count in FEW_PHOTOS:
            found[f"few/{model}{count}"] = [*overrides, "data=dice11", "seed=0", f"split.fit_per_class={count}"]
    return found


def overview(log_dir: Path) -> str:
    """One row for each detector: the figures of all its seeds."""
    heads = ["detector", "AUROC", "F1, f1_max", "F1, normals_only", "lowest F1 [95 %]", "F1, copies included"]
    rows = [[*heads, "parameters", "training", "ms/image"]]
    for model in DETECTORS:
        found = list(_metrics(log_dir, [f"{model}/seed{seed}" for seed in SEEDS]).values())
        if not found:
            continue
        clean, published = ([m["test"][part] for m in found] for part in ("clean", "published"))
        f1 = [[number(part["at"][rule]["f1"]) for part in clean] for rule in ("f1_max", "normals_only")]
        lowest = min((part["at"]["f1_max"] for part in clean), key=lambda at: at["f1"] or 0.0)
        rows.append(
            [
                f"`{model}`",
                _range([part["auroc"] for part in clean], 4),
                *(", ".join(each) for each in f1),
                with_interval(lowest, "f1"),
                ", ".join(number(part["at"]["f1_max"]["f1"]) for part in published),
                f"{found[0]['parameters']:,}",
                _seconds([m["fit_seconds"] for m in found]),
                _range([m["score_milliseconds"] for m in found], 1),
            ]
        )
    return markdown_table(rows) + "\n"


def document(log_dir: Path) -> str:
    """All tables, with what a reader needs to know of them."""
    found = _metrics(log_dir, [name for name in recipes() if "/seed" in name])
    few = _metrics(log_dir, [name for name in recipes() if name.startswith("few/")])
    if not found and not few:
        raise AnodiceError(f"expected finished runs under {log_dir.absolute()}, found none; see the messages above.")
    test = next(iter((found | few).values()))["test"]
    counts = {part: f"{test[part]['normals']} normal, {test[part]['anomalies']} anomalous" for part in test}
    parts = [HEAD.format(**counts)]
    if found:
        parts += ["## The published split", _table(found)]
    for name, (what, overrides) in HARDER.items():
        harder = _metrics(log_dir, [f"{model}/{name}" for model in DETECTORS])
        if harder:
            command = f"    python train.py model=MODEL data=dice11 seed=0 {' '.join(overrides)}"
            parts += [f"## With {what}", command, _table(harder)]
    if few:
        parts += ["## With 1, 5 and 10 photos of each class", FEW_SHOT, _table(few)]
    measured = _robustness(log_dir)
    if measured:
        parts += ["## Under other light, lens and pose", ROBUSTNESS, compare(measured)]
    return "\n\n".join(parts) + "\n"


HEAD = """All rows come from one command, which trains what is not yet trained:

    python scripts/results.py data.root=DIR

F1 is that of the anomalous class, with its 95 % interval. Thresholds were fitted on validation photos: `f1_max` on
normal and anomalous ones, `normals_only` on normal ones alone. The figures are those of the clean test ({clean}), which
leaves out copies of training photos; the columns of the published test ({published}) include them."""
FEW_SHOT = """`patchcore` and `padim` look with EfficientNet-Lite0 as ImageNet has taught it (extra `pretrained`),
`local_memory` with an encoder that learned from those few photos. This trains them alone:

    python scripts/results.py --only few data.root=DIR"""
ROBUSTNESS = """Seed 0 of each detector on changed test photos, with the thresholds of the unchanged validation photos:
`python scripts/robustness.py --help` names the changes and their amounts."""


def between(text: str, table: str) -> str:
    """The text with the table in place of what stood between the two marks.

    >>> between("a\\n<!-- python scripts/results.py -->\\nold\\n<!-- end of results -->\\nb", "new\\n").splitlines()
    ['a', '<!-- python scripts/results.py -->', 'new', '<!-- end of results -->', 'b']
    """
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise AnodiceError(
            f"expected the marks {BEGIN.strip()} and {END.strip()} in README.md and docs/results.md; put them back."
        )
    return f"{head}{BEGIN}{table}{END}{tail}"


def _table(found: Found) -> str:
    heads = ["run", "AUROC", "F1, f1_max [95 %]", "F1, normals_only [95 %]", "false alarms, misses"]
    rows = [[*heads, "published: F1, f1_max", "published: F1, normals_only", "parameters", "training", "ms/image"]]
    for name, metrics in found.items():
        clean, published = metrics["test"]["clean"], metrics["test"]["published"]
        at, rules = clean["at"][metrics["threshold"]], ("f1_max", "normals_only")
        both = [with_interval(clean["at"][rule], "f1") if rule in clean["at"] else "n/a" for rule in rules]
        all_photos = [number(published["at"][rule]["f1"]) if rule in published["at"] else "n/a" for rule in rules]
        cost = [f"{metrics['parameters']:,}", _seconds([metrics["fit_seconds"]])]
        counts = f"{at['fp']}, {at['fn']}"
        milliseconds = number(metrics["score_milliseconds"], 1)
        rows.append([name, number(clean["auroc"], 4), *both, counts, *all_photos, *cost, milliseconds])
    return markdown_table(rows)


def _metrics(log_dir: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = {name: finished(log_dir / name) for name in names}
    return {name: read_metrics(run) for name, run in found.items() if run is not None}


def _robustness(log_dir: Path) -> dict[str, dict[str, Any]]:
    measured = {}
    for model in DETECTORS:
        run = finished(log_dir / f"{model}/seed0")
        if run is not None and (run / FOLDER / f"{FOLDER}.json").is_file():
            measured[model] = json.loads((run / FOLDER / f"{FOLDER}.json").read_text())
    return measured


def _range(values: Sequence[float | None], digits: int) -> str:
    """`0.9997 to 1.0000`, or one figure where both are the same."""
    known = [value for value in values if value is not None]
    ends = [number(end(known), digits) for end in (min, max)] if known else ["n/a"]
    return " to ".join(dict.fromkeys(ends))


def _seconds(values: Sequence[float | None]) -> str:
    return f"{_range(values, 0)} s"


def _chosen(only: str | None) -> list[str]:
    """Names of runs: all, or those of the detectors and the runs that are named."""
    names, known = list(recipes()), ["few", *DETECTORS, *recipes()]
    if only is None:
        return names
    for word in only.split(","):
        if word not in known:
            raise unknown("detector or run", word, known)
    return [name for name in names if not {name, name.split("/")[0]}.isdisjoint(only.split(","))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", default=os.environ.get("DICE_ROOT"), help="folder of photos; default: DICE_ROOT")
    parser.add_argument("--only", help=f"detectors or runs, such as vae,vae/seed0; all: {', '.join(DETECTORS)}")
    parser.add_argument("--log-dir", default="logs/results", help="a folder for the runs (%(default)s)")
    parser.add_argument("--update", action="store_true", help="write the tables of docs/results.md and README.md")
    parser.add_argument("overrides", nargs="*", help="further overrides of train.py for every run, such as logger=none")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
