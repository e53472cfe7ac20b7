"""What the study asks: effects in units of the score, with their confidence intervals.

What do more parameters bring at an equal patch, what does a larger patch bring at equal parameters, does the
one depend on the other, and does either hang on the readout, the normalisation layer or the learning rates
tried?  Every effect is a linear combination of the configurations' scores, so its interval rests on the same
paired draws as theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from prestige.analysis.summary import Group, Summary
from prestige.errors import DataError
from prestige.records.configuration import Changed, Configuration
from prestige.stats.effects import Contrast, contrasts, interaction_weights, slope_weights

Weights = Mapping[Configuration, float]
PARAMETERS = "a tenfold number of parameters, at equal patch within one family"
WIDTH = "a doubled patch width, at equal parameters"
INTERACTION = "how much more (or less) a doubled width brings per tenfold parameters"
TISSUE = "of a wide patch: what the tissue outside its middle brings (greyed out or not)"
COMPUTING = "of a wide patch: what the larger computation brings (same tissue, wider input)"
EITHER = "whether either effect changes with"
VARIANTS = {
    "readout": ("the readout", "no entry of the grid has another one (readout: whole)"),
    "norm": ("the normalisation layer", "no entry of the grid has another one (norm: group)"),
    "learning_rates": ("the learning rates tried", "no entry of the grid has learning rates of its own"),
}
"""Settings that the effects may hang on, and what to say where no entry of the grid has others."""
OF_WIDTH, OF_PARAMETERS = (
    "change of what a doubled patch width brings",
    "change of what tenfold parameters bring",
)


def family(encoder: str) -> str:
    """Return the family of an encoder: the letters its name begins with (``compact_s``: compact)."""
    match = re.match(r"(?:timm:)?(?:hf-hub:)?(?:[^/]*/)?([a-z]+)", encoder.lower())
    return match.group(1) if match else encoder


@dataclass(frozen=True, eq=False)
class Effects:
    """The effects of a group.

    Attributes
    ----------
    tested
        Each effect that the grid can tell; their intervals hold together.
    untested
        The others, and what each would take.
    reason
        Why there are no intervals, None where there are (or nothing was tested).
    """

    tested: dict[str, Contrast]
    untested: dict[str, str]
    reason: str | None


def effects_of(summary: Summary, group: Group) -> Effects:
    """Return what parameters, patch width and what sets models apart bring in a group."""
    weights, untested = {}, {}
    for name, one in _effects(summary, group):
        if isinstance(one, str):
            untested[name] = one
        else:
            weights[name] = one
    if not weights:
        return Effects({}, untested, None)
    tested = contrasts(group.with_own_rates, weights)
    return Effects(tested, untested, group.with_own_rates.reason)


def slopes(summary: Summary, group: Group) -> dict[str, Weights | str]:
    """Return the weights of what parameters and what patch width bring, or what it would take."""
    plain, on_parameters = plain_encoders(group), partial(_slope_on_parameters, parameters_of(summary))
    return {
        PARAMETERS: _tried(on_parameters, plain, lack="two encoders of one family at one patch"),
        WIDTH: _tried(slope_on_width, plain, lack="one encoder at two patch widths"),
    }


def parameters_of(summary: Summary) -> dict[Configuration, float]:
    """Return the number of trained parameters of each configuration."""
    return dict(zip(summary.table["configuration"], summary.table["parameters"], strict=True))


def plain_encoders(group: Group) -> list[Configuration]:
    """Return the encoders of a group that see the whole patch and are as they were designed."""
    return [key for key in group.with_own_rates.rows if not (key.baseline or key.control or key.changed)]


def _effects(summary: Summary, group: Group) -> Iterator[tuple[str, Weights | str]]:
    """Yield each effect with its weights, or what it would take."""
    yield from slopes(summary, group).items()
    encoders = [key for key in group.with_own_rates.rows if not key.baseline]
    yield from _controls(encoders)
    interaction = partial(_interaction, parameters_of(summary))
    lack = "two encoders of one family at two patch widths each"
    yield INTERACTION, _tried(interaction, plain_encoders(group), lack=lack)
    for setting, (what, lack) in VARIANTS.items():
        if not any(setting in key.changed for key in encoders):
            yield f"{EITHER} {what}", lack
    yield from _variants(encoders, parameters_of(summary))


def _tried(
    effect: Callable[[list[Configuration]], Weights], keys: list[Configuration], *, lack: str
) -> Weights | str:
    try:
        return effect(keys)
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
        alike = (other.encoder, other.changed, other.pretrained) == (key.encoder, key.changed, key.pretrained)
        near = (math.isclose(getattr(other, name), value, rel_tol=0.02) for name, value in wanted.items())
        if alike and not other.control and all(near):
            return other
    return None


def _variants(
    encoders: list[Configuration], parameters: Mapping[Configuration, float]
) -> Iterator[tuple[str, Weights | str]]:
    """Yield, for each variant, its own effect and how it changes those of patch width and of parameters."""
    slopes = (
        (OF_WIDTH, slope_on_width, "one encoder at two patch widths"),
        (OF_PARAMETERS, partial(_slope_on_parameters, parameters), "two encoders of one family at one patch"),
    )
    for changed in dict.fromkeys(key.changed for key in encoders if key.changed and not key.control):
        name = str(changed)
        mine = [key for key in encoders if key.changed == changed and not key.control]
        pairs = [(key, plain) for key in mine if (plain := _equal(encoders, key)) is not None]
        against = "those of the bench" if mine[0].own_rates else "the design's own"
        if not pairs:
            yield f"{name}, against {against}", "it takes the same encoder without that, at the same patch"
            continue
        yield f"{name}, against {against}", _mean([{key: 1.0, plain: -1.0} for key, plain in pairs])
        for effect, slope, lack in slopes:
            try:
                sides = [slope([pair[side] for pair in pairs]) for side in (0, 1)]
            except DataError:
                yield f"{name}: {effect}", f"it takes {lack}, with it and without"
            else:
                yield f"{name}: {effect}", _difference(*sides)


def _equal(encoders: list[Configuration], key: Configuration) -> Configuration | None:
    """Return what a variant is compared with: without its learning rates, or the design itself."""
    changed = key.changed.without("learning_rates") if key.own_rates else Changed()
    return _partner(encoders, replace(key, changed=changed))


def slope_on_width(keys: list[Configuration]) -> Weights:
    """Return the weights of what a doubled patch width brings in some configurations."""
    return slope_weights({key: math.log2(key.patch_um) for key in keys}, {key: key.encoder for key in keys})


def _slope_on_parameters(parameters: Mapping[Configuration, float], keys: list[Configuration]) -> Weights:
    size = _sizes(parameters, keys)
    return slope_weights(size, {key: (family(key.encoder), key.patch_um, key.input_px) for key in size})


def _interaction(parameters: Mapping[Configuration, float], keys: list[Configuration]) -> Weights:
    size = _sizes(parameters, keys)
    width = {key: math.log2(key.patch_um) for key in size}
    return interaction_weights(size, width, {key: family(key.encoder) for key in size})


def _sizes(
    parameters: Mapping[Configuration, float], keys: list[Configuration]
) -> dict[Configuration, float]:
    return {key: math.log10(parameters[key]) for key in keys if parameters[key] > 0}


def _mean(several: list[Weights]) -> Weights:
    total: dict[Configuration, float] = {}
    for weights in several:
        for key, weight in weights.items():
            total[key] = total.get(key, 0.0) + weight / len(several)
    return total


def _difference(one: Weights, other: Weights) -> Weights:
    return {key: one.get(key, 0.0) - other.get(key, 0.0) for key in {**one, **other}}
