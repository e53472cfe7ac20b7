"""Blocks as wide as the tissue asks for: how many of those that were kept become one, for a whole bench.

Moments are kept per block of a width that was chosen before the tissue's correlation length was known.
Blocks that are too narrow for it are merged, as far as enough of them are left to resample.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from prestige.errors import DataError
from prestige.stats.bootstrap import MIN_CLUSTERS, PatientDraws, draw, too_few
from prestige.stats.correlogram import blocks_to_merge, correlogram
from prestige.stats.moments import Moments, merge_blocks, moments_of, places_of_blocks, spatial_blocks

KEPT_UM = 250.0
"""Width of blocks that are widened where the tissue asks for it, um."""

LEAST_LENGTHS = 3.0
"""Correlation lengths in a block from which intervals keep their word (docs/results/coverage.md)."""


@dataclass(frozen=True)
class Blocks:
    """Of which blocks all intervals of a bench are made.

    Attributes
    ----------
    kept_um
        Width of the blocks over which moments were kept, um.
    length_um
        The longest finite correlation length that was measured, um; 0 where there is none.
    times
        How many blocks a side make one: 1 where they stay as they are.
    wanted
        How many a side would make one as wide as :func:`choose_blocks` asks for, or one of a whole section
        where ``endless``.
    reason
        Why wider ones leave no interval, None where that did not matter.
    endless
        Whether the tissue of a fold is alike beyond its own extent: no block is wide enough.
    unknown
        Whether the length of a fold, or of all, is not known.
    """

    kept_um: float
    length_um: float
    times: int = 1
    wanted: int = 1
    reason: str | None = None
    endless: bool = False
    unknown: bool = False

    @property
    def width_um(self) -> float:
        """Width of the blocks that are resampled, um."""
        return self.kept_um * self.times

    @property
    def text(self) -> str:
        """How wide the blocks are, and of which correlation length: a clause for a reader."""
        words = f"{self.width_um:g} um wide"
        if self.unknown:
            return f"{words} (correlation length not known)"
        if self.endless:
            return f"{words}, too narrow: expression is alike across the whole tissue"
        few = "" if self.wide_enough else ", too narrow"
        return f"{words}{few} (correlation length {self.length_um:.0f} um)"

    @property
    def wide_enough(self) -> bool | None:
        """Whether they hold :data:`LEAST_LENGTHS` correlation lengths of every fold; None: not known."""
        if self.endless or self.width_um < LEAST_LENGTHS * self.length_um:
            return False
        return None if self.unknown else True


def blocks_of_tissue(
    y: Float[np.ndarray, "n g"],
    xy_um: Float[np.ndarray, "n 2"],
    sample_of: Shaped[np.ndarray, " n"],
    *,
    patient_of: Mapping[str, str] | None = None,
) -> Blocks:
    """Return blocks wide enough for measured expression: :data:`KEPT_UM`, or several correlation lengths.

    Parameters
    ----------
    y
        Measured expression on the log1p scale.
    xy_um, sample_of
        Where each observation lies, and in which sample.
    patient_of
        As in :func:`choose_blocks`.
    """
    try:
        length = correlogram(xy_um, y, sample_of=sample_of).length_um
    except DataError:  # too few observations, or none that varies
        length = math.nan
    blocks = spatial_blocks(xy_um, KEPT_UM)
    bare = moments_of(y[:, :1], y[:, :1], sample_of, blocks, ("any",))
    return choose_blocks([bare], KEPT_UM, [length], patient_of=patient_of)


def choose_blocks(
    folds: Sequence[Moments],
    kept_um: float,
    lengths_um: Iterable[float],
    *,
    patient_of: Mapping[str, str] | None = None,
) -> Blocks:
    """Return how many blocks a side are to be merged, for all folds and configurations alike.

    Blocks narrower than :data:`LEAST_LENGTHS` of the longest finite correlation length become the
    narrowest that hold ``BLOCK_LENGTHS`` of it (``correlogram.py``).  Where these are too few to resample, or
    tissue is alike beyond its extent, the widest that are not; where the blocks as they are are too few,
    they stay.

    Parameters
    ----------
    folds
        Moments of one run of each fold; only their blocks are looked at.
    kept_um
        Width of their blocks, um.
    lengths_um
        Correlation lengths of the folds, um.  Infinite: beyond the tissue, which asks for the widest blocks
        that are left.  NaN, or none at all: not known, which asks for no width.
    patient_of
        As in :func:`~prestige.stats.compare`: enough patients are the clusters, and any width goes.

    Raises
    ------
    DataError
        When the width is not positive or a length is negative.
    """
    lengths = [float(length) for length in lengths_um]
    if not kept_um > 0 or min(lengths, default=0.0) < 0:
        raise DataError(
            f"blocks of {kept_um} um and correlation lengths of {lengths} um", expected="positive numbers"
        )
    longest = max((length for length in lengths if math.isfinite(length)), default=0.0)
    unknown = not lengths or any(math.isnan(length) for length in lengths)
    kept = Blocks(kept_um, longest, endless=math.inf in lengths, unknown=unknown)
    if kept.wide_enough is not False or not folds:
        return kept
    bare = [moments.take_genes(()) for moments in folds]
    wanted = _across(bare) if kept.endless else blocks_to_merge(kept_um, longest) or 1
    kept = replace(kept, wanted=wanted)
    if _why_not(bare, 1, patient_of) is not None:
        return kept
    reason = None
    for times in range(wanted, 1, -1):
        fault = _why_not(bare, times, patient_of)
        if fault is None:
            return replace(kept, times=times, reason=reason)
        reason = reason or fault
    return replace(kept, reason=reason)


def _across(folds: Sequence[Moments]) -> int:
    """Return how many blocks the widest section is across."""
    return max(
        int(np.ptp(place[moments.sample == name])) + 1
        for moments in folds
        for name in np.unique(moments.sample)
        for place in places_of_blocks(moments.block)
    )


def _why_not(folds: Sequence[Moments], times: int, patient_of: Mapping[str, str] | None) -> str | None:
    """Return why merged blocks allow no interval, None where they do.

    A grid of wide blocks cuts slivers off at the edge of a section.  They are clusters too, but stand for
    little tissue: merged blocks count by the number of equal ones that would vary as much,
    (sum of n)^2 / sum of n^2.
    """
    merged = [merge_blocks(moments, times) for moments in folds]
    plan = draw(merged, draws=2, seed=0, patient_of=patient_of)
    if plan.reason is not None or times == 1 or isinstance(plan, PatientDraws):
        return plan.reason
    sizes = {
        (str(sample), int(block)): int(n)
        for moments in merged
        for sample, block, n in zip(moments.sample, moments.block, moments.n, strict=True)
    }
    n = np.array(list(sizes.values()), dtype=np.float64)
    equal = int(n.sum() ** 2 / (n**2).sum())
    return too_few(equal, "spatial blocks") if equal < MIN_CLUSTERS else None
