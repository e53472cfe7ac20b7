"""What does not follow from an answer: whose tissue, how wide the blocks, how many trainings."""

from __future__ import annotations

import math
from collections.abc import Iterable

from prestige.analysis.blocks import correlation_lengths
from prestige.analysis.spread import spreads, unequal_minutes
from prestige.analysis.summary import Group, Summary
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.report.rendering import listed
from prestige.report.style import MICRO
from prestige.stats.block_width import LEAST_LENGTHS, Blocks
from prestige.stats.spread import MIN_SEEDS
from prestige.text import format_number

FEW_PATIENTS = 10


def limits(bench: Bench, summary: Summary, group: Group) -> list[str]:
    """Return what does not follow from the answer of a group, as sentences."""
    lines = _whose_tissue(bench)
    result = group.results[group.best] if group.best else None
    if result and result.interval is None and len(group.results) < 2:
        lines.append(f"No interval is given: {group.reason or 'none could be made'}.")
    if result and result.interval is not None:
        lines += width_limits(bench, summary.blocks)
    lines += _unequal_minutes(bench)
    if result and result.interval is not None:
        lines += _training_chance(summary, group)
    if not bench.single:
        lines += seeds_limit(summary, group.results)
    if not bench.finished and not bench.single:
        lines.append(_unfinished(bench, summary))
    if bench.single:
        lines.append(
            "A single run compares nothing: it says neither which encoder nor which patch size is better."
        )
    if len({one.pretrained for one in summary.groups}) > 1:
        lines.append(
            "Encoders trained from scratch and pretrained ones are answered apart: they are not equals."
        )
    return lines


def _whose_tissue(bench: Bench) -> list[str]:
    """Say of whose tissue the intervals speak."""
    patients = len(bench.patients)
    if patients == 1:
        return ["All scored tissue is of one patient: nothing about other patients follows."]
    if bench.record.within_section:
        return ["Training and test tissue are of the same patients: nothing about other patients follows."]
    if 1 < patients < FEW_PATIENTS:
        return [
            f"{patients} patients were scored: what is said is of tissue of these patients, "
            f"not of patients in general, which takes {FEW_PATIENTS}."
        ]
    return []


def _unequal_minutes(bench: Bench) -> list[str]:
    """Say where runs of equal minutes took unequal ones: steps are planned by timing a few of them."""
    if (unequal := unequal_minutes(bench)) is None:
        return []
    planned, least, most = unequal
    return [
        f"The minutes were not equal: runs planned for {format_number(planned)} took {least:.2g} to "
        f"{most:.2g}, as happens where the machine does other work meanwhile. Small differences in score may "
        "be of that."
    ]


def _training_chance(summary: Summary, group: Group) -> list[str]:
    """Say that another training might rank otherwise: the intervals resample tissue, not trainings."""
    trained = summary.table[~summary.table["baseline"] & summary.table["configuration"].isin(group.results)]
    if trained.empty:
        return []
    least, most = int(trained["n_seeds"].min()), int(trained["n_seeds"].max())
    number_of = f"{most}" if least == most else f"{least} to {most}"
    seeds = "one seed" if most == 1 else f"{number_of} seeds, whose scores are averaged"
    return [
        f"Intervals and ties hold the chance of which tissue was scored, not that of the training: "
        f"each encoder was trained with {seeds}."
    ]


def _unfinished(bench: Bench, summary: Summary) -> str:
    runs = f"{len(bench.runs)} run" + ("s" if len(bench.runs) != 1 else "")
    text = f"The bench is not finished: this report is of what is ({runs})"
    if summary.excluded:
        text += f"; not compared, because a fold is missing: {listed(summary.excluded)}"
    return text + ". The answer may change."


