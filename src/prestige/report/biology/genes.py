"""Sentences on what ``biology/genes`` found: correlations, pathways, enrichment, cell types, conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prestige.biology.agreement import WITH_DEPTH
from prestige.biology.genes.activity import Activity
from prestige.biology.genes.cell_types import NEIGHBOURS, CellTypes
from prestige.biology.genes.conditions import GROUPS, PAIRED, Conditions
from prestige.biology.genes.correlations import ALL, GeneCorrelations
from prestige.biology.genes.enrichment import CAVEAT, LEVEL, Enrichment
from prestige.genesets import MIN_GENES
from prestige.report.biology.phrases import VERSIONS, capital, left_out_sentences, mean_text

SETS = 10
"""Sets that have a sentence on their correlations; the table has all."""

_NAMES = 5  # gene sets that a sentence on enrichment names
_SAME = 1e-9  # log2 fold changes up to this are none


def correlation_sentences(correlations: GeneCorrelations) -> list[str]:
    """Return what was correlations, a sentence for all genes and one for each set.

    Of many sets those have one in which the prediction is farthest from what the other half reaches.
    """
    short = correlations.table["agreement_halves"] - correlations.table["agreement_half"]
    short = short.abs().fillna(-1.0).iloc[1:]
    chosen = sorted(short.sort_values(ascending=False, kind="stable").index[:SETS])
    sentences = [_set_sentence(row) for _, row in correlations.table.iloc[[0, *chosen]].iterrows()]
    if len(short) > SETS:
        sentences.append(
            f"{len(short) - SETS:,} more sets, in which the prediction is nearer to the other half "
            "of the measurement, stand in the table."
        )
    sentences += [
        f"The set '{name}' has fewer than {MIN_GENES} of these genes: no correlations within it."
        for name in correlations.too_small[:SETS]
    ]
    if (more := len(correlations.too_small) - SETS) > 0:
        sentences.append(f"{more:,} more sets have fewer than {MIN_GENES} of these genes.")
    return sentences


def _set_sentence(row: pd.Series) -> str:
    where = "all genes" if row["set"] == ALL else f"the set '{row['set']}'"
    if not np.isfinite(row["agreement_half"]):
        return f"Correlations between the {row['n_genes']} genes of {where} are not defined: too few vary."
    return (
        f"Correlations between the {row['n_genes']} genes of {where}: those of the prediction agree with "
        f"half of the measurement to {row['agreement_half']:.2f}, those of the other half to "
        f"{row['agreement_halves']:.2f}, depth alone to {row['agreement_depth']:.2f}; mean absolute "
        f"correlation measured {row['strength_measured']:.3f}, predicted {row['strength_predicted']:.3f}."
    )


def activity_sentences(activity: Activity) -> list[str]:
    """Return how far the activity of pathways agrees, the best and the least, or that none is scored."""
    left_out = f" Left out for too few genes in the panel or outside: {len(activity.too_small)} sets."
    if activity.table.empty:
        return [f"No pathway has enough genes in the panel to be scored.{left_out}"]
    sentences = [_mean_activity(activity) + (left_out if activity.too_small else "")]
    ranked = activity.table.dropna(subset=["noisy_half"]).sort_values("noisy_half", ascending=False)
    if ranked.empty:
        nothing = "No pathway's predicted activity varies where the measured one does: nothing is kept."
        return [*sentences, nothing]
    for which, rows in (("Best", ranked.head(3)), ("Least", ranked.iloc[::-1].head(3))):
        named = [f"{row.Index} ({row.noisy_half:.2f}; halves {row.halves:.2f})" for row in rows.itertuples()]
        sentences.append(f"{which} predicted activities, at half the depth: {', '.join(named)}.")
    if n_constant := int((activity.table["n_constant"] > 0).sum()):
        sentences.append(
            f"The predicted activity of {n_constant} pathways is constant in a sample and counts 0."
        )
    return sentences


def _mean_activity(activity: Activity) -> str:
    if not np.isfinite(activity.means["predicted"].value):
        return f"The measured activity (ULM) of {len(activity.table)} pathways does not vary."
    mean = {name: mean_text(one) for name, one in activity.means.items()}
    return (
        f"Activity of {len(activity.table)} pathways (ULM): mean correlation with the measurement "
        f"{mean['predicted']} as predicted and {mean['noisy']} with counting noise. At half "
        f"the depth it is {mean['noisy_half']}, where the other half of the measured counts reaches "
        f"{mean['halves']}."
    )


def enrichment_sentences(enrichment: Enrichment) -> list[str]:
    """Return which sets are predicted well and badly, plain and beyond the covariates, and the caveat."""
    if enrichment.table.empty:
        return [f"No gene set has enough of the {enrichment.n_genes} scored genes to be ranked."]
    sentences = [_well_and_badly(enrichment.table, "", "")]
    if enrichment.covariates:
        given = " and ".join(enrichment.covariates)
        verb = "explains" if len(enrichment.covariates) == 1 else "explain"
        sentences.append(
            capital(f"{given} {verb} {enrichment.explained:.0%} of the order of the genes' scores.")
        )
        sentences.append(_well_and_badly(enrichment.table, "_residual", f"Beyond what {given} {verb}, "))
    return [*sentences, CAVEAT]


def _well_and_badly(table: pd.DataFrame, end: str, before: str) -> str:
    clear = table[table[f"p_adjusted{end}"] <= LEVEL].sort_values(f"t{end}", ascending=False)
    well, badly = clear[clear[f"t{end}"] > 0], clear[clear[f"t{end}"] < 0].iloc[::-1]
    clauses = [
        f"{how} predicted than the rest of the panel: {_names(rows.index)}"
        for how, rows in (("better", well), ("worse", badly))
        if len(rows)
    ] or [f"none of {len(table)} gene sets is told from the rest of the panel"]
    return capital(before + "; ".join(clauses) + ".")


def _names(index: pd.Index) -> str:
    more = len(index) - _NAMES
    return ", ".join(str(name) for name in index[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def type_sentences(types: CellTypes) -> list[str]:
    """Return how far neighbourhoods and labels agree, or that no type can be scored."""
    left_out = [f"Not scored: {'; '.join(types.too_small)}."] if types.too_small else []
    if types.table.empty:
        return ["No cell type has enough markers in the panel.", *left_out]
    left_out += left_out_sentences(types.left_out, NEIGHBOURS + 1, "the composition of neighbourhoods")
    sentences = [_composition_sentence(types), _labels_sentence(types), *left_out]
    absent = [f"{name} ({', '.join(genes)})" for name, genes in types.missing.items() if genes]
    return [*sentences, f"Markers that the panel lacks: {'; '.join(absent)}."] if absent else sentences


def _composition_sentence(types: CellTypes) -> str:
    if not types.neighbours and types.left_out:
        return "All samples are too small for neighbourhoods, so nothing is said of their composition."
    if not types.neighbours:
        return "There are no places, so nothing is said of neighbourhoods."
    if not np.isfinite(types.means["predicted"].value):
        return "The measured composition of neighbourhoods does not vary."
    mean = {name: mean_text(one) for name, one in types.means.items()}
    return (
        f"Composition of the {types.neighbours} nearest neighbours: mean correlation over types with the "
        f"measured one {mean['predicted']} as predicted and {mean['noisy']} with counting "
        f"noise. At half the depth it is {mean['noisy_half']}, where the other half of the measured "
        f"counts reaches {mean['halves']} and depth alone {mean['depth']}."
    )


def _labels_sentence(types: CellTypes) -> str:
    same = [
        f"{VERSIONS[name]} {types.same[name]:.0%} (kappa {_kappa_text(types, name)})"
        for name in ("predicted", "noisy", "noisy_half", "halves", "depth")
    ]
    return (
        f"Same type as the measurement: {same[0]}, {same[1]}; same type as a half: "
        f"{same[2]}, {same[3]}, {same[4]}."
    )


def _kappa_text(types: CellTypes, name: str) -> str:
    ends = types.kappa_intervals[name]
    return f"{types.kappa[name]:.2f}" + ("" if ends is None else f", {ends[0]:.2f} to {ends[1]:.2f}")


def condition_sentences(conditions: Conditions) -> list[str]:
    """Return what is kept of the differences, and what the numbers rest on."""
    values = f"{conditions.column} {conditions.second} and {conditions.first}"
    head = f"Differences between {values}: {_unit(conditions)}"
    if not conditions.table["measured"].abs().max() > _SAME:
        return [head, "No measured gene differs."]
    versions = VERSIONS | {"depth": "depth alone (the same shares everywhere, with noise at half the depth)"}
    sentences = [head]
    for name in ("predicted", "noisy", "noisy_half", "depth", "halves"):
        kept = conditions.kept[name]
        against = "the measurement" if WITH_DEPTH[name][1] == "measured" else "a half"
        rank = "no rank correlation, since nothing differs"
        if not np.isnan(kept.spearman):
            rank = f"rank correlation {kept.spearman:.2f}"
        sentences.append(
            f"{capital(versions[name])} against {against}: {rank}; {kept.kept:.0f} of the top {kept.top} "
            f"genes are kept ({kept.by_chance:.1f} by chance) and {kept.same_direction} go the same way."
        )
    return sentences


def _unit(conditions: Conditions) -> str:
    if conditions.patients is None:
        return "no column names the patients, so nothing about patients follows from them."
    first, second, both = conditions.patients
    if conditions.unit == PAIRED:
        alone = first + second - 2 * both
        left_out = f"; those of {alone} with one of the two alone are left out" if alone else ""
        return f"{both} patients have both, and differences are taken within patients{left_out}."
    shared = f", {both} of them the same" if both else ""
    if conditions.unit == GROUPS:
        return f"{first} patients have {conditions.first} and {second} have {conditions.second}{shared}."
    if first == second == both:
        return (
            "one patient has both, so they are differences within this patient, and nothing about "
            "other patients follows."
        )
    return (
        f"{first} and {second} patients{shared}: they cannot be told from differences between these "
        "patients, and nothing about patients follows."
    )
