"""Of which blocks the intervals are made, in numbers and in words: the same for all of a bench."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.stats.block_width import LEAST_LENGTHS, Blocks, choose_blocks
from prestige.stats.moments import merge_blocks
from prestige.text import format_number

UM = "\N{MICRO SIGN}m"


@dataclass(frozen=True)
class Length:
    """Correlation length of a fold's test tissue, um: 0 for none, infinite beyond the tissue, NaN unknown."""

    fold: str
    um: float


def correlation_lengths(bench: Bench) -> list[Length]:
    """Return the correlation length of each fold of which the bench measured one, or tried to."""
    found = []
    for fold in bench.record.folds:
        if (correlation := fold.correlation) is not None:
            um = correlation.length_um
            # Without a length there is a structured share only where the tissue ended before the structure.
            beyond = math.isnan(um) and math.isfinite(correlation.structured)
            found.append(Length(f"fold {fold.index}", math.inf if beyond else um))
    return found


def kept_um(bench: Bench) -> float:
    """Return the width of the blocks over which moments were kept, NaN where it is not recorded."""
    return bench.record.evaluation.block_um


def blocks_of(
    bench: Bench, used: Mapping[Configuration, list[Run]], patient_of: Mapping[str, str] | None
) -> Blocks | None:
    """Return of which blocks the runs are to be compared, None where the width of theirs is not recorded."""
    width = kept_um(bench)
    if not width > 0:
        return None
    folds = {run.fold: run.moments for runs in used.values() for run in runs}
    lengths = [length.um for length in correlation_lengths(bench)]
    return choose_blocks([folds[fold] for fold in sorted(folds)], width, lengths, patient_of=patient_of)


def merged(used: Mapping[Configuration, list[Run]], blocks: Blocks | None) -> dict[Configuration, list[Run]]:
    """Return the runs with their moments over the blocks that are compared."""
    if blocks is None or blocks.times == 1:
        return dict(used)
    return {
        key: [replace(run, moments=merge_blocks(run.moments, blocks.times)) for run in runs]
        for key, runs in used.items()
    }


def blocks_words(blocks: Blocks | None) -> str:
    """Say which blocks stand behind an interval; "" where that is not recorded."""
    if blocks is None:
        return ""
    words = f"blocks of {format_number(blocks.kept_um)} {UM}"
    if blocks.times == 1:
        return words
    why = (
        "expression is alike across the whole test tissue of a fold"
        if blocks.endless
        else f"the correlation length is {format_number(blocks.length_um)} {UM}"
    )
    return f"{words} merged to {format_number(blocks.width_um)} {UM}: {why}"


def blocks_record(blocks: Blocks | None) -> dict[str, Any] | None:
    """Return which blocks stand behind the intervals, for other programs.

    ``correlation_length_um`` is None where it lies beyond the tissue or none is known, and ``wide_enough``
    then false or None.
    """
    if blocks is None:
        return None
    has_length = not blocks.endless and (blocks.length_um > 0 or not blocks.unknown)
    return {
        "kept_um": blocks.kept_um,
        "merged_um": blocks.width_um,
        "correlation_length_um": blocks.length_um if has_length else None,
        "wide_enough": blocks.wide_enough,
    }


def width_limits(bench: Bench, blocks: Blocks | None) -> list[str]:
    """Say where blocks are too narrow after all: intervals then hold less often than they say."""
    if blocks is None:
        return []
    found = []
    if blocks.wide_enough is False and not blocks.endless:
        so_far = f"Merged to {format_number(blocks.width_um)} {UM}, blocks" if blocks.times > 1 else "Blocks"
        width = "" if blocks.times > 1 else f" of {format_number(blocks.width_um)} {UM}"
        why = (blocks.reason or "").removeprefix("no interval: ")
        found.append(
            f"{so_far}{width} are still too narrow for this tissue, which is alike over "
            f"{format_number(blocks.length_um)} {UM}: {LEAST_LENGTHS:g} such lengths are needed, and "
            f"wider ones would be too few ({why}). Intervals hold the true value less often than they say."
        )
    lengths = correlation_lengths(bench)
    if endless := [length.fold for length in lengths if math.isinf(length.um)]:
        taken = f"Blocks of {format_number(blocks.width_um)} {UM} are taken"
        taken += ", the widest that leave enough of them" if blocks.reason is not None else ""
        found.append(
            f"In {', '.join(endless)} expression is alike across the whole test tissue: no block is wide "
            f"enough for that. {taken}, and intervals hold the true value less often than they say."
        )
    if blocks.unknown:
        unknown = [length.fold for length in lengths if math.isnan(length.um)]
        where = f" in {', '.join(unknown)}" if unknown else ""
        found.append(
            f"How far apart tissue is alike is not known{where}: whether blocks of "
            f"{format_number(blocks.width_um)} {UM} are wide enough cannot be said."
        )
    return found


def length_words(bench: Bench, blocks: Blocks | None) -> list[str]:
    """Say for each fold how far apart its test tissue is alike, and how wide the blocks are beside that."""
    said = []
    for length in correlation_lengths(bench):
        if math.isinf(length.um):
            said.append(f"{length.fold}: longer than the test tissue, or as long: distrust the intervals")
        elif math.isnan(length.um):
            said.append(f"{length.fold}: could not be measured: distrust the intervals")
        elif length.um == 0:
            said.append(f"{length.fold}: neighbours are no more alike than chance")
        else:
            said.append(f"{length.fold}: {_wide(length.um, blocks)}")
    return said


def _wide(length_um: float, blocks: Blocks | None) -> str:
    said = f"measured expression falls to 1/e of its structured part within {format_number(length_um)} {UM}"
    if blocks is None:
        return said
    wide = blocks.width_um / length_um
    few = "" if wide >= LEAST_LENGTHS else f", fewer than {LEAST_LENGTHS:g}: the intervals are too narrow"
    return f"{said}; the blocks are {wide:.1f} lengths wide{few}"
