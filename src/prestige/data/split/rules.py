"""The rule of a split, and which side it means each observation for, before distances are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from prestige.data.split.blocks import assign_to_folds, best_draw, draw_share, extent_area, grid_blocks, thin
from prestige.data.split.findings import FINDINGS
from prestige.data.split.sides import TEST, TRAIN, UNUSED, VALIDATION, in_buffer, nearer_than
from prestige.errors import SplitError, nearest, one_line
from prestige.settings import Settings
from prestige.settings.wrong import shown
from prestige.text import look_alike, shortened

if TYPE_CHECKING:
    from prestige.data.sample import Sample

Sides = dict[str, np.ndarray]
_BUFFERS_A_BLOCK = 6
_BLOCKS_A_SIDE = 4
# How a column may spell what a yaml's true and false are read as, and the other way round.
_TRUE, _FALSE = ("True", "true", "TRUE", "1", "1.0"), ("False", "false", "FALSE", "0", "0.0")
_SWITCHES = {"true": _TRUE, "1": _TRUE, "false": _FALSE, "0": _FALSE}


class SplitConfig(Settings):
    """The rule that puts observations on sides.

    Attributes
    ----------
    by
        ``patient`` (folds of whole patients), ``column`` (a column of the table or a covariate of
        the samples says it), ``blocks`` (spatial blocks within each section).
    folds
        Number of folds, or ``leave-one-out`` (patients).  Left out: every patient in turn up to
        five patients, else 5; 4 with blocks.
    run_folds
        Which folds are run; left out: all.
    column, train, validation, test
        For ``by: column``: its name and the values of each side.  Without ``validation`` it is
        taken from the training side.
    validation_share
        Share of the training side that validates.
    block_um
        Width of spatial blocks; left out: as wide as leaves a few blocks a side, and six buffers
        at least.
    buffer_um
        Training observations nearer than this (Chebyshev) to a validation or test one are dropped,
        and so are validation ones nearer to a test one.
    within_section
        Says by name that a patient may stand on two sides.
    min_counts
        Observations with fewer counts are on no side.
    seed
        Of blocks and of ties.
    allow
        Names of findings of the audit that are accepted (:data:`prestige.data.split.findings.FINDINGS`).
    """

    by: Literal["patient", "column", "blocks"]
    folds: int | Literal["leave-one-out"] | None = None
    run_folds: tuple[int, ...] | None = None
    column: str | None = None
    train: tuple[int | str, ...] | None = None
    validation: tuple[int | str, ...] | None = None
    test: tuple[int | str, ...] | None = None
    validation_share: float = Field(default=0.15, gt=0, lt=1)
    block_um: float | None = Field(default=None, gt=0)
    buffer_um: float = Field(ge=0)
    within_section: bool = False
    min_counts: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    allow: tuple[str, ...] = ()

    @field_validator("allow")
    @classmethod
    def _known_findings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in FINDINGS:
                near = nearest(name, FINDINGS)
                hint = f"; did you mean '{near}'?" if near else ""
                raise ValueError(f"no audit finds '{one_line(name, 60)}', only {', '.join(FINDINGS)}{hint}")
        return names

    @model_validator(mode="after")
    def _keys_that_belong(self) -> SplitConfig:
        if self.by == "column":
            if not (self.column and self.train and self.test):
                raise ValueError("by: column needs column, train and test")
            if self.folds is not None:
                raise ValueError("folds has no meaning with by: column, which makes one fold")
            sides = [value_key(v) for side in (self.train, self.validation, self.test) for v in side or ()]
            if len(set(sides)) != len(sides):
                raise ValueError("a value of the column stands on two sides")
        elif given := [key for key in ("column", "train", "validation", "test") if getattr(self, key)]:
            raise ValueError(f"{', '.join(given)} belong to by: column, not to by: {self.by}")
        if isinstance(self.folds, int) and self.folds < 2:
            raise ValueError(f"{self.folds} folds, at least 2 are needed")
        if self.folds == "leave-one-out" and self.by == "blocks":
            raise ValueError("leave-one-out is for by: patient")
        return self


def value_key(value: object) -> str:
    """Return one text for a value, however it was typed: 0, 0.0 and "0", or True and "true", are the same."""
    if isinstance(value, bool | np.bool_) or str(value).lower() in ("true", "false"):
        return str(value).capitalize()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def plan(
    samples: Sequence[Sample], config: SplitConfig, usable: Mapping[str, np.ndarray]
) -> list[tuple[str, Sides]]:
    """Return, for each fold, its name and the side (training or test) every observation is meant for.

    Raises
    ------
    SplitError
        When there are fewer patients or blocks than folds, or the column or its values are missing.
    """
    if config.by == "patient":
        return _by_patient(samples, config)
    if config.by == "column":
        return [_by_column(samples, config)]
    return _by_blocks(samples, config, usable)


def _by_patient(samples: Sequence[Sample], config: SplitConfig) -> list[tuple[str, Sides]]:
    size = patient_sizes(samples)
    folds = config.folds if config.folds is not None else ("leave-one-out" if len(size) <= 5 else 5)
    number = len(size) if folds == "leave-one-out" else int(folds)
    if len(size) < max(2, number):
        raise SplitError(
            f"{len(size)} patients cannot make {max(2, number)} folds",
            where="split",
            expected=f"at least {max(2, number)} patients",
            remedy="write fewer folds, or by: blocks with within_section: true",
        )
    if folds == "leave-one-out":
        groups = [[patient] for patient in size]
    else:
        groups = [[] for _ in range(number)]
        shuffled = list(np.random.default_rng(config.seed).permutation(sorted(size)))
        for patient in sorted(shuffled, key=lambda p: -size[p]):
            min(groups, key=lambda group: (sum(size[p] for p in group), len(group))).append(str(patient))
    return [
        (
            " + ".join(group),
            {s.id: np.full(s.n_obs, TEST if s.patient in group else TRAIN, np.int8) for s in samples},
        )
        for group in groups
    ]


def patient_sizes(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the number of measured observations of each patient, in the samples' order."""
    size: dict[str, int] = {}
    for sample in samples:
        size[sample.patient] = size.get(sample.patient, 0) + int(sample.obs["measured"].sum())
    return size


