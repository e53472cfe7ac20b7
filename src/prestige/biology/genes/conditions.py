"""Differences between two conditions, inflamed or not, and whether the prediction has the same.

The unit is the patient: values are averaged over a patient's observations of a condition first (pseudo-bulk).
Thousands of observations of one patient are not thousands of patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

from prestige.biology.agreement import WITH_DEPTH, versions
from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.errors import ConfigError, DataError, unknown

TOP = 50
"""Genes with the largest measured differences that are looked for among the predicted ones."""

FLOOR = 1e-4
"""Share of an observation's total that is added to both sides of a fold change, against division by 0."""

_TIE = 1e-9
PAIRED, GROUPS, ONE = "pairs", "groups", "one"


@dataclass(frozen=True)
class Kept:
    """How well one version's differences follow another's.

    Attributes
    ----------
    spearman
        Rank correlation of the log fold changes over genes; NaN where one side has no differences at all.
    top
        How many genes with the largest differences were looked for.
    kept
        How many of them are among the ``top`` of the other version.  Of genes that are tied at its end, each
        counts by its chance to be in.
    by_chance
        How many would be there by chance, ``top^2 / g``.
    same_direction
        How many of them go in the same direction, among the ``top`` or not.
    """

    spearman: float
    top: int
    kept: float
    by_chance: float
    same_direction: int


@dataclass(frozen=True, eq=False)
class Conditions:
    """Differences of genes between two conditions, measured and predicted.

    Attributes
    ----------
    table
        A row for each gene, largest measured difference first: log2 fold changes of ``measured``,
        ``predicted``, ``noisy``, ``noisy_half``, ``half_a``, ``half_b`` and ``depth`` (the same shares
        everywhere, with noise at half the depth); ``measured_se`` and ``predicted_se``, standard errors over
        patients (NaN with fewer than two).
    kept
        Comparison -> how well its differences are kept.  Besides those of
        :data:`~prestige.biology.agreement.COMPARISONS` ``depth``: what conditions of unequal depth bring by
        themselves, against a half.  The prediction as it is (``predicted``) has no depth and needs no such
        control.
    column, first, second
        The covariate and its two values; fold changes are second over first.
    patients
        Patients with the first value, with the second, and with both; None where patients are not known.
    unit
        "pairs" (differences within patients), "groups" (between groups of patients) or "one" (nothing about
        patients follows).
    """

    table: pd.DataFrame
    kept: Mapping[str, Kept]
    column: str
    first: str
    second: str
    patients: tuple[int, int, int] | None
    unit: str


