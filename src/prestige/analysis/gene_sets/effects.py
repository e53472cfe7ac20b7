"""Do some genes gain more than others?  What parameters and patch width bring on each gene set.

Beside each other: the effect on the set less that on all genes, and less that on genes like the set's own
(its matched random sets).  Sets of well-measured genes have more to gain than the average gene has; only the
second comparison tells that apart from what the set is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
"""Of how many sets, the first ones, effects are asked: each more widens the intervals of all."""

Asked = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class SetQuestions:
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
        Sets that were not asked for, being beyond :data:`MOST_SETS`.
    """

    effects: dict[Asked, Contrast]
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


def set_questions(summary: Summary, group: Group, scores: SetScores) -> SetQuestions | None:
    """Return what the effects are on each set; None where no effect can be asked or there is no set."""
    panel, wanted = list(summary.common_genes), dict(_wanted(summary, group))
    named = {name: one for name, one in scores.sets.items() if 0 < len(one.genes) < len(panel)}
    asked = dict(_asked(wanted, dict(list(named.items())[:MOST_SETS]), panel))
    if not asked:
        return None
    configs = {key: seeds_of(summary.used[key], panel) for key in plain_encoders(group)}
    rows = group.asked.rows
    return SetQuestions(
        effects=set_effects(configs, asked, patient_of=summary.patient_of),
        overall={
            effect: sum(weight * rows[key].score for key, weight in weights.items())
            for effect, weights in wanted.items()
        },
        n_genes={name: len(one.genes) for name, one in named.items()},
        left_out=max(0, len(named) - MOST_SETS),
    )


def _wanted(summary: Summary, group: Group) -> Iterator[tuple[str, Weights]]:
    """Yield the effects that can be asked; that of width also of the smallest encoder's family alone."""
    found = {name: one for name, one in slopes(summary, group).items() if not isinstance(one, str)}
    yield from found.items()
    several = [key for key, weight in found.get(WIDTH, {}).items() if weight]
    if len({family(key.encoder) for key in several}) < 2:
        return
    smallest = family(min(several, key=parameters_of(summary).__getitem__).encoder)
    yield f"{WIDTH}, {smallest} alone", slope_on_width([k for k in several if family(k.encoder) == smallest])


def _asked(
    wanted: Mapping[str, Weights], sets: Mapping[str, SetGenes], panel: Sequence[str]
) -> Iterator[tuple[Asked, SetEffect[Configuration]]]:
    for effect, weights in wanted.items():
        for name, one in sets.items():
            yield (effect, name, OVER_ALL), SetEffect(weights, equally(one.genes), equally(panel))
            if one.compared:
                times = np.bincount(one.random.index.ravel(), minlength=len(panel))
                random = {gene: float(n) for gene, n in zip(panel, times, strict=True) if n}
                yield (effect, name, OVER_RANDOM), SetEffect(weights, equally(one.random.genes), random)


def set_question_facts(questions: SetQuestions | None) -> dict[str, Any]:
    """Return what the page says of each effect (``title``, ``text``, ``head``, ``rows``); {} for none."""
    if questions is None:
        return {}
    head = ["gene set", "genes", "effect on it", OVER_ALL, OVER_RANDOM, "answer"]
    return {
        "reason": questions.reason,
        "left_out": _left_out(questions.left_out),
        "effects": [_effect_facts(questions, effect) | {"head": head} for effect in questions.overall],
    }


def _left_out(n: int) -> str:
    if not n:
        return ""
    return (
        f"Of {n} further {'set' if n == 1 else 'sets'} nothing was asked: each widens the intervals of all."
    )


def _effect_facts(questions: SetQuestions, effect: str) -> dict[str, Any]:
    names = list(dict.fromkeys(name for which, name, _ in questions.effects if which == effect))
    rows: list[list[str]] = []
    sides: dict[int, list[str]] = {1: [], -1: []}
    for name in names:
        over = questions.effects[effect, name, OVER_ALL]
        beside = questions.effects.get((effect, name, OVER_RANDOM))
        size, on = f"{questions.n_genes[name]:,}", f"{questions.on(effect, name):+.4f}"
        rows.append([name, size, on, _with_interval(over), _with_interval(beside), _answer(over, beside)])
        if over.sign:
            sides[over.sign].append(
                name if _also(over, beside) else f"{name} (not so beside genes like its own)"
            )
    overall = questions.overall[effect]
    text = f"Not decided: {questions.reason}." if questions.reason else _text(overall, sides[1], sides[-1])
    return {
        "title": f"{effect[0].upper()}{effect[1:]}: {overall:+.4f} on all genes",
        "rows": rows,
        "text": text,
    }


def _with_interval(effect: Contrast | None) -> str:
    if effect is None:
        return "no genes like them"
    if effect.low is None or effect.high is None:
        return f"{effect.estimate:+.4f} (no interval)"
    return f"{effect.estimate:+.4f} ({effect.low:+.4f} to {effect.high:+.4f})"


def _answer(over: Contrast, beside: Contrast | None) -> str:
    if over.low is None:
        return "not decided"
    if not over.sign:
        return "no difference is shown"
    said = {1: "higher than on all genes", -1: "lower than on all genes"}[over.sign]
    if beside is None:
        return said
    return f"{said}, {'and' if _also(over, beside) else 'but not'} than on genes like its own"


def _also(over: Contrast, beside: Contrast | None) -> bool:
    """Say whether what is shown against all genes is shown against genes like the set's own as well."""
    return beside is not None and beside.sign == over.sign


def _text(overall: float, higher: list[str], lower: list[str]) -> str:
    if not higher and not lower:
        return "On no set is the effect shown to be another than on all genes."
    parts = [f"The effect is higher than on all genes ({overall:+.4f}) on {_list(higher)}."] if higher else []
    if lower:
        parts.append(
            f"It is lower on {_list(lower)}."
            if higher
            else f"The effect is lower than on all genes ({overall:+.4f}) on {_list(lower)}."
        )
    return " ".join(parts)


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
