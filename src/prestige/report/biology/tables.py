"""Tables of the page "Biology": what it shows, and the whole ones as CSV files."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prestige.biology.genes.cell_types import CellTypes
from prestige.biology.genes.conditions import Conditions
from prestige.biology.genes.correlations import GeneCorrelations
from prestige.biology.genes.enrichment import Enrichment
from prestige.biology.space.domains import Domains
from prestige.biology.space.gradients import Gradients
from prestige.biology.space.neighbourhoods import Neighbourhoods
from prestige.biology.space.structure import Structure
from prestige.biology.study import Study
from prestige.report.biology.space import domain_text
from prestige.report.style import MICRO

ROWS = 20
"""Rows of a table on the page; the whole one is a file."""

DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Shown:
    """A table of the page: its head and rows as text, and where the whole one is."""

    head: list[str]
    rows: list[list[str]]
    path: str
    note: str = ""


def written(value: Any, form: str = ".2f") -> str:
    """Return a number in the given form, a dash where there is none."""
    if value is None or not math.isfinite(float(value)):
        return DASH
    text = format(float(value), form)
    return text if re.search("[1-9]", text) else text.removeprefix("-")  # no minus before a zero


def _interval(value: float, low: float, high: float, form: str) -> str:
    span = f" ({written(low, form)} to {written(high, form)})" if math.isfinite(low) else ""
    return written(value, form) + span


def structure_table(structure: Structure) -> Shown:
    """Return measured, predicted and half against half for each number of the structure in space."""
    mean = structure.table.filter(like="morans_i_").mean()
    order, beside = structure.morans_order
    s, h = structure.smoothing, structure.halves

    def lost(one: Any) -> str:
        return _interval(one.lost, one.lost_low, one.lost_high, ".0%")

    rows = [
        ["Moran's I, mean over genes", written(mean["morans_i_measured"], ".3f"),
         written(mean["morans_i_predicted"], ".3f"), DASH],
        ["the same at half the depth", written(mean["morans_i_half"], ".3f"),
         written(mean["morans_i_predicted_half"], ".3f"), written(mean["morans_i_other_half"], ".3f")],
        ["the same of depth alone (the same shares everywhere)", DASH, written(mean["morans_i_depth"], ".3f"),
         DASH],
        ["order of the genes by it, at half the depth (Spearman)", DASH, written(order), written(beside)],
        ["variance over the measured one (median over genes)", "1", written(structure.variance_ratio),
         written(structure.variance_ratio_halves)],
        ["the same without counting noise", "1", written(structure.signal_ratio), DASH],
        [f"smoothing length, {MICRO} (90 % interval)", "0",
         *(_interval(one.length_um, one.low_um, one.high_um, ".3g") for one in (s, h))],
        ["observations that such a kernel averages", "1",
         written(s.averaged, ".1f"), written(h.averaged, ".1f")],
        ["structure between neighbours that it takes", "0%", lost(s), lost(h)],
    ]  # fmt: skip
    return Shown(["", "measured", "predicted", "half against half"], rows, "tables/structure.csv")


def correlation_table(correlations: GeneCorrelations) -> Shown:
    """Return a row for all genes and one for each set."""
    head = ["genes of", "genes", "at half the depth: prediction", "halves", "depth alone",
            "mean |r| measured", "mean |r| predicted"]  # fmt: skip
    rows = [
        [row["set"], f"{row['n_genes']:,}", written(row["agreement_half"]), written(row["agreement_halves"]),
         written(row["agreement_depth"]), written(row["strength_measured"], ".3f"),
         written(row["strength_predicted"], ".3f")]
        for _, row in correlations.table.iterrows()
    ]  # fmt: skip
    return Shown(head, rows[:ROWS], "tables/correlations.csv", _cut(rows))


def domain_table(domains: Domains) -> Shown:
    """Return the adjusted Rand indices."""
    rows = [[words, domain_text(domains, name)] for words, name in _ARI.items()]
    return Shown(["compared", "adjusted Rand index (95 % interval)"], rows, "tables/domains.csv")


_ARI = {
    "prediction and measurement, at the observed depth": "ari",
    "prediction and a half of the counts, at half the depth": "ari_half",
    "the two halves of the counts": "ari_halves",
    "depth alone (the same shares everywhere) and a half of the counts": "ari_depth",
    "shuffled predictions and a half of the counts": "ari_shuffled",
}


def activity_table(table: pd.DataFrame) -> Shown:
    """Return the pathways by how well their activity is predicted, both ends where there are many."""
    ranked = table.sort_values("noisy_half", ascending=False, kind="stable")
    head = ["pathway", "genes", "predicted", "with noise", "at half the depth", "halves"]
    rows = [
        [str(name), f"{row['n_genes']:.0f}",
         *(written(row[key]) for key in ("predicted", "noisy", "noisy_half", "halves"))]
        for name, row in ranked.iterrows()
    ]  # fmt: skip
    shown, note = _ends(rows)
    return Shown(head, shown, "tables/activity.csv", note)


def enrichment_table(enrichment: Enrichment) -> Shown:
    """Return the gene sets by how well their genes are predicted, both ends where there are many."""
    head = ["gene set", "genes", "mean Pearson inside", "outside", "t", "adjusted p"]
    beyond = ["t beyond covariates", "adjusted p"] if enrichment.covariates else []
    rows = []
    for name, row in enrichment.table.iterrows():
        cells = [str(name), f"{row['n_genes']:.0f}", written(row["mean_inside"], ".3f"),
                 written(row["mean_outside"], ".3f"), written(row["t"], "+.1f"),
                 written(row["p_adjusted"], ".2g")]  # fmt: skip
        if beyond:
            cells += [written(row["t_residual"], "+.1f"), written(row["p_adjusted_residual"], ".2g")]
        rows.append(cells)
    shown, note = _ends(rows)
    return Shown(head + beyond, shown, "tables/enrichment.csv", note)


def type_table(types: CellTypes) -> Shown:
    """Return the types: how many observations have the label, and how far scores and surroundings agree."""
    head = ["type", "markers", "labelled, measured", "predicted", "with noise", "score: at half the depth",
            "halves", "depth alone"]  # fmt: skip
    around = ["around: at half the depth", "halves", "depth alone"] if types.neighbours else []
    rows = []
    for name, row in types.table.iterrows():
        of = ("noisy_half", "halves", "depth")
        keys = [f"score_{one}" for one in of] + [f"composition_{one}" for one in of if around]
        shares = [written(row[f"share_{side}"], ".1%") for side in ("measured", "predicted", "noisy")]
        markers = f"{row['n_markers']:.0f}" if row["n_markers"] else DASH
        rows.append([str(name), markers, *shares, *(written(row[key]) for key in keys)])
    return Shown(head + around, rows, "tables/cell_types.csv")


def condition_table(conditions: Conditions) -> Shown:
    """Return the genes with the largest measured differences."""
    head = [
        "gene",
        "measured log2 fold change",
        "standard error",
        "predicted",
        "standard error",
        "with noise",
    ]
    keys = ("measured", "measured_se", "predicted", "predicted_se", "noisy")
    rows = [
        [str(name), *(written(row[key], "+.2f" if not key.endswith("se") else ".2f") for key in keys)]
        for name, row in conditions.table.iterrows()
    ]
    return Shown(head, rows[:ROWS], "tables/conditions.csv", _cut(rows))


def gradient_table(gradients: Gradients) -> Shown:
    """Return the genes that change most clearly along the distance."""
    head = ["gene", "variance explained, measured", "adjusted p", "predicted with noise", "adjusted p",
            "depth alone", "adjusted p", "correlation of the curves"]  # fmt: skip
    rows = [
        [str(name), written(row["share_measured"], ".1%"), written(row["p_adjusted_measured"], ".2g"),
         written(row["share_noisy"], ".1%"), written(row["p_adjusted_noisy"], ".2g"),
         written(row["share_depth"], ".1%"), written(row["p_adjusted_depth"], ".2g"), written(row["curves"])]
        for name, row in gradients.table.iterrows()
    ]  # fmt: skip
    return Shown(head, rows[:ROWS], "tables/gradients.csv", _cut(rows))


def neighbourhood_table(around: Neighbourhoods) -> Shown:
    """Return the genes that are highest near the boundary, by the measurement."""
    head = ["gene", "at the boundary, measured", "predicted", "at the centre, measured", "predicted"]
    table = around.table.sort_values("boundary_measured", ascending=False, kind="stable")
    rows = [[str(name), *(written(value) for value in row)] for name, row in table.iterrows()]
    note = (
        f"Enrichment index: mean weighted by closeness (Gaussian, {around.width_um:g} {MICRO}) over the "
        f"mean; 1 is no enrichment. Means of rings are in tables/rings.csv. {_cut(rows)}"
    )
    return Shown(head, rows[:ROWS], "tables/neighbourhoods.csv", note.strip())


FILES = tuple(
    f"tables/{name}.csv"
    for name in (
        "genes", "structure", "covariance", "correlations", "domains", "activity", "enrichment", "conditions",
        "gradients", "neighbourhoods", "cell_types", "confusion", "gradient_curves", "rings", "set_scores",
    )
)  # fmt: skip
"""Every table that a page may have."""


def csv_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return every table of a study as a file holds it."""
    tables: dict[str, pd.DataFrame] = {
        "genes": pd.DataFrame({"gene": list(study.pair.genes), "pearson": study.scores}).assign(
            ceiling=study.ceiling.value, ceiling_lower=study.ceiling.lower
        )
    }
    if study.structure is not None:
        tables["structure"] = study.structure.table
        s = study.structure.smoothing
        tables["covariance"] = pd.DataFrame(
            {"distance_um": s.distance_um, "measured": s.measured, "predicted": s.predicted}
        )
    if study.correlations is not None:
        tables["correlations"] = study.correlations.table
    if (one := study.domains) is not None:
        rows = [
            (words, getattr(one, name), *(one.intervals.get(name) or (math.nan, math.nan)))
            for words, name in _ARI.items()
        ]
        tables["domains"] = pd.DataFrame(rows, columns=["compared", "adjusted_rand_index", "low", "high"])
    for name in ("activity", "enrichment", "conditions", "gradients", "neighbourhoods"):
        if (answer := getattr(study, name)) is not None:
            tables[name] = answer.table.reset_index()
    if study.cell_types is not None and len(study.cell_types.table):
        tables["cell_types"] = study.cell_types.table.reset_index()
        tables["confusion"] = study.cell_types.confusion
    if study.gradients is not None:
        tables["gradient_curves"] = _curves(study.gradients)
    if study.neighbourhoods is not None:
        tables["rings"] = study.neighbourhoods.rings
    return tables


def _curves(gradients: Gradients) -> pd.DataFrame:
    """Return the curves of the genes that the page names."""
    names = [str(name) for name in gradients.table.index[:ROWS]]
    at = [gradients.genes.index(name) for name in names]
    sides = [
        pd.DataFrame(gradients.curves[side][:, at], columns=names).assign(
            side=side, distance_um=gradients.distance_um
        )
        for side in ("measured", "predicted")
    ]
    return pd.concat(sides).melt(id_vars=["side", "distance_um"], var_name="gene", value_name="log1p")


def _cut(rows: Sequence[Sequence[str]]) -> str:
    return f"The first {ROWS} of {len(rows):,}." if len(rows) > ROWS else ""


def _ends(rows: list[list[str]]) -> tuple[list[list[str]], str]:
    """Return all rows where they are few, else as many from the top as from the end, and what was done."""
    if len(rows) <= ROWS:
        return rows, ""
    gap = [f"\N{HORIZONTAL ELLIPSIS} {len(rows) - ROWS:,} between"] + [""] * (len(rows[0]) - 1)
    return [*rows[: ROWS // 2], gap, *rows[-(ROWS // 2) :]], f"{ROWS} of {len(rows):,}: both ends."