def differences(
    pair: Pair,
    column: str,
    first: str,
    second: str,
    *,
    top: int = TOP,
    drawn: Drawn | None = None,
    seed: int = 0,
) -> Conditions:
    """Compare the log fold changes between two values of a covariate, measured and predicted.

    For each unit (by the column ``patient``, or the sample where there is none) and value the log1p values
    of a gene are averaged over observations to m, samples of a unit weighing as their observations do.  With
    ``c`` = :data:`FLOOR` x the scale's total, a log2 fold change is ``log2(expm1(m_second) + c) -
    log2(expm1(m_first) + c)``: within each patient, and averaged, where at least two have both values (or all
    have); else the difference of the groups' means.  Patients with one value only have no part in the first.
    Measured and predicted values go the same way, since what a model of log1p values predicts is the mean of
    log1p values.

    Standard errors are those of a mean of differences, or of a difference of two means with their own
    variances (Welch 1947).

    Parameters
    ----------
    column, first, second
        A column of ``pair.obs`` and two of its values; other values are left out.
    top
        How many genes are looked for; at most half of all.
    drawn, seed
        Noise and halves of this pair, where they are drawn already; or their seed.

    Raises
    ------
    ConfigError
        When the column or a value is not there, or the two values are one.
    DataError
        When ``top`` is below 1 or there are fewer than 4 genes.
    """
    rows, side = _sides(pair, column, first, second)
    if top < 1 or len(pair.genes) < 4:
        raise DataError(f"the top {top} of {len(pair.genes)} genes", expected="at least 1 of at least 4")
    some = pair.take(rows)
    known = "patient" in some.obs.columns
    unit_of = (some.obs["patient"].to_numpy() if known else some.sample_of).astype(np.str_)
    units, code = np.unique(unit_of, return_inverse=True)
    of, made = (some, draw(some, seed)) if drawn is None else (pair, drawn)
    held = versions(of, made) | {"depth": made.depth_half}
    changes, errors, how = {}, {}, ONE
    for name in tuple(held):
        values = held.pop(name)
        of_rows = values if len(values) == len(some) else values[rows]
        means = _pseudo_bulk(of_rows, code, side, len(units), FLOOR * some.total)
        changes[name], errors[name], how = _change(means)
    has = np.stack([np.bincount(code, side == second, minlength=len(units)) > 0 for second in (False, True)])
    table = pd.DataFrame(changes, index=pd.Index(some.genes, name="gene"))
    nan = np.full(len(some.genes), np.nan)
    for name in ("measured", "predicted"):
        table[f"{name}_se"] = errors[name] if known else nan
    top = min(top, len(some.genes) // 2)
    kept = {name: keeps(changes[p], changes[t], top) for name, (p, t) in WITH_DEPTH.items()}
    order = np.argsort(-np.abs(changes["measured"]), kind="stable")
    patients = (int(has[0].sum()), int(has[1].sum()), int(has.all(axis=0).sum())) if known else None
    return Conditions(table.iloc[order], kept, column, first, second, patients, how if known else ONE)


def keeps(changes: Float[np.ndarray, " _"], wanted: Float[np.ndarray, " g"], top: int) -> Kept:
    """Return how well ``changes`` follow the differences ``wanted``, over all genes and the top ones.

    Raises
    ------
    DataError
        When they differ in number, or ``top`` is not between 1 and that number.
    """
    from scipy.stats import spearmanr

    g = len(wanted)
    if len(changes) != g or not 1 <= top <= g:
        raise DataError(f"the top {top} of {len(changes)} and {g} differences")
    varies = np.ptp(changes) > _TIE and np.ptp(wanted) > _TIE
    rank = float(np.asarray(spearmanr(changes, wanted)[0])) if varies else float("nan")
    sizes = np.abs(wanted)
    chance_wanted, chance = _chance_in_top(sizes, top), _chance_in_top(np.abs(changes), top)
    largest = np.argsort(-sizes, kind="stable")[:top]
    same = (np.sign(changes[largest]) == np.sign(wanted[largest])) & (np.abs(changes[largest]) > _TIE)
    return Kept(rank, top, float(chance_wanted @ chance), top * top / g, int(same.sum()))


def _chance_in_top(sizes: Float[np.ndarray, " g"], top: int) -> Float[np.ndarray, " g"]:
    """Return each gene's chance to be among the top: 1, 0, or a share of the places where it is tied."""
    limit = np.sort(sizes)[-top]
    above = sizes > limit + _TIE
    tied = (np.abs(sizes - limit) <= _TIE) & ~above
    out = above.astype(np.float64)
    out[tied] = (top - above.sum()) / tied.sum()
    return out


def _sides(
    pair: Pair, column: str, first: str, second: str
) -> tuple[Shaped[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """Return the rows with either value, and whether each has the second."""
    if column not in pair.obs.columns:
        raise unknown("column", column, [str(name) for name in pair.obs.columns], where="obs")
    if first == second:
        raise ConfigError(
            f"'{first}' is compared with itself", where=f"obs['{column}']", expected="two values"
        )
    values = pair.obs[column].astype(str).to_numpy().astype(np.str_)
    for value in (first, second):
        if value not in values:
            raise unknown("value", value, np.unique(values).tolist(), where=f"obs['{column}']")
    rows = np.flatnonzero((values == first) | (values == second))
    return rows, values[rows] == second


def _pseudo_bulk(
    values: np.ndarray, code: np.ndarray, side: np.ndarray, n_units: int, floor: float
) -> Float[np.ndarray, "2 u g"]:
    """Return log2 of each unit's mean expression for each value, NaN where it has no observation."""
    out = np.full((2, n_units, values.shape[1]), np.nan)
    for unit in range(n_units):
        for number in (0, 1):
            rows = np.flatnonzero((code == unit) & (side == bool(number)))
            if len(rows):
                mean = values[rows].mean(axis=0, dtype=np.float64)
                # A prediction may lie below 0, which no expression does.
                out[number, unit] = np.log2(np.expm1(np.maximum(mean, 0.0)) + floor)
    return out


def _change(means: Float[np.ndarray, "2 u g"]) -> tuple[np.ndarray, np.ndarray, str]:
    """Return fold changes, their standard errors over units, and how they were taken."""
    has = np.isfinite(means[:, :, 0])
    nan = np.full(means.shape[2], np.nan)
    both = has.all(axis=0)
    if both.all() or both.sum() > 1:
        within = (means[1] - means[0])[both]
        n = len(within)
        error = within.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else nan
        return within.mean(axis=0), error, PAIRED if n > 1 else ONE
    groups = [means[number][has[number]] for number in (0, 1)]
    change = groups[1].mean(axis=0) - groups[0].mean(axis=0)
    if any(len(one) < 2 for one in groups):
        return change, nan, ONE
    variance = sum(one.var(axis=0, ddof=1) / len(one) for one in groups)
    return change, np.sqrt(variance), GROUPS
