"""Of which blocks the intervals are made: the same for all of a bench."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.stats.block_width import Blocks, choose_blocks
from prestige.stats.moments import merge_blocks


def correlation_lengths(bench: Bench) -> dict[str, float]:
    """Return the correlation length of each fold's test tissue, um, where the bench measured it or tried to.

    It is 0 for none, infinite beyond the tissue, and NaN where it is unknown.
    """
    lengths = {}
    for fold in bench.record.folds:
        if (correlation := fold.correlation) is not None:
            um = correlation.length_um
            # Without a length there is a structured share only where the tissue ended before the structure.
            beyond = math.isnan(um) and math.isfinite(correlation.structured)
            lengths[f"fold {fold.index}"] = math.inf if beyond else um
    return lengths


def blocks_of(
    bench: Bench, used: Mapping[Configuration, list[Run]], patient_of: Mapping[str, str] | None
) -> Blocks | None:
    """Return of which blocks the runs are to be compared, None where the width of theirs is not recorded."""
    width = bench.record.evaluation.block_um
    if not width > 0:
        return None
    folds = {run.fold: run.moments for runs in used.values() for run in runs}
    lengths = list(correlation_lengths(bench).values())
    return choose_blocks([folds[fold] for fold in sorted(folds)], width, lengths, patient_of=patient_of)


def merged(used: Mapping[Configuration, list[Run]], blocks: Blocks | None) -> dict[Configuration, list[Run]]:
    """Return the runs with their moments over the blocks that are compared."""
    if blocks is None or blocks.times == 1:
        return dict(used)
    return {
        key: [replace(run, moments=merge_blocks(run.moments, blocks.times)) for run in runs]
        for key, runs in used.items()
    }
