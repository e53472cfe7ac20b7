"""Which configuration is best for which genes: the comparison of the grid again, gene set by gene set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prestige.analysis.advice import advise
from prestige.analysis.answer import Answer
from prestige.analysis.summary import Group, Standing, Summary, compare_group
from prestige.errors import DataError
from prestige.genesets.settings import GeneSetConfig
from prestige.records.bench import SetRecord
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.report.bench import tables
from prestige.settings import build


@dataclass(frozen=True, eq=False)
class ScoredSet:
    """A gene set with the standings of every configuration on its genes."""

    name: str
    genes: tuple[str, ...]
    group: Group


def scored_sets(bench: Bench, summary: Summary, pretrained: bool) -> list[ScoredSet]:
    """Compare the configurations of a group on each gene set that every fold's panel has enough of.

    A set that is chosen on training data differs from fold to fold: the genes that all folds chose count.
    """
    group = next((one for one in summary.groups if one.pretrained == pretrained), None)
    if group is None:
        return []
    runs = {key: summary.used[key] for key in group.standings}
    found = []
    for name, genes in common_sets(bench, summary).items():
        try:
            found.append(ScoredSet(name, genes, compare_group(pretrained, runs, genes, summary.patient_of)))
        except DataError:
            continue  # none of its genes varies on the test side
    return found


def all_scored_sets(bench: Bench, summary: Summary) -> dict[bool, list[ScoredSet]]:
    """Return the scored sets of each group, by whether its encoders are pretrained."""
    groups = dict.fromkeys(group.pretrained for group in summary.groups)
    return {pretrained: scored_sets(bench, summary, pretrained) for pretrained in groups}


def set_facts(
    bench: Bench, summary: Summary, answer: Answer | None, scored: Mapping[bool, list[ScoredSet]]
) -> dict[str, Any]:
    """Return what the page says of gene sets: ``text``, a table, a heat map for each; {} without any.

    ``scored`` are those of :func:`all_scored_sets`.
    """
    if answer is None:
        return {}
    sets = scored[answer.pretrained]
    small = [one.text for one in _described(bench).values() if not one.scored]
    if not sets:
        return {}
    own = _best_encoder(_standings(summary, answer))
    rows, maps, same, other = [], [], [], []
    for one in sets:
        standings = one.group.standings
        best = _best_encoder(standings)
        if best is None or own is None:
            continue
        (same if best == own or _tied(summary, one, own) else other).append(one.name)
        rows.append(_row(summary, one, best, own, answer.margin))
        grid, columns = tables.grid(_as_table(summary, standings))
        maps.append({"name": one.name, "n": len(one.genes), "rows": grid, "columns": columns, "oracle": None})
    head = ["gene set", "genes", "best encoder", "Pearson", "95 % interval"]
    head += [f"{own.label if own else ''} on it", f"recommended within {answer.margin:g}", "best baseline"]
    return {"text": _text(own, same, other), "head": head, "rows": rows, "maps": maps, "small": small}


def sets_table(scored: Mapping[bool, list[ScoredSet]]) -> pd.DataFrame:
    """Return a row a gene set and configuration: score, interval, whether best or tied."""
    rows = []
    for of_group in scored.values():
        for one in of_group:
            for key, standing in one.group.standings.items():
                low, high = standing.interval or (math.nan, math.nan)
                rows.append(
                    {
                        "gene_set": one.name, "n_genes": len(one.genes), "configuration": key,
                        "pearson": standing.score, "pearson_low": low, "pearson_high": high,
                        "best": standing.best, "tied": standing.tied,
                    }
                )  # fmt: skip
    table = pd.DataFrame(rows)
    return tables.with_identity(table).drop(columns="configuration") if rows else table


def _described(bench: Bench) -> dict[str, SetRecord]:
    """Return the sets of the first fold that has them, as the bench described them."""
    for fold in bench.record.folds:
        if fold.gene_sets:
            return fold.gene_sets
    return {}


def common_sets(bench: Bench, summary: Summary) -> dict[str, tuple[str, ...]]:
    """Return the genes of each set that every fold's panel has enough of, those that all folds have."""
    folds = [fold for fold in bench.record.folds if fold.index in summary.folds]
    described = [fold.gene_sets for fold in folds]
    if not described:
        return {}
    found, fewest = {}, set_config(bench).min_genes
    for name in described[0]:
        if all(name in sets and sets[name].scored for sets in described):
            shared = set.intersection(*(set(sets[name].genes) for sets in described))
            genes = tuple(gene for gene in summary.common_genes if gene in shared)
            if len(genes) >= fewest:
                found[name] = genes
    return found


def set_config(bench: Bench) -> GeneSetConfig:
    """Return how a bench draws random sets, and its fewest genes of a set; the defaults without a yaml.

    Which sets there are stands in the record of the bench, and their files may be gone.

    Raises
    ------
    ConfigError
        When the yaml cannot be read, or a number in it is out of range.
    """
    stored = bench.folder.settings_of("genesets") or {}
    named = {key: stored[key] for key in ("draws", "seed", "min_genes") if key in stored}
    return build(GeneSetConfig, named, where=bench.folder.settings)


def _standings(summary: Summary, answer: Answer) -> dict[Configuration, Standing]:
    return next(one.standings for one in summary.groups if one.pretrained == answer.pretrained)


def _best_encoder(standings: dict[Configuration, Standing]) -> Configuration | None:
    scores = {key: one.score for key, one in standings.items() if not key.baseline and not key.control}
    return max(scores, key=scores.__getitem__, default=None)


def _tied(summary: Summary, one: ScoredSet, own: Configuration) -> bool:
    """Say whether an encoder cannot be told from the best encoder on a set, baselines left aside."""
    encoders = {key: summary.used[key] for key in one.group.standings if not key.baseline and not key.control}
    alone = compare_group(one.group.pretrained, encoders, one.genes, summary.patient_of)
    return alone.standings[own].tied is not False


def _row(
    summary: Summary, one: ScoredSet, best: Configuration, own: Configuration, margin: float
) -> list[str]:
    standings = one.group.standings
    interval = standings[best].interval
    advised = advise(summary, one.group, margin)
    baselines = {key: item.score for key, item in standings.items() if key.baseline}
    first = max(baselines, key=baselines.__getitem__, default=None)
    return [
        one.name,
        f"{len(one.genes):,}",
        best.label,
        f"{standings[best].score:.3f}",
        f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "none",
        f"{standings[own].score:.3f}",
        advised.chosen.label if advised and advised.chosen else "not decided",
        f"{first.label}, {baselines[first]:.3f}" if first else "none",
    ]


def _text(own: Configuration | None, same: list[str], other: list[str]) -> str:
    if own is None:
        return ""
    said = []
    if same:
        said.append(
            f"The best encoder for all genes, {own.label}, is the best or cannot be told from the best "
            f"for: {', '.join(same)}."
        )
    if other:
        said.append(f"Another encoder or patch is better than {own.label} for: {', '.join(other)}.")
    return " ".join(said)


def _as_table(summary: Summary, standings: dict[Configuration, Standing]) -> pd.DataFrame:
    """Return the summary's table with the scores of a gene set in the place of its own."""
    table: Any = summary.table[summary.table["configuration"].isin(list(standings))].copy()
    mine = [standings[key] for key in table["configuration"]]
    bounds = [one.interval or (math.nan, math.nan) for one in mine]
    return table.assign(
        score=[one.score for one in mine],
        low=[low for low, _ in bounds],
        high=[high for _, high in bounds],
        best=[one.best for one in mine],
        tied=[one.tied for one in mine],
    )
