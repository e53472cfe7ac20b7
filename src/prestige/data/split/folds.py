"""Split: which observations train, choose (validation) and test, with a distance between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Int8

from prestige.data.patches.reader import width_px, window_inside
from prestige.data.split.rules import SplitConfig, add_validation, plan
from prestige.data.split.sides import SIDE_NAMES, TEST, TRAIN, UNUSED, VALIDATION, by_slide, in_buffer
from prestige.errors import SplitError

if TYPE_CHECKING:
    from prestige.data.sample import Sample

__all__ = ["TEST", "TRAIN", "UNUSED", "VALIDATION", "Fold", "SplitConfig", "make_folds"]

REASONS = ("not_in_split", "unmeasured", "few_counts", "edge", "buffer")
"""Why an observation is on no side; the first that holds is the one counted."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One assignment of observations to sides.

    Attributes
    ----------
    index, name
        Position among the folds of the split, and a name for people.
    sides
        Sample id -> (n,) TRAIN, VALIDATION, TEST or UNUSED for each observation.
    dropped
        Reason (:data:`REASONS`) -> number of observations on no side for it.
    notes
        What was decided on the way, for the report.
    """

    index: int
    name: str
    sides: Mapping[str, Int8[np.ndarray, " _"]]
    dropped: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def count(self, side: int) -> int:
        """Return the number of observations on a side."""
        return int(sum((values == side).sum() for values in self.sides.values()))

    def table(self, samples: Sequence[Sample]) -> pd.DataFrame:
        """Return a row for each observation: ``sample``, ``obs``, ``x_um``, ``y_um``, ``side`` (a number)."""
        parts = [
            pd.DataFrame(
                {
                    "sample": sample.id,
                    "obs": sample.obs.index.astype(str),
                    "x_um": sample.xy_um[:, 0],
                    "y_um": sample.xy_um[:, 1],
                    "side": self.sides[sample.id],
                }
            )
            for sample in samples
        ]
        return pd.concat(parts, ignore_index=True)


def make_folds(samples: Sequence[Sample], config: SplitConfig, *, largest_patch_um: float) -> list[Fold]:
    """Assign every observation to a side, for each fold that is to be run.

    Where at least three patients are on the training side (and the split is not
    ``within_section``), whole patients validate: as many as come nearest to ``validation_share``,
    two at least being left to train.  Otherwise buffered spatial blocks of the training side do.
    Distances are kept to all tissue of the other side, whether it was measured or not.
    Nothing here reads counts beyond ``min_counts`` of the observation itself.

    Parameters
    ----------
    samples
        The sections.
    config
        The rule.
    largest_patch_um
        Width of the largest patch of the whole bench, so that all its runs share the sides.

    Raises
    ------
    SplitError
        When the buffer is smaller than the largest patch, that patch is larger than an image, a
        side is empty, a patient stands on two sides without ``within_section``, or the column or
        its values are missing.
    """
    _check_sizes(samples, config, largest_patch_um)
    reasons = {sample.id: _reasons(sample, config, largest_patch_um) for sample in samples}
    usable = {sample_id: reason == "" for sample_id, reason in reasons.items()}
    plans = plan(samples, config, usable)
    chosen = range(len(plans)) if config.run_folds is None else config.run_folds
    if wrong := [index for index in chosen if not 0 <= index < len(plans)]:
        raise SplitError(
            f"run_folds names fold {wrong[0]}", where="split", expected=f"folds from 0 to {len(plans) - 1}"
        )
    folds = []
    for index in chosen:
        name, intended = plans[index]
        _check_patients(samples, intended, config)
        intended, notes = add_validation(samples, intended, usable, config)
        sides, dropped = _separate(samples, intended, reasons, config.buffer_um)
        folds.append(Fold(index, name, sides, dropped, tuple(notes)))
        _check_sides(folds[-1])
    return folds


def _check_sizes(samples: Sequence[Sample], config: SplitConfig, largest_patch_um: float) -> None:
    """Refuse patches larger than an image and buffers smaller than a patch in whole pixels."""
    widest = largest_patch_um
    for sample in samples:
        width = width_px(largest_patch_um, sample.um_per_px)
        widest = max(widest, width * sample.um_per_px)
        slide = sample.slide
        if width > min(slide.width_px, slide.height_px):
            raise SplitError(
                f"the largest patch ({largest_patch_um:g} um, {width} px) is larger than the image",
                where=f"sample {sample.id}",
                expected=f"at most the image's {slide.width_px} x {slide.height_px} px",
                remedy="leave out that patch size or the sample",
            )
    if config.buffer_um < widest * (1 - 1e-9):
        raise SplitError(
            f"buffer_um: {config.buffer_um:g} is smaller than the largest patch of {widest:.4g} um, "
            "so patches of two sides would overlap",
            where="split",
            remedy=f"write buffer_um: {math.ceil(widest)}",
        )


def _reasons(sample: Sample, config: SplitConfig, largest_patch_um: float) -> np.ndarray:
    """Return, for each observation, why it can be on no side, or ''."""
    reason = np.full(sample.n_obs, "", dtype="U12")
    slide = sample.slide
    width = width_px(largest_patch_um, sample.um_per_px)
    inside = window_inside(sample.xy_px, width, width_px=slide.width_px, height_px=slide.height_px)
    reason[~inside] = "edge"
    reason[sample.obs["total_counts"].to_numpy() < config.min_counts] = "few_counts"
    reason[~sample.obs["measured"].to_numpy(bool)] = "unmeasured"
    return reason


def _check_patients(
    samples: Sequence[Sample], intended: Mapping[str, np.ndarray], config: SplitConfig
) -> None:
    if config.within_section:
        return
    stands: dict[str, set[int]] = {}
    for sample in samples:
        sides = {int(side) for side in np.unique(intended[sample.id])} & set(SIDE_NAMES)
        stands.setdefault(sample.patient, set()).update(sides)
    both = sorted(patient for patient, sides in stands.items() if len(sides) > 1)
    if both:
        raise SplitError(
            f"patients on two sides: {', '.join(both[:5])}{' ...' if len(both) > 5 else ''}",
            where="split",
            expected="each patient on one side",
            remedy="split by: patient, or write within_section: true, and claim nothing about other patients",
        )


def _separate(
    samples: Sequence[Sample],
    intended: Mapping[str, np.ndarray],
    reasons: Mapping[str, np.ndarray],
    buffer_um: float,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Drop what lies too near to another side, and count what was dropped and why."""
    sides: dict[str, np.ndarray] = {}
    dropped: dict[str, int] = dict.fromkeys(REASONS, 0)
    close = _near_other_sides(samples, intended, buffer_um)
    for sample in samples:
        side = intended[sample.id].astype(np.int8)
        reason = np.where(side == UNUSED, "not_in_split", reasons[sample.id])
        reason[(reason == "") & close[sample.id]] = "buffer"
        side[reason != ""] = UNUSED
        sides[sample.id] = side
        for key in REASONS:
            dropped[key] += int((reason == key).sum())
    return sides, dropped


