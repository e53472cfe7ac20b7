"""What the page says of the scores of gene sets, and of which configuration."""

from __future__ import annotations

import math
from typing import Any

from prestige.report.advice import advise
from prestige.report.answer import Answer
from prestige.report.load import Configuration
from prestige.report.set_estimates import FRACTION, QUANTILES, Estimate
from prestige.report.set_scores import SetScores
from prestige.report.summary import Summary
from prestige.stats.ceilings import MIN_SHOWN

DASH = "\N{EN DASH}"
NAMED = 8
P_NOTE = (
    "The interval of an excess speaks of tissue: of these very genes on new blocks. Whether other genes, "
    "chosen at random, would do as well is what the random sets show. p is the share of them that lie as far "
    "above their mean as the set does, or farther; it describes and is no test. Genes of a set are expressed "
    "together, so their scores rise and fall together, and such p values are too small."
)


def shown_configuration(summary: Summary, answer: Answer | None) -> Configuration | None:
    """Return the recommended configuration, the best encoder where none is recommended, None without any."""
    if answer is None:
        return None
    group = next((one for one in summary.groups if one.pretrained == answer.pretrained), None)
    if group is None:
        return None
    advised = advise(summary, group, answer.margin)
    if advised is not None and advised.chosen is not None:
        return advised.chosen
    scores = {key: one.score for key, one in group.standings.items() if not key.baseline and not key.control}
    return max(scores, key=scores.__getitem__, default=None)


def score_facts(scores: SetScores, shown: Configuration | None) -> dict[str, Any]:
    """Return ``label``, ``text``, ``notes``, ``head`` and ``rows`` of one configuration, {} without sets."""
    if shown is None or not scores.sets:
        return {}
    parts = _parts(scores, shown)
    head = ["gene set", "genes", "mean Pearson", "median", "quartiles"]
    head += ["of the ceiling"] if scores.known_rare else []
    head += ["random sets", "excess", "p"]
    return {
        "label": shown.label,
        "text": _verdict(scores, parts["excess"]),
        "notes": _notes(scores),
        "head": head,
        "rows": [_row(scores, name, parts) for name in scores.sets],
    }


def _parts(scores: SetScores, shown: Configuration) -> dict[str, dict[str, Estimate]]:
    parts = {word: scores.of(shown, "measurable", "pearson", word) for word in ("mean", *QUANTILES)}
    parts["fraction"] = scores.of(shown, "measurable", FRACTION, "mean")
    for word in ("random sets", "excess", "p (descriptive)"):
        parts[word] = scores.of(shown, "matched", "pearson", word)
    return parts


def _row(scores: SetScores, name: str, parts: dict[str, dict[str, Estimate]]) -> list[str]:
    one = scores.sets[name]
    n = len(one.measurable)

    def value(part: str, form: str = ".3f") -> str:
        found = parts[part].get(name)
        return format(found.value, form) if found is not None and math.isfinite(found.value) else DASH

    def with_interval(part: str, form: str = ".3f") -> str:
        found = parts[part].get(name)
        if found is None or not math.isfinite(found.low):
            return value(part, form)
        return f"{value(part, form)} ({found.low:{form}} to {found.high:{form}})"

    row = [
        name,
        f"{n:,} of {len(one.genes):,}" if one.rare else f"{n:,}",
        with_interval("mean"),
        value("median"),
        f"{value('lower quartile')} to {value('upper quartile')}" if n else DASH,
    ]
    row += [with_interval("fraction", ".0%")] if scores.known_rare else []
    return [*row, value("random sets"), with_interval("excess", "+.3f"), value("p (descriptive)", ".2g")]


def _verdict(scores: SetScores, excess: dict[str, Estimate]) -> str:
    """Say which sets lie above the mean of their random sets, which below, and which cannot be told."""
    found: dict[str, list[str]] = {"above": [], "below": [], "open": [], "alone": []}
    for name in scores.sets:
        one = excess.get(name)
        if one is None:
            found["alone"].append(name)
        elif one.low > 0 or one.high < 0:
            found["above" if one.low > 0 else "below"].append(name)
        else:
            found["open"].append(name)
    words = {
        "above": "predicted better than genes like theirs are on average",
        "below": "predicted worse than genes like theirs are on average",
        "open": "not told from that average",
        "alone": "not compared, since too few of their genes have others like them",
    }
    said = "; ".join(f"{words[key]}: {', '.join(names)}" for key, names in found.items() if names)
    return (
        f"Beside each set stand {scores.draws:,} random sets of genes outside it, matched on "
        f"{scores.matched_on}. {said[:1].upper()}{said[1:]}."
    )


def _notes(scores: SetScores) -> list[str]:
    notes = []
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
        named = "; ".join(f"{name}: {_some(genes)}" for name, genes in alone.items())
        notes.append(f"Without a gene like them outside the set, and out of that comparison: {named}.")
    return [*notes, P_NOTE]


def _some(genes: tuple[str, ...]) -> str:
    more = len(genes) - NAMED
    return ", ".join(genes[:NAMED]) + (f" and {more} more" if more > 0 else "")
