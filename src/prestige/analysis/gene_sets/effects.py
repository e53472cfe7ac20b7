"""What parameters and patch width bring on each gene set: whether some genes gain more than others.

Beside each other: the effect on the set less that on all genes, and less that on genes like the set's own
(its matched random sets).  Sets of well-measured genes have more to gain than the average gene has; only the
second comparison tells that apart from what the set is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prestige.analysis.effects import (
    WIDTH,
    Weights,
    family,
    parameters_of,
    plain_encoders,
    slope_on_width,
    slopes,
)
from prestige.analysis.gene_sets.estimates import SetGenes
from prestige.analysis.gene_sets.scores import SetScores, seeds_of
from prestige.analysis.summary import Group, Summary
from prestige.records.configuration import Configuration
from prestige.stats.effects import Contrast, SetEffect, equally, set_effects

OVER_ALL, OVER_RANDOM = "less that on all genes", "less that on genes like its own"
MOST_SETS = 40
"""Of how many sets, the first ones, effects are tested: each more widens the intervals of all."""

Tested = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class EffectsOnSets:
    """Effects on gene sets.

    Attributes
    ----------
    effects
        (effect, set, :data:`OVER_ALL` or :data:`OVER_RANDOM`) -> the effect on the set less that one.
    overall
        Each effect on all genes.
    n_genes
        Of each set.
    left_out
        Sets that were not tested, being beyond :data:`MOST_SETS`.
    """

    effects: dict[Tested, Contrast]
    overall: dict[str, float]
    n_genes: dict[str, int]
    left_out: int

    @property
    def reason(self) -> str | None:
        """Why there are no intervals, None where there are."""
        return next(iter(self.effects.values())).reason

    def on(self, effect: str, name: str) -> float:
        """Return an effect on a set."""
        return self.overall[effect] + self.effects[effect, name, OVER_ALL].estimate

    def table(self) -> pd.DataFrame:
        """Return a row an effect, set and comparison: the difference, and the ends of its interval."""
        rows = [
            (effect, name, self.n_genes[name], self.on(effect, name), kind, one.estimate, one.low, one.high)
            for (effect, name, kind), one in self.effects.items()
        ]
        columns = ["effect", "gene_set", "n_genes", "on_set", "compared", "difference", "low", "high"]
        return pd.DataFrame(rows, columns=columns)


def effects_on_sets(summary: Summary, group: Group, scores: SetScores) -> EffectsOnSets | None:
    """Return what the effects are on each set; None where no effect can be tested or there is no set."""
    panel, wanted = list(summary.common_genes), dict(_wanted(summary, group))
    named = {name: one for name, one in scores.sets.items() if 0 < len(one.genes) < len(panel)}
    tested = dict(_tested(wanted, dict(list(named.items())[:MOST_SETS]), panel))
    if not tested:
        return None
    configs = {key: seeds_of(summary.used[key], panel) for key in plain_encoders(group)}
    rows = group.with_own_rates.rows
    return EffectsOnSets(
        effects=set_effects(configs, tested, patient_of=summary.patient_of),
        overall={
            effect: sum(weight * rows[key].score for key, weight in weights.items())
            for effect, weights in wanted.items()
        },
        n_genes={name: len(one.genes) for name, one in named.items()},
        left_out=max(0, len(named) - MOST_SETS),
    )


def _wanted(summary: Summary, group: Group) -> Iterator[tuple[str, Weights]]:
    """Yield the effects that can be tested; that of width also of the smallest encoder's family alone."""
    effects = {name: one for name, one in slopes(summary, group).items() if not isinstance(one, str)}
    yield from effects.items()
    several = [key for key, weight in effects.get(WIDTH, {}).items() if weight]
    if len({family(key.encoder) for key in several}) < 2:
        return
    smallest = family(min(several, key=parameters_of(summary).__getitem__).encoder)
    yield f"{WIDTH}, {smallest} alone", slope_on_width([k for k in several if family(k.encoder) == smallest])


def _tested(
    wanted: Mapping[str, Weights], sets: Mapping[str, SetGenes], panel: Sequence[str]
) -> Iterator[tuple[Tested, SetEffect[Configuration]]]:
    for effect, weights in wanted.items():
        for name, one in sets.items():
            yield (effect, name, OVER_ALL), SetEffect(weights, equally(one.genes), equally(panel))
            if one.compared:
                times = np.bincount(one.random.index.ravel(), minlength=len(panel))
                random = {gene: float(n) for gene, n in zip(panel, times, strict=True) if n}
                yield (effect, name, OVER_RANDOM), SetEffect(weights, equally(one.random.genes), random)
