"""A bench folder -> its analysis: every number of the report, computed once, when first asked for."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd

from prestige.analysis import frames
from prestige.analysis.answer import WIDTH_TOLERANCE, Answer, answers, leading, mapped
from prestige.analysis.ceilings import ceilings_of, fractions
from prestige.analysis.effects import Effects, effects_of
from prestige.analysis.gene_sets.comparison import (
    BestOfSet,
    ScoredSet,
    bests_of_sets,
    common_sets,
    scored_sets,
)
from prestige.analysis.gene_sets.effects import EffectsOnSets, effects_on_sets
from prestige.analysis.gene_sets.scores import SetScores, set_scores
from prestige.analysis.record import answer_record, effect_records
from prestige.analysis.sensitivity import BestAtShift, best_at_shifts, shifted_scores
from prestige.analysis.spread import EncoderSpread, encoder_spread
from prestige.analysis.summary import Group, Summary, summarise
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench, load_bench
from prestige.stats.recommend import Recommendation


def analyse(folder: Path | str) -> Analysis:
    """Analyse a bench folder, or a single run folder, finished or not.

    Parameters
    ----------
    folder
        What was passed to ``--out``.

    Returns
    -------
    Analysis
        Which computes a number when it is first asked for, and once.

    Raises
    ------
    DataError
        When the folder is neither a bench nor a run.
    StorageError
        When a finished run has lost its moments.

    Examples
    --------
    >>> import prestige
    >>> analysis = prestige.analyse("bench")
    >>> best_first = analysis.table().sort_values("pearson", ascending=False)
    >>> best_first[["encoder", "patch_um", "pearson"]].head(2).round(2)
                                          encoder  patch_um  pearson
    4                              baseline:ridge       8.0     0.40
    5  baseline:frozen compact_xs, random weights       8.0     0.38
    >>> analysis.recommendation.reason
    'none is shown to lie within 0.01 of the best: it takes more tissue, or a wider margin'
    """
    bench = load_bench(Path(folder))
    return Analysis(bench, summarise(bench))


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """All that the runs of a bench say, in numbers; :func:`analyse` makes it.

    ``summary`` compares the configurations.  Where there are encoders from scratch and pretrained ones, each
    group has its answer; what is said of one configuration alone is of the leading answer's.

    Examples
    --------
    >>> import prestige
    >>> prestige.analyse("bench")
    Analysis of 'stored': 8 runs finished, best: ridge at 8 µm
    >>> prestige.analyse("bench").effects()[["effect", "estimate"]].head(1).round(3)
                                        effect  estimate
    0  readout whole, against the design's own      0.01
    """

    bench: Bench
    summary: Summary

    @cached_property
    def answers(self) -> list[Answer]:
        """The answer of each group that was compared."""
        return answers(self.bench, self.summary)

    @cached_property
    def leading(self) -> Answer | None:
        """The answer whose best configuration scores highest; None where nothing is finished."""
        return leading(self.answers)

    @property
    def recommendation(self) -> Recommendation[Configuration] | None:
        """What is recommended: ``chosen``, or None in it with the ``reason``; None without any encoder."""
        return self.leading.recommendation if self.leading is not None else None

    @cached_property
    def mapped(self) -> Configuration | None:
        """The configuration of maps and gene table: the best, or the best encoder where a baseline is."""
        return mapped(self.summary, self.leading) if self.leading is not None else None

    def oracle(self, patch_um: float) -> float | None:
        """Return the best score that any reader of a patch width can reach; None where it is not known."""
        scores = self.bench.record.truth.oracle if self.bench.record.truth is not None else {}
        near = min(scores, key=lambda width: abs(width - patch_um), default=math.inf)
        return scores[near] if abs(near - patch_um) <= WIDTH_TOLERANCE * patch_um else None

    def group(self, pretrained: bool) -> Group:
        """Return the group of the pretrained encoders, or of those from scratch."""
        return next(group for group in self.summary.groups if group.pretrained == pretrained)

    @cached_property
    def spread(self) -> EncoderSpread | None:
        """How far the encoders' scores vary over seeds, tissue and patients."""
        return encoder_spread(self.summary)

    @cached_property
    def effects_of_groups(self) -> dict[bool, Effects]:
        """The effects of parameters, patch width and settings in each group, by whether it is pretrained."""
        return {group.pretrained: effects_of(self.summary, group) for group in self.summary.groups}

    @cached_property
    def detected(self) -> pd.Series:
        """Share of test observations in which each gene has a count."""
        return frames.detection(self.bench.truths)

    @cached_property
    def ceilings(self) -> pd.DataFrame:
        """What counting noise allows, by gene; empty where it was not kept."""
        return ceilings_of(self.bench, self.summary.blocks)

    @cached_property
    def fractions(self) -> pd.DataFrame:
        """Each configuration's score as a fraction of the ceiling; empty without ceilings."""
        return fractions(self.summary, self.ceilings)

    @cached_property
    def shifted(self) -> pd.DataFrame:
        """Each configuration's score with all centres moved; empty where it was not measured."""
        return shifted_scores(self.bench, self.summary)

    @cached_property
    def best_at_shifts(self) -> list[BestAtShift]:
        """The best encoder at each shift."""
        if self.leading is None:
            return []
        return best_at_shifts(self.shifted, self.group(self.leading.pretrained), self.leading.margin)

    @cached_property
    def gene_sets(self) -> dict[str, tuple[str, ...]]:
        """The genes of each set that every fold's panel has enough of."""
        return common_sets(self.bench, self.summary)

    @cached_property
    def scored_sets(self) -> dict[bool, list[ScoredSet]]:
        """The comparison of each group on each gene set."""
        return {
            group.pretrained: scored_sets(self.summary, group, self.gene_sets)
            for group in self.summary.groups
        }

    @cached_property
    def bests_of_sets(self) -> list[BestOfSet]:
        """The best encoder of each gene set."""
        if self.leading is None:
            return []
        return bests_of_sets(self.summary, self.leading, self.scored_sets[self.leading.pretrained])

    @cached_property
    def set_scores(self) -> SetScores | None:
        """Every gene set beside its matched random sets; None without sets or an encoder."""
        if self.leading is None or self.leading.shown is None or not self.gene_sets:
            return None
        return set_scores(self.bench, self.summary, self.gene_sets, self.ceilings)

    @cached_property
    def effects_on_sets(self) -> EffectsOnSets | None:
        """What the effects are on each gene set; None where there are none to test."""
        if self.leading is None or self.set_scores is None:
            return None
        return effects_on_sets(self.summary, self.group(self.leading.pretrained), self.set_scores)

    def table(self) -> pd.DataFrame:
        """Return a row a configuration: score, interval, best or tied, spreads, costs, other scores."""
        return frames.summary_table(self.summary)

    def genes(self) -> pd.DataFrame:
        """Return a row a configuration and gene: its scores, detection and ceiling."""
        return frames.genes_table(self.summary, self.detected, self.ceilings)

    def effects(self) -> pd.DataFrame:
        """Return a row a group and effect: estimate and interval, or why it was not tested."""
        return frames.effects_table(self.effects_of_groups)

    def to_json(self) -> str:
        """Return a JSON list with each group's answer, recommendation, blocks, spreads and effects."""
        records = [
            answer_record(self.summary, answer)
            | {"effects": effect_records(self.effects_of_groups[answer.pretrained])}
            for answer in self.answers
        ]
        return json.dumps(records, indent=1, allow_nan=False)

    def __repr__(self) -> str:
        best = self.leading.best.label if self.leading is not None else "none"
        return f"Analysis of '{self.bench.name}': {len(self.bench.runs)} runs finished, best: {best}"

    def _repr_html_(self) -> str:
        """Return the recommendation and the scores, best first, for a notebook."""
        leading, advice = self.leading, self.recommendation
        if leading is None:
            return "<p>No run is finished.</p>"
        chosen = advice.chosen.label if advice is not None and advice.chosen is not None else "none"
        head = f"<b>best</b> {escape(leading.best.label)} ({leading.score:.3f})"
        head += f", <b>recommended</b> {escape(chosen)} (within {leading.margin:g} of the best)"
        columns = ["encoder", "variant", "patch_um", "pearson", "pearson_low", "pearson_high", "best", "tied"]
        rows = self.table()[columns].sort_values("pearson", ascending=False, kind="stable")
        shown = rows.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="", escape=True)
        return f"<p>{head}</p>\n{shown}"
