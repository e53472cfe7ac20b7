"""The study's questions, each answered with an effect in units of the score and its interval.

What do more parameters bring at an equal patch, what does a larger patch bring at equal parameters, does the
one depend on the other, and does either hang on the readout or the normalisation layer?  Every effect is a
linear combination of the configurations' scores, so its interval rests on the same paired draws as theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from prestige.errors import DataError
from prestige.report.load import Configuration
from prestige.report.summary import Group, Summary
from prestige.stats import Contrast, contrasts, interaction_weights, slope_weights

Weights = Mapping[Configuration, float]
PARAMETERS = "a tenfold number of parameters, at equal patch within one family"
WIDTH = "a doubled patch width, at equal parameters"
INTERACTION = "how much more (or less) a doubled width brings per tenfold parameters"
TISSUE = "of a wide patch: what the tissue outside its middle brings (greyed out or not)"
COMPUTING = "of a wide patch: what the larger computation brings (same tissue, wider input)"


def family(encoder: str) -> str:
    """Return the family of an encoder: the letters its name begins with (``compact_s``: compact)."""
    found = re.match(r"(?:timm:)?(?:hf-hub:)?(?:[^/]*/)?([a-z]+)", encoder.lower())
    return found.group(1) if found else encoder


def question_facts(summary: Summary, group: Group) -> dict[str, Any]:
    """Return what the page says: a table's ``head`` and ``rows``, and what stays ``open``; {} for neither.

    The intervals of all questions hold together.
    """
    asked, open_ones = {}, []
    for name, weights in _questions(summary, group):
        if isinstance(weights, str):
            open_ones.append(f"{name}: {weights}")
        else:
            asked[name] = weights
    if not asked:
        return {"head": [], "rows": [], "open": open_ones} if open_ones else {}
    found = contrasts(group.comparison, asked)
    rows = [[name, *_words(effect)] for name, effect in found.items()]
    return {
        "head": ["what is asked", "effect on the score", "95 % interval, all at once", "answer"],
        "rows": rows,
        "open": open_ones,
    }


def _words(effect: Contrast) -> list[str]:
    size = f"{effect.estimate:+.4f}"
    if effect.low is None or effect.high is None:
        return [size, "none", f"not decided: {effect.reason}"]
    interval = f"{effect.low:+.4f} to {effect.high:+.4f}"
    verdict = {1: "a gain", -1: "a loss", 0: "neither a gain nor a loss is shown"}[effect.sign]
    return [size, interval, verdict]


def _questions(summary: Summary, group: Group) -> Iterator[tuple[str, Weights | str]]:
    """Yield each question with the weights of its effect, or why it cannot be asked."""
    parameters = summary.table.set_index("configuration")["parameters"].to_dict()
    encoders = [key for key in group.standings if not key.baseline]
    plain = [key for key in encoders if not key.control and not key.variant]
    size = {key: math.log10(parameters[key]) for key in plain if parameters[key] > 0}
    width = {key: math.log2(key.patch_um) for key in plain}
    patch = {key: (family(key.encoder), key.patch_um, key.input_px) for key in size}
    yield PARAMETERS, _tried(slope_weights, size, patch, lack="two encoders of one family at one patch")
    own = {key: key.encoder for key in plain}
    yield WIDTH, _tried(slope_weights, width, own, lack="one encoder at two patch widths")
    yield from _controls(encoders)
    yield INTERACTION, _interaction(size, width)
    yield from _variants(encoders, plain)


def _interaction(size: dict[Configuration, float], width: dict[Configuration, float]) -> Weights | str:
    kin = {key: family(key.encoder) for key in size}
    try:
        return interaction_weights(size, {key: width[key] for key in size}, kin)
    except DataError:
        return "it takes two encoders of one family at two patch widths each"


def _tried(make: Any, x: Mapping[Any, float], group: Mapping[Any, Any], *, lack: str) -> Weights | str:
    try:
        return make(x, group)
    except DataError:
        return f"it takes {lack}"


def _controls(encoders: list[Configuration]) -> Iterator[tuple[str, Weights]]:
    """Yield the two parts of what a wider patch brings, for greyed-out patches that have both partners."""
    seen: dict[str, list[Weights]] = {TISSUE: [], COMPUTING: []}
    for key in encoders:
        if not key.control:
            continue
        whole = _partner(encoders, key)
        narrow = _partner(encoders, key, patch_um=key.visible_um)
        if whole is not None:
            seen[TISSUE].append({whole: 1.0, key: -1.0})
        if narrow is not None:
            seen[COMPUTING].append({key: 1.0, narrow: -1.0})
    for name, parts in seen.items():
        if parts:
            yield name, _mean(parts)


def _partner(encoders: list[Configuration], key: Configuration, **wanted: float) -> Configuration | None:
    """Return the same encoder with the whole patch seen, at the width and input that are wanted."""
    wanted = wanted or {"patch_um": key.patch_um, "input_px": key.input_px}
    for other in encoders:
        alike = (other.encoder, other.variant, other.pretrained) == (key.encoder, key.variant, key.pretrained)
        near = (math.isclose(getattr(other, name), value, rel_tol=0.02) for name, value in wanted.items())
        if alike and not other.control and all(near):
            return other
    return None


def _variants(encoders: list[Configuration], plain: list[Configuration]) -> Iterator[tuple[str, Weights]]:
    """Yield, for each variant, its own effect and how it changes what a doubled width brings."""
    names = dict.fromkeys(key.variant for key in encoders if key.variant and not key.control)
    for name in names:
        mine = [key for key in encoders if key.variant == name and not key.control]
        twins = {key: _partner(plain, replace(key, variant="")) for key in mine}
        pairs = [(key, twin) for key, twin in twins.items() if twin is not None]
        if not pairs:
            continue
        yield f"{name}, against the design's own", _mean([{key: 1.0, twin: -1.0} for key, twin in pairs])
        try:
            slopes = [_slope_on_width([pair[side] for pair in pairs]) for side in (0, 1)]
        except DataError:
            continue  # at one width only
        yield f"{name}: change of what a doubled patch width brings", _difference(*slopes)


def _slope_on_width(keys: list[Configuration]) -> Weights:
    return slope_weights({key: math.log2(key.patch_um) for key in keys}, {key: key.encoder for key in keys})


def _mean(parts: list[Weights]) -> Weights:
    total: dict[Configuration, float] = {}
    for part in parts:
        for key, weight in part.items():
            total[key] = total.get(key, 0.0) + weight / len(parts)
    return total


def _difference(one: Weights, other: Weights) -> Weights:
    return {key: one.get(key, 0.0) - other.get(key, 0.0) for key in {**one, **other}}