def _near_other_sides(
    samples: Sequence[Sample], intended: Mapping[str, np.ndarray], buffer_um: float
) -> dict[str, np.ndarray]:
    """Return for each sample what lies too near to another side on its slide.

    Samples of one image (cells and bins of one section, say) are the same tissue: distances are kept
    across them too.
    """
    close = {}
    for group, _, xy_um in by_slide(samples):
        sides = np.concatenate([intended[sample.id] for sample in group]).astype(np.int8)
        ends = np.cumsum([sample.n_obs for sample in group])[:-1]
        of_samples = np.split(in_buffer(sides, xy_um, buffer_um), ends)
        close |= {sample.id: near for sample, near in zip(group, of_samples, strict=True)}
    return close


def _check_sides(fold: Fold) -> None:
    empty = [word for side, word in SIDE_NAMES.items() if fold.count(side) == 0]
    if not empty:
        return
    lost = ", ".join(f"{number} {key}" for key, number in fold.dropped.items() if number) or "nothing"
    total = sum(len(side) for side in fold.sides.values())
    raise SplitError(
        f"the {' and '.join(empty)} side is empty (of {total} observations were dropped: {lost})",
        where=f"split, fold {fold.index} ({fold.name})",
        expected="at least one observation on each side",
        remedy="use smaller patches with a smaller buffer_um, another block_um, or other sides",
    )