def _by_column(samples: Sequence[Sample], config: SplitConfig) -> tuple[str, Sides]:
    column = config.column or ""
    lacking = [s.id for s in samples if column not in s.obs.columns and column not in s.covariates]
    if lacking:
        has = sorted({str(c) for s in samples for c in [*s.obs.columns, *s.covariates]})
        raise SplitError(
            f"no column '{column}'",
            where=f"sample {', '.join(lacking[:5])}",
            expected="one of " + ", ".join(has) if has else "the column of the split",
        )
    named = {TRAIN: config.train, VALIDATION: config.validation, TEST: config.test}
    side_of = {value_key(v): side for side, values in named.items() for v in values or ()}
    found = {}
    for sample in samples:
        if column in sample.obs.columns:
            keys = np.array([value_key(v) for v in sample.obs[column].tolist()], dtype=object)
        else:
            keys = np.full(sample.n_obs, value_key(sample.covariates[column]), dtype=object)
        found[sample.id] = np.unique(keys.astype(str), return_inverse=True)
    seen = sorted({str(value) for values, _ in found.values() for value in values})
    side_of = _as_in_column(side_of, seen, f"split, column '{column}'")
    sides = {
        id_: np.array([side_of.get(str(value), UNUSED) for value in values], np.int8)[inverse]
        for id_, (values, inverse) in found.items()
    }
    train, test = (" ".join(map(str, values or ())) for values in (config.train, config.test))
    return f"{column} {train} | {test}", sides


def _as_in_column(side_of: Mapping[str, int], seen: Sequence[str], where: str) -> dict[str, int]:
    """Return the sides by the values as the column writes them: 1 is 1.0, true is True or 1.

    Raises
    ------
    SplitError
        When no observation has one of the values, two of them are one in the column, or a value of the column
        differs from one of them by blanks or case only.
    """
    placed: dict[str, int] = {}
    absent = []
    for key, side in side_of.items():
        spelt = (key, f"{key}.0", *_SWITCHES.get(key.lower(), ()))
        held = next((one for one in spelt if one in seen), None)
        if held is None:
            absent.append(key)
        elif placed.setdefault(held, side) != side:
            raise SplitError(f"the value {one_line(held, 60)} stands on two sides", where=where)
    some = ", ".join(one_line(value, 40) for value in seen[:10])
    if absent:
        few = shortened([one_line(key, 40) for key in absent], 5)
        raise SplitError(f"no observation has the value {few}", where=where, expected=f"values among {some}")
    for one, other in look_alike([*placed, *seen]):
        if one in placed and other not in placed:
            raise SplitError(
                f"the column holds {shown(other)} beside {shown(one)}, unlike in blanks or case alone",
                where=where,
                remedy="write one value in one way in the table",
            )
    return placed


