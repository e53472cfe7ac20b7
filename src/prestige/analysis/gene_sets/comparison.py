"""Which configuration is best for which genes: the comparison of the grid again, gene set by gene set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prestige.analysis.advice import advise
from prestige.analysis.answer import Answer, whole_patch_best
from prestige.analysis.summary import Group, Summary, compare_group
from prestige.errors import DataError
from prestige.genesets.settings import GeneSetConfig
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.settings import build


@dataclass(frozen=True, eq=False)
class ScoredSet:
    """A gene set with the results of every configuration on its genes."""

    name: str
    genes: tuple[str, ...]
    group: Group


@dataclass(frozen=True, eq=False)
class BestOfSet:
    """The best encoder of a gene set, beside the best encoder of all genes.

    ``alike`` is whether that one is the best here too, or cannot be told from the best encoder.
    """

    scored: ScoredSet
    best: Configuration
    best_of_all: Configuration
    alike: bool
    recommended: Configuration | None


def scored_sets(summary: Summary, group: Group, genes_of: Mapping[str, tuple[str, ...]]) -> list[ScoredSet]:
    """Compare the configurations of a group on each gene set of which a gene varies on the test side.

    ``genes_of`` are those of :func:`common_sets`.
    """
    runs, scored = {key: summary.used[key] for key in group.results}, []
    for name, genes in genes_of.items():
        try:
            of_set = compare_group(group.pretrained, runs, genes, summary.patient_of)
        except DataError:
            continue  # none of its genes varies on the test side
        scored.append(ScoredSet(name, genes, of_set))
    return scored


def common_sets(bench: Bench, summary: Summary) -> dict[str, tuple[str, ...]]:
    """Return the genes of each set that every fold's panel has enough of, those that all folds have.

    A set that is chosen on training data differs from fold to fold: the genes that all folds chose count.
    """
    folds = [fold for fold in bench.record.folds if fold.index in summary.folds]
    described = [fold.gene_sets for fold in folds]
    if not described:
        return {}
    genes_of, fewest = {}, set_config(bench).min_genes
    for name in described[0]:
        if all(name in sets and sets[name].scored for sets in described):
            shared = set.intersection(*(set(sets[name].genes) for sets in described))
            genes = tuple(gene for gene in summary.common_genes if gene in shared)
            if len(genes) >= fewest:
                genes_of[name] = genes
    return genes_of


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


def bests_of_sets(summary: Summary, answer: Answer, scored: Sequence[ScoredSet]) -> list[BestOfSet]:
    """Return which encoder is best on each set of a group, and whether it is another than on all genes.

    Parameters
    ----------
    answer, scored
        Of the same group.
    """
    group = next(one for one in summary.groups if one.pretrained == answer.pretrained)
    best_of_all = whole_patch_best(group.results)
    bests = []
    for one in scored:
        best = whole_patch_best(one.group.results)
        if best is None or best_of_all is None:
            continue
        alike = best == best_of_all or _tied(summary, one, best_of_all)
        advice = advise(summary, one.group, answer.margin)
        recommended = advice.chosen if advice is not None else None
        bests.append(BestOfSet(one, best, best_of_all, alike, recommended))
    return bests


def _tied(summary: Summary, one: ScoredSet, encoder: Configuration) -> bool:
    """Say whether an encoder cannot be told from the best encoder on a set, baselines left aside."""
    encoders = {key: summary.used[key] for key in one.group.results if not key.baseline and not key.control}
    alone = compare_group(one.group.pretrained, encoders, one.genes, summary.patient_of)
    return alone.results[encoder].tied is not False