def width_limits(bench: Bench, blocks: Blocks | None) -> list[str]:
    """Say where blocks are too narrow after all: intervals then hold less often than they say."""
    if blocks is None:
        return []
    lines = []
    if blocks.wide_enough is False and not blocks.endless:
        so_far = (
            f"Merged to {format_number(blocks.width_um)} {MICRO}, blocks" if blocks.times > 1 else "Blocks"
        )
        width = "" if blocks.times > 1 else f" of {format_number(blocks.width_um)} {MICRO}"
        why = (blocks.reason or "").removeprefix("no interval: ")
        lines.append(
            f"{so_far}{width} are still too narrow for this tissue, which is alike over "
            f"{format_number(blocks.length_um)} {MICRO}: {LEAST_LENGTHS:g} such lengths are needed, and "
            f"wider ones would be too few ({why}). Intervals hold the true value less often than they say."
        )
    lengths = correlation_lengths(bench)
    if endless := [fold for fold, um in lengths.items() if math.isinf(um)]:
        taken = f"Blocks of {format_number(blocks.width_um)} {MICRO} are taken"
        taken += ", the widest that leave enough of them" if blocks.reason is not None else ""
        lines.append(
            f"In {', '.join(endless)} expression is alike across the whole test tissue: no block is wide "
            f"enough for that. {taken}, and intervals hold the true value less often than they say."
        )
    if blocks.unknown:
        unknown = [fold for fold, um in lengths.items() if math.isnan(um)]
        where = f" in {', '.join(unknown)}" if unknown else ""
        lines.append(
            f"How far apart tissue is alike is not known{where}: whether blocks of "
            f"{format_number(blocks.width_um)} {MICRO} are wide enough cannot be said."
        )
    return lines


def blocks_words(blocks: Blocks | None) -> str:
    """Say which blocks stand behind an interval; "" where that is not recorded."""
    if blocks is None:
        return ""
    words = f"blocks of {format_number(blocks.kept_um)} {MICRO}"
    if blocks.times == 1:
        return words
    why = (
        "expression is alike across the whole test tissue of a fold"
        if blocks.endless
        else f"the correlation length is {format_number(blocks.length_um)} {MICRO}"
    )
    return f"{words} merged to {format_number(blocks.width_um)} {MICRO}: {why}"


def length_words(bench: Bench, blocks: Blocks | None) -> list[str]:
    """Say for each fold how far apart its test tissue is alike, and how wide the blocks are beside that."""
    lines = []
    for fold, um in correlation_lengths(bench).items():
        if math.isinf(um):
            lines.append(f"{fold}: longer than the test tissue, or as long: distrust the intervals")
        elif math.isnan(um):
            lines.append(f"{fold}: could not be measured: distrust the intervals")
        elif um == 0:
            lines.append(f"{fold}: neighbours are no more alike than chance")
        else:
            lines.append(f"{fold}: {_wide(um, blocks)}")
    return lines


def _wide(length_um: float, blocks: Blocks | None) -> str:
    sentence = (
        f"measured expression falls to 1/e of its structured part within {format_number(length_um)} {MICRO}"
    )
    if blocks is None:
        return sentence
    wide = blocks.width_um / length_um
    few = "" if wide >= LEAST_LENGTHS else f", fewer than {LEAST_LENGTHS:g}: the intervals are too narrow"
    return f"{sentence}; the blocks are {wide:.1f} lengths wide{few}"


def seeds_limit(summary: Summary, keys: Iterable[Configuration]) -> list[str]:
    """Say what too few trainings of each encoder leave open."""
    numbers = [one.n_seeds for key, one in spreads(summary).items() if key in set(keys) and not key.baseline]
    fewest, most = min(numbers, default=MIN_SEEDS), max(numbers, default=MIN_SEEDS)
    if fewest >= MIN_SEEDS:
        return []
    needed = f"a bench that claims something needs {MIN_SEEDS}"
    if fewest < most:
        return [
            f"{fewest} to {most} seeds: the spread over trainings is not known of every encoder; {needed}."
        ]
    if fewest == 1:
        return [f"One seed: the spread over trainings is unknown; {needed}."]
    return [f"{fewest} seeds: the spread over trainings is hardly known; {needed}."]
