"""Scores of gene sets beside their random sets, in words."""

from __future__ import annotations

import math
from typing import Any

from prestige.analysis.gene_sets.estimates import FRACTION, QUANTILES, Estimate
from prestige.analysis.gene_sets.scores import MOST, SetScores, notable
from prestige.records.configuration import Configuration
from prestige.stats.ceilings import MIN_SHOWN
from prestige.text import shortened, written

NAMED = 8
ONE_BY_ONE = (
    "Each 95 % interval holds for its own set, not for all at once: of 100 sets that are like their random "
    "sets, about 5 would be called better or worse"
)
P_NOTE = (
    "The interval of an excess speaks of tissue: of these very genes on new blocks. Whether other genes, "
    "chosen at random, would do as well is what the random sets show. p is the share of them that lie as far "
    "above their mean as the set does, or farther; it describes and is no test. Genes of a set are expressed "
    "together, so their scores rise and fall together, and such p values are too small."
)


def score_facts(scores: SetScores, shown: Configuration | None) -> dict[str, Any]:
    """Return ``label``, ``text``, ``notes``, ``head`` and ``rows`` of one configuration, {} without sets."""
    if shown is None or not scores.sets:
        return {}
    statistics, names = _parts(scores, shown), notable(scores, shown)
    head = ["gene set", "genes", "mean Pearson", "median", "quartiles"]
    head += ["of the ceiling"] if scores.known_rare else []
    head += ["random sets", "excess", "p"]
    return {
        "label": shown.label,
        "text": _verdict(scores, statistics["excess"]),
        "notes": _notes(scores, len(names)),
        "head": head,
        "rows": [_row(scores, name, statistics) for name in names],
    }


def _parts(scores: SetScores, shown: Configuration) -> dict[str, dict[str, Estimate]]:
    statistics = {word: scores.of(shown, "measurable", "pearson", word) for word in ("mean", *QUANTILES)}
    statistics["fraction"] = scores.of(shown, "measurable", FRACTION, "mean")
    for word in ("random sets", "excess", "p (descriptive)"):
        statistics[word] = scores.of(shown, "matched", "pearson", word)
    return statistics


def _row(scores: SetScores, name: str, statistics: dict[str, dict[str, Estimate]]) -> list[str]:
    one = scores.sets[name]
    n = len(one.measurable)

    def value(statistic: str, form: str = ".3f") -> str:
        estimate = statistics[statistic].get(name)
        return written(estimate.value if estimate is not None else None, form)

    def with_interval(statistic: str, form: str = ".3f") -> str:
        estimate = statistics[statistic].get(name)
        if estimate is None or not math.isfinite(estimate.low):
            return value(statistic, form)
        return f"{value(statistic, form)} ({estimate.low:{form}} to {estimate.high:{form}})"

    row = [
        name,
        f"{n:,} of {len(one.genes):,}" if one.rare else f"{n:,}",
        with_interval("mean"),
        value("median"),
        f"{value('lower quartile')} to {value('upper quartile')}" if n else written(None, ""),
    ]
    row += [with_interval("fraction", ".0%")] if scores.known_rare else []
    return [*row, value("random sets"), with_interval("excess", "+.3f"), value("p (descriptive)", ".2g")]


def _verdict(scores: SetScores, excess: dict[str, Estimate]) -> str:
    """Say which sets lie above the mean of their random sets, which below, and which cannot be told."""
    verdicts: dict[str, list[str]] = {"above": [], "below": [], "open": [], "none": [], "alone": []}
    value = {name: abs(one.value) for name, one in excess.items() if math.isfinite(one.value)}
    far = sorted(scores.sets, key=lambda name: -value.get(name, -1.0))
    many = len(far) > MOST
    for name in far if many else scores.sets:
        one = excess.get(name)
        if one is None:
            verdicts["alone"].append(name)
        elif not (math.isfinite(one.low) and math.isfinite(one.high)):
            verdicts["none"].append(name)
        elif one.low > 0 or one.high < 0:
            verdicts["above" if one.low > 0 else "below"].append(name)
        else:
            verdicts["open"].append(name)
    words = {
        "above": "predicted better than genes like theirs are on average",
        "below": "predicted worse than genes like theirs are on average",
        "open": "not told from that average",
        "none": "without an interval, so nothing is said of them",
        "alone": "not compared, since too few of their genes have others like them",
    }
    told = {
        key: shortened(names, NAMED) if many else ", ".join(names) for key, names in verdicts.items() if names
    }
    sentence = "; ".join(f"{words[key]}: {names}" for key, names in told.items())
    judged = len(verdicts["above"]) + len(verdicts["below"]) + len(verdicts["open"])
    return (
        f"Beside each set stand {scores.draws:,} random sets of genes outside it, matched on "
        f"{scores.matched_on}. {sentence[:1].upper()}{sentence[1:]}.{f' {ONE_BY_ONE}.' if judged > 1 else ''}"
    )


def _notes(scores: SetScores, n_shown: int) -> list[str]:
    notes = []
    if left_out := len(scores.sets) - n_shown:
        notes.append(
            f"Shown are {n_shown} sets; {left_out:,} that are nearer to their random sets stand in the file "
            "alone."
        )
    if scores.known_rare:
        notes.append(
            "Genes are counted where they are detected often enough: the lower bound of their ceiling is "
            f"above {MIN_SHOWN:g}. Scores of the others say nothing of the model."
        )
    else:
        notes.append("No ceilings are kept, so genes that are hardly detected are counted too.")
    if scores.reason is not None:
        notes.append(f"There are no intervals: {scores.reason.removeprefix('no interval: ')}.")
    alone = {name: one.random.unmatched for name, one in scores.sets.items() if one.random.unmatched}
    if alone:
        first = list(alone.items())[:NAMED]
        named = "; ".join(f"{name}: {shortened(genes, NAMED)}" for name, genes in first)
        named += f"; and of {len(alone) - NAMED} more sets" if len(alone) > NAMED else ""
        notes.append(f"Without a gene like them outside the set, and out of that comparison: {named}.")
    return [*notes, P_NOTE]
