"""What `measure_robustness` found, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anodice.augmentation.perturbations import PERTURBATIONS
from anodice.reporting.markdown import markdown_table, number

_COMPARED = 3


def tables(measured: Mapping[str, Any]) -> str:
    """What `measure_robustness` returned, as Markdown: a table of the AUROC, and one of the F1 at each threshold."""
    images, severities = measured["images"], list(measured["mean"])
    head = (
        f"{images['normals']} normal and {images['anomalies']} anomalous test photos, without copies of training "
        f"photos, perturbed at severity {', '.join(severities)} (seed {measured['seed']})."
    )
    parts = [head, "AUROC:", _table(measured, lambda row: number(row["auroc"], 4))]
    for rule, sentence in measured["thresholds"].items():
        parts.append(f"F1 (false alarms + misses) at {sentence}:")
        parts.append(_table(measured, lambda row, rule=rule: _verdicts(row["at"][rule])))
    units = [
        f"- {name}: {', '.join(f'{a:g}' for a in PERTURBATIONS[name].amounts)} ({PERTURBATIONS[name].unit})"
        for name in measured["perturbed"]
    ]
    return "\n\n".join([*parts, "Severity 1 to 5 of each:", "\n".join(units)])


def _table(measured: Mapping[str, Any], cell: Callable[[Mapping[str, Any]], str]) -> str:
    rows = [["perturbation", *measured["mean"]], ["none", *[cell(measured["unchanged"])] * len(measured["mean"])]]
    rows += [[name, *map(cell, found.values())] for name, found in measured["perturbed"].items()]
    return markdown_table([*rows, ["mean", *map(cell, measured["mean"].values())]])


def _verdicts(at: Mapping[str, Any]) -> str:
    """`0.987 (1 + 0)`; a mean has no counts."""
    return f"{number(at['f1'])} ({at['fp']} + {at['fn']})" if "fp" in at else number(at["f1"])


def compare(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Several runs, one row each, as Markdown: their AUROC at severity 3, or the highest measured, and the mean F1.

    Args:
        measured: name of the run -> what `measure_robustness` returned, all with the same perturbations and severities.
    """
    first = next(iter(measured.values()))
    severity = str(_COMPARED) if str(_COMPARED) in first["mean"] else max(first["mean"])
    heads = ["run", "unchanged", *first["perturbed"], "mean AUROC", "mean F1, own rule", "mean F1, normals_only"]
    rows = [heads]
    for name, found in measured.items():
        mean = found["mean"][severity]
        aurocs = [found["unchanged"], *(by[severity] for by in found["perturbed"].values()), mean]
        own = next(iter(found["thresholds"]))
        f1 = [mean["at"].get(rule, {"f1": None})["f1"] for rule in (own, "normals_only")]
        rows.append([name, *(number(row["auroc"], 4) for row in aurocs), *map(number, f1)])
    return f"AUROC at severity {severity}:\n\n{markdown_table(rows)}"
