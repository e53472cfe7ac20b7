"""Effects on gene sets, in words."""

from __future__ import annotations

from typing import Any

from prestige.analysis.gene_sets.effects import OVER_ALL, OVER_RANDOM, EffectsOnSets
from prestige.report.rendering import listed
from prestige.stats.effects import Contrast


def set_effect_facts(effects: EffectsOnSets | None) -> dict[str, Any]:
    """Return what the page says of each effect (``title``, ``text``, ``head``, ``rows``); {} for none."""
    if effects is None:
        return {}
    head = ["gene set", "genes", "effect on it", OVER_ALL, OVER_RANDOM, "answer"]
    return {
        "reason": effects.reason,
        "left_out": _left_out(effects.left_out),
        "effects": [_effect_facts(effects, effect) | {"head": head} for effect in effects.overall],
    }


def _left_out(n: int) -> str:
    if not n:
        return ""
    return (
        f"Of {n} further {'set' if n == 1 else 'sets'} nothing was asked: each widens the intervals of all."
    )


def _effect_facts(effects: EffectsOnSets, effect: str) -> dict[str, Any]:
    names = list(dict.fromkeys(name for which, name, _ in effects.effects if which == effect))
    rows: list[list[str]] = []
    sides: dict[int, list[str]] = {1: [], -1: []}
    for name in names:
        over = effects.effects[effect, name, OVER_ALL]
        beside = effects.effects.get((effect, name, OVER_RANDOM))
        size, on = f"{effects.n_genes[name]:,}", f"{effects.on(effect, name):+.4f}"
        rows.append([name, size, on, _with_interval(over), _with_interval(beside), _answer(over, beside)])
        if over.sign:
            sides[over.sign].append(
                name if _also(over, beside) else f"{name} (not so beside genes like its own)"
            )
    overall = effects.overall[effect]
    text = f"Not decided: {effects.reason}." if effects.reason else _text(overall, sides[1], sides[-1])
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
    verdict = {1: "higher than on all genes", -1: "lower than on all genes"}[over.sign]
    if beside is None:
        return verdict
    return f"{verdict}, {'and' if _also(over, beside) else 'but not'} than on genes like its own"


def _also(over: Contrast, beside: Contrast | None) -> bool:
    """Say whether what is shown against all genes is shown against genes like the set's own as well."""
    return beside is not None and beside.sign == over.sign


def _text(overall: float, higher: list[str], lower: list[str]) -> str:
    if not higher and not lower:
        return "On no set is the effect shown to be another than on all genes."
    word, names = ("higher", higher) if higher else ("lower", lower)
    text = f"The effect is {word} than on all genes ({overall:+.4f}) on {listed(names)}."
    return f"{text} It is lower on {listed(lower)}." if higher and lower else text