def _by_blocks(
    samples: Sequence[Sample], config: SplitConfig, usable: Mapping[str, np.ndarray]
) -> list[tuple[str, Sides]]:
    number = 4 if config.folds is None else int(config.folds)
    fold_of = {}
    for place, sample in enumerate(samples):
        xy = sample.xy_um
        width = block_width(config, extent_area(xy) / number)
        block = grid_blocks(xy, width)
        if len(np.unique(block[usable[sample.id]])) < number:
            raise SplitError(
                f"blocks of {width:.0f} um make {len(np.unique(block[usable[sample.id]]))} blocks, "
                f"fewer than {number} folds",
                where=f"sample {sample.id}",
                remedy="write a smaller block_um, a smaller buffer_um or fewer folds",
            )
        few, ok = thin(sample.n_obs), usable[sample.id]

        def left(fold: np.ndarray, xy: np.ndarray = xy, few: np.ndarray = few) -> float:
            rest = [_left(xy[few], fold[few] == k, config.buffer_um) for k in range(number)]
            return float(np.mean(rest))

        fold_of[sample.id] = best_draw(
            lambda rng, block=block, ok=ok: assign_to_folds(block, ok, number, rng),
            left,
            config.seed * 1009 + place,
        )
    return [
        (
            f"blocks {k + 1} of {number}",
            {key: np.where(fold == k, TEST, TRAIN).astype(np.int8) for key, fold in fold_of.items()},
        )
        for k in range(number)
    ]


def _left(xy: np.ndarray, out: np.ndarray, buffer_um: float) -> float:
    """Return how many places are neither out nor near to one that is."""
    return float((~nearer_than(xy[~out], xy[out], buffer_um)).sum())


def block_width(config: SplitConfig, area_a_side: float) -> float:
    """Return ``block_um``, or a width that makes about four blocks a side and is six buffers at least."""
    if config.block_um is not None:
        return config.block_um
    return max(_BUFFERS_A_BLOCK * config.buffer_um, np.sqrt(area_a_side / _BLOCKS_A_SIDE), 1e-6)


def add_validation(
    samples: Sequence[Sample], intended: Sides, usable: Mapping[str, np.ndarray], config: SplitConfig
) -> tuple[Sides, list[str]]:
    """Move a part of the training side to validation, unless the column named one."""
    if config.validation:
        return intended, []
    training = [sample for sample in samples if (intended[sample.id] == TRAIN).any()]
    patients = patient_sizes(training)
    if len(patients) >= 3 and not config.within_section:
        chosen = _validation_patients(patients, config)
        sides = dict(intended)
        for sample in training:
            if sample.patient in chosen:
                sides[sample.id] = np.where(intended[sample.id] == TRAIN, VALIDATION, intended[sample.id])
        return sides, [f"validation: patient {', '.join(chosen)}"]
    sides, parts = dict(intended), []
    for place, sample in enumerate(training):
        ok = usable[sample.id] & (intended[sample.id] == TRAIN)
        sides[sample.id], width = _validation_blocks(sample, intended[sample.id], ok, config, place)
        parts.append(f"{width:.0f} um in {sample.id}")
    return sides, [f"validation: spatial blocks of the training side, {', '.join(parts)}"]


def _validation_patients(size: Mapping[str, int], config: SplitConfig) -> list[str]:
    """Return whole patients whose observations come nearest to the share; two are left to train."""
    goal = config.validation_share * sum(size.values())
    shuffled = [str(p) for p in np.random.default_rng(config.seed).permutation(sorted(size))]
    chosen: list[str] = []
    while len(chosen) < len(size) - 2:
        have = sum(size[p] for p in chosen)
        rest = [p for p in shuffled if p not in chosen]
        best = min(rest, key=lambda p: abs(have + size[p] - goal))
        if chosen and abs(have + size[best] - goal) >= abs(have - goal):
            break
        chosen.append(best)
    return chosen


def _validation_blocks(
    sample: Sample, intended: np.ndarray, ok: np.ndarray, config: SplitConfig, place: int
) -> tuple[np.ndarray, float]:
    """Return the sides with blocks of the training side moved to validation, and the blocks' width."""
    train = np.flatnonzero(intended == TRAIN)
    xy = sample.xy_um
    width = block_width(config, extent_area(xy[train]) * config.validation_share)
    block = grid_blocks(xy[train], width)
    few = thin(sample.n_obs)

    def draw(rng: np.random.Generator) -> np.ndarray:
        side = intended.copy()
        side[train[draw_share(block, ok[train], config.validation_share, rng)]] = VALIDATION
        return side

    def left(side: np.ndarray) -> float:
        stays = ~in_buffer(side[few], xy[few], config.buffer_um) & ok[few]
        goal = max(1.0, config.validation_share * float(ok[few].sum()))
        validation = float((stays & (side[few] == VALIDATION)).sum())
        return float((stays & (side[few] == TRAIN)).sum()) * min(1.0, validation / goal)

    return best_draw(draw, left, config.seed * 1009 + 503 + place), width
