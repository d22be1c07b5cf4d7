"""Several runs against each other, in a narrow terminal as well."""

from __future__ import annotations

from anodice.reporting.comparisons import Evaluated, compared
from tests.tables import fitted_to, made_up, metrics_of


def evaluated(*names):
    found = {}
    for k, name in enumerate(names):
        table = made_up(gap=2.0 + k)
        found[name] = Evaluated({**metrics_of(table), "seed": 0}, fitted_to(table), table)
    return found


def test_runs_of_long_names_are_given_letters_so_that_the_figures_fit():
    names = [f"2026-01-22_10-15-0{k}_vae_synthetic" for k in range(2)]
    text = compared(evaluated(*names), width=80)
    assert text.splitlines()[:2] == [f"- A: {names[0]}", f"- B: {names[1]}"]
    table = [line for line in text.splitlines() if line.startswith(("| first", "| A "))]
    assert max(map(len, table)) <= 80
    assert table[0].replace(" ", "") == "|first|second|F1[95%]|AUROC[95%]|p|"
    assert "A and B differ on" in text


def test_short_names_stay():
    text = compared(evaluated("vae", "conv_ae"))
    assert "| vae   | conv_ae |" in text
    assert "vae and conv_ae differ on" in text
